"""Load generator for dualpath: reads vote files, sends the votes by HTTP and gRPC, writes one ledger line per vote."""
