//! The REST route: HTTP in, Kafka out.
fn main() {}
