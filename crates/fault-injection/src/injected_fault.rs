//! The faults that `--inject-fault` names.

/// A fault that a service can inject: an error of published comparisons, or a difference of known size for `compare prove`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum InjectedFault {
    /// Acknowledge votes before publishing them, even without Kafka. Partition and offset are -1
    AnswerBeforeWork,
    /// Publish each vote with a new producer, which connects for it and closes after it
    ProducerPerRequest,
    /// Leave Nagle's algorithm on: a small packet waits for the acknowledgement of the previous one
    Nagle,
    /// Delay each vote by 0.1 ms before publishing it: a difference of a known size
    #[value(name = "delay-100us")]
    Delay100Us,
    /// Delay every 25th vote by 5 ms before publishing it: a difference of the slowest votes only
    #[value(name = "delay-25th-5ms")]
    Delay25th5Ms,
    /// Use 25 µs of CPU time for each vote before publishing it: a difference of a known cost
    #[value(name = "cpu-25us")]
    Cpu25Us,
    /// Allow `--acks 1` and `--acks 0`, with which Kafka can lose acknowledged votes
    Acks,
}
