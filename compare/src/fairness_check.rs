//! The fairness check of a run: reads the configuration of the services and counts their replicas, for the comparison in
//! [`analysis::fairness`].

use std::collections::BTreeMap;
use std::time::Duration;

use analysis::fairness::{
    Configuration, Counts, compare_in_flight, compare_reuse, compare_service_args, compare_settings,
    secured_stack, stock_variants, tls_variants,
};
use analysis::report::model::Finding;
use anyhow::{Context, Result};
use experiment_model::plan::Plan;
use lab::access::Access;
use lab::http_get::http_get_body;
use lab::ports::Port;
use serde::Deserialize;

/// How long Prometheus may take to scrape each service once. It scrapes every two seconds.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(30);
const PROMETHEUS_INTERVAL: Duration = Duration::from_millis(500);

/// Checks all services that the plan's variants need, except stock services, which have no admin port. Each setting gives
/// one finding, equal or not, so that the report lists everything that was compared.
pub async fn check(plan: &Plan, access: &Access) -> Result<Vec<Finding>> {
    let admin_ports = [
        ("rest", Port::RestAdmin),
        ("grpc", Port::GrpcAdmin),
        ("bridge", Port::BridgeAdmin),
    ];
    let is_needed = |service: &str| {
        plan.variants
            .iter()
            .any(|variant| variant.service.is_ours() && variant.route.processes().contains(&service))
    };
    let mut services = BTreeMap::new();
    for (service, port) in admin_ports {
        if is_needed(service) {
            services.insert(service.to_owned(), configuration(access, port).await?);
        }
    }
    let mut findings = compare_settings(&services);
    let counts = wait_for_counts(access, services.len()).await?;
    findings.push(counts.compare_replicas(&services));
    findings.push(counts.check_partitions());
    findings.push(compare_reuse(plan));
    findings.push(compare_in_flight(plan));
    findings.push(compare_service_args(plan));
    findings.extend(stock_variants(plan));
    findings.extend(tls_variants(plan));
    findings.extend(access.secrets.is_some().then(|| secured_stack(plan)));
    Ok(findings)
}

async fn configuration(access: &Access, port: Port) -> Result<Configuration> {
    let url = access.url(port);
    let body = http_get_body(access, &access.ports.address(port), "/config")
        .await
        .with_context(|| format!("reading the configuration at {url}"))?;
    serde_json::from_slice(&body).with_context(|| format!("parsing the configuration at {url}"))
}

/// Queries Prometheus until it has scraped `services` services, the consumers and the partitions.
async fn wait_for_counts(access: &Access, services: usize) -> Result<Counts> {
    let counting = async {
        loop {
            let counts = current_counts(access).await?;
            if counts.replicas.len() >= services && counts.consumers > 0 && counts.partitions > 0 {
                return anyhow::Ok(counts);
            }
            tokio::time::sleep(PROMETHEUS_INTERVAL).await;
        }
    };
    tokio::time::timeout(PROMETHEUS_TIMEOUT, counting)
        .await
        .with_context(|| {
            format!(
                "Prometheus at {} did not scrape all services within {PROMETHEUS_TIMEOUT:?}; check its /targets",
                access.url(Port::Prometheus)
            )
        })?
}

async fn current_counts(access: &Access) -> Result<Counts> {
    let total = |result: BTreeMap<String, u64>| result.values().sum();
    Ok(Counts {
        replicas: query(access, "count by (route) (ingest_config_info)").await?,
        consumers: total(query(access, "count(count by (instance) (consumer_votes_total))").await?),
        partitions: total(query(access, "count(count by (partition) (consumer_lag_records))").await?),
    })
}

/// Runs an instant query. Returns the value of each series by its label `route`, or by an empty string without that label.
async fn query(access: &Access, expression: &str) -> Result<BTreeMap<String, u64>> {
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
    let parameters = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", expression)
        .finish();
    let address = access.ports.address(Port::Prometheus);
    let body = http_get_body(access, &address, &format!("/api/v1/query?{parameters}"))
        .await
        .context("querying Prometheus")?;
    let answer: Answer = serde_json::from_slice(&body).context("parsing the answer of Prometheus")?;
    let series = answer.data.result.into_iter().map(|series| {
        let route = series.metric.get("route").cloned().unwrap_or_default();
        Ok((route, series.value.1.parse()?))
    });
    series.collect()
}
