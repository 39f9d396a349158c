//! Kafka to Redis tallies and the MongoDB log, each vote once.
fn main() {}
