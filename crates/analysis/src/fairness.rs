//! The fairness check: whether the services differ only in their protocol. It compares their settings, their
//! resources and their number of replicas, and checks that every consumer has a partition. Any other difference would be
//! measured as if it came from the protocol.

use std::collections::BTreeMap;

use experiment_model::plan::Plan;
use experiment_model::variant::Tls;
use serde::Deserialize;

use crate::report::model::Finding;

/// The configuration of a service, from its admin port.
#[derive(Clone, Debug, Deserialize)]
pub struct Configuration {
    /// Hash of all settings.
    pub config_hash: String,
    /// Settings by name.
    pub settings: BTreeMap<String, String>,
    /// Resources of the service, such as its processors, by name.
    pub environment: BTreeMap<String, String>,
}

/// Compares whether the routes reuse connections. A route that opens a connection for each vote is not comparable with one
/// that does not. Variants of the same route may differ on purpose.
pub fn compare_reuse(plan: &Plan) -> Finding {
    let first = plan.variants.first();
    let other_routes = plan
        .variants
        .iter()
        .filter(|variant| first.is_some_and(|first| first.route != variant.route));
    let variants = first.into_iter().chain(other_routes);
    let values = variants.map(|variant| (variant.name.clone(), plan.connections(variant).reuse.to_string()));
    compare_values("reuse of connections", values.collect())
}

/// Compares how many votes of each variant can be unanswered. With different limits, a comparison near the limit is one of
/// the sizes of the clients' pools, not of the protocols.
pub fn compare_in_flight(plan: &Plan) -> Finding {
    let variants = plan.variants.iter();
    let values = variants.map(|variant| {
        (
            variant.name.clone(),
            plan.connections(variant).in_flight.to_string(),
        )
    });
    compare_values("in_flight", values.collect())
}

/// Compares the additional options of the variants' services.
pub fn compare_service_args(plan: &Plan) -> Finding {
    let args = |args: &[String]| {
        if args.is_empty() {
            "none".to_owned()
        } else {
            args.join(" ")
        }
    };
    let variants = plan.variants.iter();
    let values = variants.map(|variant| (variant.name.clone(), args(&variant.service_args)));
    compare_values("service_args", values.collect())
}

/// Names the stock variants, which differ from ours on purpose; `None` without any.
pub fn stock_variants(plan: &Plan) -> Option<Finding> {
    let stock = plan.variants.iter().filter(|variant| variant.is_stock());
    let values: BTreeMap<String, String> = stock
        .map(|variant| {
            let parts = match (variant.service.is_ours(), variant.client.is_ours()) {
                (false, false) => "service and client",
                (false, true) => "service",
                (true, _) => "client",
            };
            (variant.name.clone(), parts.to_owned())
        })
        .collect();
    let each = values
        .iter()
        .map(|(variant, parts)| format!("{variant} ({parts})"));
    let sentence = format!(
        "These variants are stock, and differ from ours in more than the protocol on purpose: {}. The settings of stock \
         services were not compared.",
        each.collect::<Vec<_>>().join(", ")
    );
    (!values.is_empty()).then_some(Finding {
        subject: "stock".to_owned(),
        values,
        fair: true,
        sentence,
    })
}

/// Names the variants with TLS, which differ from the others on purpose; `None` without any.
pub fn tls_variants(plan: &Plan) -> Option<Finding> {
    let with_tls = plan.variants.iter().filter(|variant| !variant.tls.is_off());
    let values: BTreeMap<String, String> = with_tls
        .map(|variant| {
            let handshake = if variant.tls == Tls::Full {
                "complete handshakes"
            } else {
                "resumed sessions"
            };
            (variant.name.clone(), handshake.to_owned())
        })
        .collect();
    let each = values
        .iter()
        .map(|(variant, handshake)| format!("{variant} ({handshake})"));
    let sentence = format!(
        "These variants have TLS, on purpose: {}.",
        each.collect::<Vec<_>>().join(", ")
    );
    (!values.is_empty()).then_some(Finding {
        subject: "tls".to_owned(),
        values,
        fair: true,
        sentence,
    })
}

