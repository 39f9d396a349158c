//! Settings of the group member, each with its reason.

pub(super) const MAX_POLL_INTERVAL_MS: u64 = 300_000;

/// Settings of a member of `group`. All other settings have librdkafka's default.
pub fn settings(group: &str) -> Vec<(&'static str, String)> {
    let max_poll_interval_ms = MAX_POLL_INTERVAL_MS.to_string();
    [
        ("group.id", group),
        // A new member takes only its share: the others keep their remaining partitions and continue to count.
        ("partition.assignment.strategy", "cooperative-sticky"),
        // The pipeline commits what it applied. Automatic commits would commit what was only read.
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        // If a position is outside of the log, the pipeline decides where to resume. A silent reset would skip or repeat
        // records.
        ("auto.offset.reset", "error"),
        // `consumer prepare` creates topics with the right number of partitions. An automatic one would have the default.
        ("allow.auto.create.topics", "false"),
        // The minimum that a broker allows by default. After a consumer is killed, no consumer reads its partitions
        // for this long.
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "2000"),
        // The thread polls many times a second even when the stores are down, so only a blocked thread exceeds this.
        ("max.poll.interval.ms", max_poll_interval_ms.as_str()),
        // A broker responds when it has this many bytes, or after this time. Under load this means fewer, larger
        // responses; without load a vote waits at most 20 ms.
        ("fetch.min.bytes", "16384"),
        ("fetch.wait.max.ms", "20"),
        // The limits of each partition's queue, up to which records are fetched in advance. With a backlog, the defaults of
        // 64 MiB and 100,000 records would take most of the process's memory.
        ("queued.max.messages.kbytes", "1024"),
        ("queued.min.messages", "1000"),
        // With such a short queue, the default pause of 1 s before the next fetch would limit the throughput.
        ("fetch.queue.backoff.ms", "2"),
        // About one batch. A fetch returns a run of records of one partition, and the other partitions are idle during a
        // long run.
        ("fetch.message.max.bytes", "131072"),
        ("fetch.max.bytes", "2097152"),
        // Finds a topic soon after it is created; the default is 5 minutes.
        ("topic.metadata.refresh.interval.ms", "10000"),
        ("socket.keepalive.enable", "true"),
        // The default of 10 s would delay the reconnect long after Kafka is available again.
        ("reconnect.backoff.max.ms", "1000"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}
