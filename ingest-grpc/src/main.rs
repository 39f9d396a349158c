//! The gRPC route, and the bridge that speaks gRPC for HTTP clients.
fn main() {}
