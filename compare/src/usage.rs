//! What the services use, as they say themselves on their admin ports.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use lab::endpoints::Endpoints;

use crate::data::Usage;

/// The services whose CPU time is part of a vote's cost.
#[derive(Debug)]
pub struct Services {
    admins: Vec<(&'static str, String)>,
    client: reqwest::Client,
}

/// What each service has used since its start.
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<String, Usage>);

impl Services {
    /// The services at these endpoints.
    pub fn new(endpoints: &Endpoints) -> Self {
        let admins = [
            ("rest", &endpoints.rest_admin),
            ("grpc", &endpoints.grpc_admin),
            ("bridge", &endpoints.bridge_admin),
            ("consumer", &endpoints.consumer_admin),
        ];
        Self {
            admins: admins.map(|(name, admin)| (name, admin.clone())).to_vec(),
            client: reqwest::Client::new(),
        }
    }

    /// Asks all of them.
    pub async fn totals(&self) -> Result<Totals> {
        let mut totals = BTreeMap::new();
        for (name, admin) in &self.admins {
            let url = format!("{admin}/metrics");
            let metrics = async {
                self.client
                    .get(&url)
                    .send()
                    .await?
                    .error_for_status()?
                    .text()
                    .await
            };
            let metrics = metrics
                .await
                .with_context(|| format!("asking {name} at {url} for its metrics"))?;
            let usage =
                read(&metrics).with_context(|| format!("{name} at {url} shows no process metrics"))?;
            totals.insert((*name).to_owned(), usage);
        }
        Ok(Totals(totals))
    }
}

impl Totals {
    /// What was used since `before`.
    pub fn since(&self, before: &Self) -> BTreeMap<String, Usage> {
        let used = self.0.iter().map(|(name, now)| {
            let then = before.0.get(name).copied().unwrap_or_default();
            let usage = Usage {
                // A service that was started again counts from 0.
                cpu_s: (now.cpu_s - then.cpu_s).max(0.0),
                rss_bytes: now.rss_bytes,
            };
            (name.clone(), usage)
        });
        used.collect()
    }
}

fn read(metrics: &str) -> Option<Usage> {
    let value = |name: &str| {
        let mut values = metrics
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.next()?.trim().parse::<f64>().ok()
    };
    Some(Usage {
        cpu_s: value("process_cpu_seconds_total")?,
        rss_bytes: value("process_resident_memory_bytes")? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_exposition_format() {
        let metrics = "# HELP process_cpu_seconds_total time\nprocess_cpu_seconds_total 1.25\n\
                       process_resident_memory_bytes 17825792\n";
        let usage = read(metrics).unwrap();
        assert_eq!((usage.cpu_s, usage.rss_bytes), (1.25, 17_825_792));
        assert_eq!(read("up 1\n"), None);
    }
}
