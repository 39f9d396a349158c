//! Settings of the group member, each with its reason.

pub(super) const MAX_POLL_INTERVAL_MS: u64 = 300_000;

/// Settings of a member of `group`. What is not here has librdkafka's default.
pub fn settings(group: &str) -> Vec<(&'static str, String)> {
    let max_poll_interval_ms = MAX_POLL_INTERVAL_MS.to_string();
    [
        ("group.id", group),
        // A new member takes only what it is due: the others keep their partitions, and keep counting.
        ("partition.assignment.strategy", "cooperative-sticky"),
        // What was applied decides where to go on, not what was read.
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        // A position outside of the log is for the pipeline to decide, against the watermarks; never silently.
        ("auto.offset.reset", "error"),
        // A topic is made by whoever knows how many partitions it needs.
        ("allow.auto.create.topics", "false"),
        // The least that a broker allows by default: a killed consumer's partitions stand still for so long.
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "2000"),
        // The thread polls ten times a second even when the stores are down; only one that hangs misses this.
        ("max.poll.interval.ms", max_poll_interval_ms.as_str()),
        // A broker answers when it has this much, or after this long: under load fewer, larger answers; at rest a
        // vote waits 20 ms at most.
        ("fetch.min.bytes", "16384"),
        ("fetch.wait.max.ms", "20"),
        // A backlog is read in large answers; the defaults of 64 MiB and 100,000 records would be most of the memory.
        ("queued.max.messages.kbytes", "4096"),
        ("queued.min.messages", "5000"),
        // With so short a queue, the default of 1 s before it is filled again would be the limit of everything.
        ("fetch.queue.backoff.ms", "5"),
        // About a batch: a backlog comes as runs of one partition, and with long runs the other partitions' lanes idle.
        ("fetch.message.max.bytes", "131072"),
        ("fetch.max.bytes", "2097152"),
        // A topic that does not exist yet is noticed soon after it does; the default is 5 minutes.
        ("topic.metadata.refresh.interval.ms", "10000"),
        ("socket.keepalive.enable", "true"),
        // The default of 10 s would keep the consumer away long after Kafka is back.
        ("reconnect.backoff.max.ms", "1000"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}
