//! The option `--inject-fault`.

use std::fmt;

use kafka::{Acks, ProducerArgs};

use crate::InjectedFault;

/// Options of services that support fault injection.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FaultInjectionArgs {
    /// Inject a fault to show its effect on a comparison; may be repeated. Never use it for votes that count
    #[arg(long = "inject-fault", value_name = "NAME", value_enum)]
    pub faults: Vec<InjectedFault>,
}

impl FaultInjectionArgs {
    /// Whether the fault is injected.
    pub fn has(&self, fault: InjectedFault) -> bool {
        self.faults.contains(&fault)
    }

    /// Whether these producer options are allowed: weaker acknowledgements need [`InjectedFault::Acks`].
    pub(crate) fn allows(&self, producer: &ProducerArgs) -> bool {
        producer.acks == Acks::All || self.has(InjectedFault::Acks)
    }
}

/// The names, sorted and without duplicates, or `none`. The effective configuration shows them.
impl fmt::Display for FaultInjectionArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.faults.clone();
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
