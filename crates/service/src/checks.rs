//! The readiness checks as a metric, so that alerts can use them without a request to `/readyz`.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts, Registry};

use crate::readiness::Readiness;

/// Reads the checks at each scrape, so that the metric and `/readyz` always agree.
struct Checks {
    readiness: Readiness,
    up: IntGaugeVec,
}

/// Registers `service_check_up`.
pub(crate) fn register(registry: &Registry, readiness: Readiness) -> prometheus::Result<()> {
    let up = IntGaugeVec::new(
        Opts::new(
            "service_check_up",
            "1 while a readiness check passes; the process is ready while all of them do",
        ),
        &["check"],
    )?;
    registry.register(Box::new(Checks { readiness, up }))
}

impl Collector for Checks {
    fn desc(&self) -> Vec<&Desc> {
        self.up.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (name, passes) in self.readiness.states() {
            self.up.with_label_values(&[name]).set(i64::from(passes));
        }
        self.up.collect()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn check_is_0_until_it_passes_and_after_it_fails() {
        let (registry, readiness) = (Registry::new(), Readiness::default());
        register(&registry, readiness.clone()).unwrap();
        let kafka = readiness.register("kafka");
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(
            text().contains("service_check_up{check=\"kafka\"} 0"),
            "{}",
            text()
        );
        kafka.ok();
        assert!(
            text().contains("service_check_up{check=\"kafka\"} 1"),
            "{}",
            text()
        );
        kafka.fail("no answer");
        assert!(
            text().contains("service_check_up{check=\"kafka\"} 0"),
            "{}",
            text()
        );
    }
}
