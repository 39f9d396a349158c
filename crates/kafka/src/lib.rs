//! The only crate that speaks to Kafka: the producing sink, the consuming thread, and their settings.
