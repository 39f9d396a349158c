//! Faults to teach with: what published comparisons do to one side and not to the other. Each is off unless it is named,
//! is chosen once at start, and leaves the path of other processes as it is.

mod delay;
mod sink;

use std::fmt;

pub use sink::Confounded;

/// A fault of published comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Confound {
    /// Votes are acknowledged before they are published, with or without a Kafka. Partition and offset are -1
    AnswerBeforeWork,
    /// Each vote is published by a producer of its own, connected for it and closed behind it
    ProducerPerRequest,
    /// Nagle's algorithm is left on: a small packet waits for the acknowledgement of the one before
    Nagle,
    /// 1.00 ms is added to each vote before it is published: a difference of a known size
    #[value(name = "delay-1ms")]
    Delay1Ms,
    /// `--acks 1` and `--acks 0` are allowed, by which an acknowledged vote may be lost
    Acks,
}

/// Options of services that can be confounded.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfoundArgs {
    /// Run with a fault, to show what it does to a comparison; may be repeated. Never for votes that count
    #[arg(long = "inject-fault", value_name = "NAME", value_enum)]
    pub confounds: Vec<Confound>,
}

impl ConfoundArgs {
    /// Whether this fault is wanted.
    pub fn has(&self, confound: Confound) -> bool {
        self.confounds.contains(&confound)
    }
}

/// The names, sorted and each once, or `none`: for the effective configuration.
impl fmt::Display for ConfoundArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.confounds.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let values = sorted.iter().filter_map(clap::ValueEnum::to_possible_value);
        let names: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
        if names.is_empty() {
            return formatter.write_str("none");
        }
        formatter.write_str(&names.join(","))
    }
}
