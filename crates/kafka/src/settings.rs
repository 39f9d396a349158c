//! Client settings, each with its reason. What is not here has librdkafka's default.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::args::{Acks, KafkaArgs, ProducerArgs};

/// Settings of the producer behind both routes.
pub(crate) fn producer(args: &ProducerArgs, deadline: Duration) -> Vec<(&'static str, String)> {
    let deadline_ms = deadline.as_millis().to_string();
    let is_idempotent = args.acks == Acks::All;
    [
        // Unless a lesson asks for less: an acknowledgement must survive the loss of the leader.
        ("acks", args.acks.to_string().as_str()),
        // A retry inside the client must not write a vote twice, and must not reorder a partition. Needs acks=all.
        ("enable.idempotence", is_idempotent.to_string().as_str()),
        ("linger.ms", args.linger_ms.to_string().as_str()),
        // Votes are about 100 bytes and batches small: on a path that lives by latency the CPU is scarcer than bytes.
        ("compression.type", "none"),
        // After the deadline nobody waits: a vote must not "arrive" minutes after its client was told that it failed.
        ("message.timeout.ms", &deadline_ms),
        // Twice the most votes that admission lets in, so that the queue is never what refuses.
        ("queue.buffering.max.messages", "100000"),
        // The default of 1 GiB is a memory leak in waiting; events are below 2 KiB by validation.
        ("queue.buffering.max.kbytes", "65536"),
        // A batch must not wait for the acknowledgement of the one before.
        ("socket.nagle.disable", "true"),
        // Notices a broker that vanished without closing.
        ("socket.keepalive.enable", "true"),
        // The default of 10 s would keep a route down long after Kafka is back.
        ("reconnect.backoff.max.ms", "1000"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// The client configuration of a route's producer.
pub(crate) fn ingest_client(args: &KafkaArgs, deadline: Duration) -> ClientConfig {
    let settings = producer(&args.producer, deadline);
    client(&args.kafka_brokers, "dualpath-ingest", &settings)
}

/// A client configuration for `brokers` with `settings`.
pub(crate) fn client(brokers: &str, client_id: &str, settings: &[(&'static str, String)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", client_id);
    for (name, value) in settings {
        config.set(*name, value);
    }
    config
}
