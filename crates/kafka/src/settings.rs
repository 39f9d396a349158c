//! Client settings, each with its reason. All other settings keep the defaults of librdkafka.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::Brokers;
use crate::args::{Acks, ProducerArgs};

/// The settings of a producer. `deadline` bounds the time from sending a record to its acknowledgement.
pub fn producer(args: &ProducerArgs, deadline: Duration) -> Vec<(&'static str, String)> {
    let deadline_ms = deadline.as_millis().to_string();
    let is_idempotent = args.acks == Acks::All;
    [
        // By default, an acknowledged vote must survive the loss of the leader.
        ("acks", args.acks.to_string().as_str()),
        // A retry inside the client must not write a vote twice and must not reorder a partition. Requires acks=all.
        ("enable.idempotence", is_idempotent.to_string().as_str()),
        // linger.rs has the default and its reason.
        ("linger.ms", args.linger_ms.to_string().as_str()),
        // Votes have about 100 bytes and batches are small: compression would cost more CPU time than it saves
        // bandwidth.
        ("compression.type", "none"),
        // A vote must not reach Kafka minutes after its client received an error for it.
        ("message.timeout.ms", &deadline_ms),
        // Twice the largest --max-in-flight, so that admission always rejects votes before this queue is full.
        ("queue.buffering.max.messages", "100000"),
        // The default of 1 GiB is too much memory for a queue. Validation keeps events below 2 KiB.
        ("queue.buffering.max.kbytes", "65536"),
        // A batch must not wait for the acknowledgement of the previous batch.
        ("socket.nagle.disable", "true"),
        // Detects a broker that disappears without closing its connections.
        ("socket.keepalive.enable", "true"),
        // With the default of 10 s, a route would stay down for seconds after Kafka is back.
        ("reconnect.backoff.max.ms", "1000"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// The client configuration of a producer of votes.
pub(crate) fn ingest_client(brokers: &Brokers, args: &ProducerArgs, deadline: Duration) -> ClientConfig {
    client(brokers, "dualpath-ingest", &producer(args, deadline))
}

/// A client configuration for `brokers` with `settings`.
pub(crate) fn client(
    brokers: &Brokers,
    client_id: &str,
    settings: &[(&'static str, String)],
) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &brokers.addresses)
        .set("client.id", client_id);
    for (name, value) in settings.iter().chain(&brokers.security.client_settings()) {
        config.set(*name, value);
    }
    config
}
