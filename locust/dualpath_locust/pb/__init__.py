"""Generated from proto/votes/v1/votes.proto by generate_pb.sh."""
