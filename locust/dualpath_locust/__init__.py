"""Load for dualpath: vote files in, votes out by HTTP and gRPC, one ledger line a vote."""
