//! The real binary against real Kafka, Redis and MongoDB.

mod bed;
mod dead_letters;
mod exact;
mod faults;
mod fence;
mod votes;
