//! Whether the services differ in nothing but their protocol: their settings, what the machine gives them, how many there
//! are, and whether every consumer has a partition. What differs otherwise would be measured as if it were the protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::endpoints::Endpoints;
use serde::Deserialize;

use crate::plan::Plan;
use crate::report::model::Finding;

/// A service's configuration, as its admin port shows it.
#[derive(Clone, Debug, Deserialize)]
struct Configuration {
    config_hash: String,
    settings: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

/// What Prometheus has seen once of each service: it asks them every other second.
const PROMETHEUS_LIMIT: Duration = Duration::from_secs(30);
const PROMETHEUS_PAUSE: Duration = Duration::from_millis(500);

/// Asks all services that the plan's arms need. Every setting of theirs is a finding, so that the report says what was
/// equal, and not only that something was not.
pub async fn check(plan: &Plan, endpoints: &Endpoints) -> Result<Vec<Finding>> {
    let admins = [
        ("rest", &endpoints.rest_admin),
        ("grpc", &endpoints.grpc_admin),
        ("bridge", &endpoints.bridge_admin),
    ];
    let needed = |service: &str| {
        plan.arms
            .iter()
            .any(|arm| arm.route.processes().contains(&service))
    };
    let mut services = BTreeMap::new();
    for (service, admin) in admins {
        if needed(service) {
            services.insert(service.to_owned(), configuration(admin).await?);
        }
    }
    let mut findings = compare(&services);
    let counts = Counts::ask(&endpoints.prometheus, services.len()).await?;
    findings.push(counts.replicas(&services));
    findings.push(counts.partitions());
    findings.push(reuse(plan));
    Ok(findings)
}

/// Arms of one route may differ in this on purpose; a route that dials for each vote is no opponent of one that does not.
fn reuse(plan: &Plan) -> Finding {
    let first = plan.arms.first();
    let rivals = plan
        .arms
        .iter()
        .filter(|arm| first.is_some_and(|first| first.route != arm.route));
    let arms = first.into_iter().chain(rivals);
    let values = arms.map(|arm| (arm.name.clone(), plan.connections(arm).reuse.to_string()));
    equal("reuse of connections", values.collect())
}

async fn configuration(admin: &str) -> Result<Configuration> {
    let url = format!("{admin}/config");
    let answer = reqwest::get(&url)
        .await
        .and_then(reqwest::Response::error_for_status);
    let text = answer
        .with_context(|| format!("asking {url} for its configuration"))?
        .text()
        .await?;
    serde_json::from_str(&text).with_context(|| format!("reading the configuration at {url}"))
}

/// Equal settings are a finding each, and so are unequal ones. The bridge writes nothing to Kafka, so it lacks the settings
/// for that, and its hash is its own; what it has must be equal.
fn compare(services: &BTreeMap<String, Configuration>) -> Vec<Finding> {
    let values = |pick: &dyn Fn(&Configuration) -> Option<String>| -> BTreeMap<String, String> {
        let each = services.iter();
        each.filter_map(|(service, configuration)| Some((service.clone(), pick(configuration)?)))
            .collect()
    };
    let mut hashes = values(&|configuration| Some(configuration.config_hash.clone()));
    hashes.remove("bridge");
    let mut findings = vec![equal("config_hash", hashes)];
    let names = |pick: fn(&Configuration) -> &BTreeMap<String, String>| {
        let all = services
            .values()
            .flat_map(move |configuration| pick(configuration).keys());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    for name in names(|configuration| &configuration.settings) {
        findings.push(equal(
            name,
            values(&|configuration| configuration.settings.get(name).cloned()),
        ));
    }
    for name in names(|configuration| &configuration.environment) {
        findings.push(equal(
            name,
            values(&|configuration| configuration.environment.get(name).cloned()),
        ));
    }
    findings
}

fn equal(subject: &str, values: BTreeMap<String, String>) -> Finding {
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
            "{subject} is {}: give all the same and start again.",
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

/// How many there are of each, by Prometheus.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counts {
    /// Replicas by route.
    replicas: BTreeMap<String, u64>,
    consumers: u64,
    partitions: u64,
}

impl Counts {
    /// Asks until every service was seen, `services` of them.
    async fn ask(prometheus: &str, services: usize) -> Result<Self> {
        let counting = async {
            loop {
                let counts = Self::now(prometheus).await?;
                if counts.replicas.len() >= services && counts.consumers > 0 && counts.partitions > 0 {
                    return anyhow::Ok(counts);
                }
                tokio::time::sleep(PROMETHEUS_PAUSE).await;
            }
        };
        tokio::time::timeout(PROMETHEUS_LIMIT, counting)
            .await
            .with_context(|| {
                format!("Prometheus at {prometheus} has not seen all services; look at its /targets")
            })?
    }

    async fn now(prometheus: &str) -> Result<Self> {
        let one = |result: BTreeMap<String, u64>| result.values().sum();
        Ok(Self {
            replicas: query(prometheus, "count by (route) (ingest_config_info)").await?,
            consumers: one(query(prometheus, "count(count by (instance) (consumer_votes_total))").await?),
            partitions: one(query(prometheus, "count(count by (partition) (consumer_lag_records))").await?),
        })
    }

    fn replicas(&self, services: &BTreeMap<String, Configuration>) -> Finding {
        let values = self
            .replicas
            .iter()
            .filter(|(route, _)| services.contains_key(*route));
        equal(
            "replicas",
            values
                .map(|(route, count)| (route.clone(), count.to_string()))
                .collect(),
        )
    }

    fn partitions(&self) -> Finding {
        let fair = self.partitions >= self.consumers;
        let sentence = if fair {
            String::new()
        } else {
            format!(
                "There are {} consumers for {} partitions, so some do nothing: give the topic more partitions or stop some.",
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

/// An instant query; each series by its `route` (or nothing).
async fn query(prometheus: &str, expression: &str) -> Result<BTreeMap<String, u64>> {
    #[derive(Deserialize)]
    struct Answer {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        result: Vec<Series>,
    }
    #[derive(Deserialize)]
    struct Series {
        metric: BTreeMap<String, String>,
        /// Time and value.
        value: (f64, String),
    }
    let url =
        reqwest::Url::parse_with_params(&format!("{prometheus}/api/v1/query"), [("query", expression)])?;
    let answer = reqwest::get(url)
        .await
        .and_then(reqwest::Response::error_for_status);
    let text = answer.context("asking Prometheus")?.text().await?;
    let answer: Answer = serde_json::from_str(&text).context("reading Prometheus' answer")?;
    let series = answer.data.result.into_iter().map(|series| {
        let route = series.metric.get("route").cloned().unwrap_or_default();
        Ok((route, series.value.1.parse()?))
    });
    series.collect()
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
        let findings = compare(&services).into_iter().filter(|finding| !finding.fair);
        findings.map(|finding| finding.sentence).collect()
    }

    #[test]
    fn the_bridge_may_lack_settings_and_must_share_the_others() {
        let edge = || service("a", &[("deadline_ms", "2000"), ("kafka.acks", "all")]);
        let bridge = |deadline| service("b", &[("deadline_ms", deadline)]);
        assert_eq!(
            unfair([("rest", edge()), ("grpc", edge()), ("bridge", bridge("2000"))]),
            [""; 0]
        );
        let [sentence] = &unfair([("rest", edge()), ("grpc", edge()), ("bridge", bridge("900"))])[..] else {
            panic!("the bridge's deadline differs");
        };
        assert!(sentence.contains("deadline_ms is 900 for bridge"), "{sentence}");
    }

    #[test]
    fn a_setting_that_differs_is_named_and_so_is_the_hash() {
        let edge = |hash, acks| service(hash, &[("kafka.acks", acks)]);
        let sentences = unfair([
            ("rest", edge("a", "all")),
            ("grpc", edge("c", "1")),
            ("bridge", edge("b", "all")),
        ]);
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(
            sentences[1].contains("kafka.acks is all for bridge, 1 for grpc"),
            "{sentences:?}"
        );
    }

    #[test]
    fn a_route_that_dials_for_each_vote_is_no_opponent_of_one_that_does_not() {
        let plan = |rest_again: bool, grpc: bool| {
            let arm = |name: &str, route: &str, rest: &str| {
                format!("[[arms]]\nname = \"{name}\"\nroute = \"{route}\"\n{rest}\n")
            };
            let http = "version = \"http1\"\nencoding = \"json\"\nreuse = ";
            let grpc = format!("version = \"h2c\"\nencoding = \"grpc\"\nreuse = {grpc}");
            let arms = [
                arm("rest", "rest", &format!("{http}true")),
                arm("rest again", "rest", &format!("{http}{rest_again}")),
                arm("grpc", "grpc", &grpc),
            ];
            let head = "name = \"p\"\npurpose = \"P.\"\n[design]\nwarm_up_s = 0\nrounds = 5\nblock_s = 1\n\
                        [load]\nrate = 10\n";
            Plan::parse(&format!("{head}{}", arms.concat())).unwrap()
        };
        assert!(reuse(&plan(true, true)).fair);
        assert!(reuse(&plan(false, true)).fair);
        let finding = reuse(&plan(true, false));
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
    fn a_consumer_without_a_partition_is_not_fair() {
        let counts = |consumers, partitions| Counts {
            consumers,
            partitions,
            ..Counts::default()
        };
        assert!(counts(2, 2).partitions().fair);
        assert!(!counts(3, 2).partitions().fair);
    }
}