/// Says that the whole stack is secured, for all variants alike.
pub fn secured_stack(plan: &Plan) -> Finding {
    let variants = plan.variants.iter();
    Finding {
        subject: "secured".to_owned(),
        values: variants
            .map(|variant| (variant.name.clone(), "true".to_owned()))
            .collect(),
        fair: true,
        sentence: "All connections of the stack have TLS and a login.".to_owned(),
    }
}

/// Compares all settings of the services; each setting gives one finding, equal or not. The bridge does not write to Kafka,
/// so it lacks those settings and its hash differs; its other settings must be equal.
pub fn compare_settings(services: &BTreeMap<String, Configuration>) -> Vec<Finding> {
    let values = |pick: &dyn Fn(&Configuration) -> Option<String>| -> BTreeMap<String, String> {
        let each = services.iter();
        each.filter_map(|(service, configuration)| Some((service.clone(), pick(configuration)?)))
            .collect()
    };
    let mut hashes = values(&|configuration| Some(configuration.config_hash.clone()));
    hashes.remove("bridge");
    let mut findings = vec![compare_values("config_hash", hashes)];
    let names = |pick: fn(&Configuration) -> &BTreeMap<String, String>| {
        let all = services
            .values()
            .flat_map(move |configuration| pick(configuration).keys());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    for name in names(|configuration| &configuration.settings) {
        findings.push(compare_values(
            name,
            values(&|configuration| configuration.settings.get(name).cloned()),
        ));
    }
    for name in names(|configuration| &configuration.environment) {
        findings.push(compare_values(
            name,
            values(&|configuration| configuration.environment.get(name).cloned()),
        ));
    }
    findings
}

fn compare_values(subject: &str, values: BTreeMap<String, String>) -> Finding {
    let mut distinct: Vec<&String> = values.values().collect();
    distinct.sort();
    distinct.dedup();
    let fair = distinct.len() <= 1;
    let each = values
        .iter()
        .map(|(service, value)| format!("{value} for {service}"));
    let sentence = if fair {
        String::new()
    } else {
        format!(
            "{subject} is {}: use the same value everywhere and start again.",
            each.collect::<Vec<_>>().join(", ")
        )
    };
    Finding {
        subject: subject.to_owned(),
        values,
        fair,
        sentence,
    }
}

/// Numbers of replicas, consumers and partitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Replicas by route.
    pub replicas: BTreeMap<String, u64>,
    /// Consumers in the group.
    pub consumers: u64,
    /// Partitions of the topic.
    pub partitions: u64,
}

impl Counts {
    /// Compares the number of replicas of each service.
    pub fn compare_replicas(&self, services: &BTreeMap<String, Configuration>) -> Finding {
        let values = self
            .replicas
            .iter()
            .filter(|(route, _)| services.contains_key(*route));
        compare_values(
            "replicas",
            values
                .map(|(route, count)| (route.clone(), count.to_string()))
                .collect(),
        )
    }

    /// Checks that every consumer can have a partition.
    pub fn check_partitions(&self) -> Finding {
        let fair = self.partitions >= self.consumers;
        let sentence = if fair {
            String::new()
        } else {
            format!(
                "There are {} consumers for {} partitions, so some consumers are idle: add partitions to the topic, or stop consumers.",
                self.consumers, self.partitions
            )
        };
        let values = [("consumers", self.consumers), ("partitions", self.partitions)];
        Finding {
            subject: "consumers and partitions".to_owned(),
            values: values
                .map(|(name, count)| (name.to_owned(), count.to_string()))
                .into(),
            fair,
            sentence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(hash: &str, settings: &[(&str, &str)]) -> Configuration {
        let pairs = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Configuration {
            config_hash: hash.to_owned(),
            settings: pairs.collect(),
            environment: BTreeMap::from([("processors".to_owned(), "2".to_owned())]),
        }
    }

    fn unfair(services: [(&str, Configuration); 3]) -> Vec<String> {
        let services = services
            .map(|(name, configuration)| (name.to_owned(), configuration))
            .into();
        let findings = compare_settings(&services)
            .into_iter()
            .filter(|finding| !finding.fair);
        findings.map(|finding| finding.sentence).collect()
    }

    #[test]
    fn bridge_may_lack_settings_but_its_other_settings_must_be_equal() {
        let ingest_service = || service("a", &[("deadline_ms", "2000"), ("kafka.acks", "all")]);
        let bridge = |deadline| service("b", &[("deadline_ms", deadline)]);
        assert_eq!(
            unfair([
                ("rest", ingest_service()),
                ("grpc", ingest_service()),
                ("bridge", bridge("2000"))
            ]),
            [""; 0]
        );
        let [sentence] = &unfair([
            ("rest", ingest_service()),
            ("grpc", ingest_service()),
            ("bridge", bridge("900")),
        ])[..] else {
            panic!("the bridge's deadline differs");
        };
        assert!(sentence.contains("deadline_ms is 900 for bridge"), "{sentence}");
    }

    #[test]
    fn unequal_setting_and_hash_are_named() {
        let ingest_service = |hash, acks| service(hash, &[("kafka.acks", acks)]);
        let sentences = unfair([
            ("rest", ingest_service("a", "all")),
            ("grpc", ingest_service("c", "1")),
            ("bridge", ingest_service("b", "all")),
        ]);
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(
            sentences[1].contains("kafka.acks is all for bridge, 1 for grpc"),
            "{sentences:?}"
        );
    }

    #[test]
    fn reuse_may_differ_between_variants_of_one_route_only() {
        let plan = |second_rest: bool, grpc: bool| {
            let variant = |name: &str, route: &str, rest: &str| {
                format!("[[variants]]\nname = \"{name}\"\nroute = \"{route}\"\n{rest}\n")
            };
            let http = "version = \"http1\"\nencoding = \"json\"\nreuse = ";
            let grpc = format!("version = \"h2c\"\nencoding = \"grpc\"\nreuse = {grpc}");
            let variants = [
                variant("rest", "rest", &format!("{http}true")),
                variant("second rest", "rest", &format!("{http}{second_rest}")),
                variant("grpc", "grpc", &grpc),
            ];
            let head = "name = \"p\"\npurpose = \"P.\"\n[design]\nwarm_up_s = 0\nrounds = 8\nblock_s = 1\n\
                        [load]\nrate = 100\n";
            Plan::parse(&format!("{head}{}", variants.concat())).unwrap()
        };
        assert!(compare_reuse(&plan(true, true)).fair);
        assert!(compare_reuse(&plan(false, true)).fair);
        let finding = compare_reuse(&plan(true, false));
        assert!(!finding.fair);
        assert!(
            finding
                .sentence
                .starts_with("reuse of connections is false for grpc, true for rest"),
            "{}",
            finding.sentence
        );
    }

    #[test]
    fn stock_variants_are_named_and_not_unfair() {
        let plan = |second: &str| {
            let variant = "route = \"rest\"\nversion = \"http1\"\nencoding = \"json\"";
            let head = "name = \"p\"\npurpose = \"P.\"\n[design]\nwarm_up_s = 0\nrounds = 8\nblock_s = 1\n\
                        [load]\nrate = 100\n";
            Plan::parse(&format!(
                "{head}[[variants]]\nname = \"a\"\n{variant}\n[[variants]]\nname = \"b\"\n{variant}\n{second}"
            ))
            .unwrap()
        };
        assert_eq!(stock_variants(&plan("")), None);
        let finding = stock_variants(&plan("service = \"stock\"")).unwrap();
        assert!(
            finding.fair && finding.sentence.contains("b (service)"),
            "{finding:?}"
        );
        let finding = stock_variants(&plan("client = \"stock\"")).unwrap();
        assert!(
            finding.fair && finding.sentence.contains("b (client)"),
            "{finding:?}"
        );
    }

    #[test]
    fn idle_consumer_is_unfair() {
        let counts = |consumers, partitions| Counts {
            consumers,
            partitions,
            ..Counts::default()
        };
        assert!(counts(2, 2).check_partitions().fair);
        assert!(!counts(3, 2).check_partitions().fair);
    }
}
