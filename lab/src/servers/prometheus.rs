//! Prometheus: its configuration and rules, the targets that this stack has, and the Ingress's weight as a metric.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Place, Server};
use crate::ports::Port;
use crate::process::Launch;
use crate::state::{Settings, StateDir};

const CONFIG: &str = include_str!("../../../prometheus/prometheus.yml");
const RULES: [(&str, &str); 2] = [
    (
        "recording.yml",
        include_str!("../../../prometheus/rules/recording.yml"),
    ),
    ("alerts.yml", include_str!("../../../prometheus/rules/alerts.yml")),
];

pub(super) fn prepare(place: &Place<'_>) -> Result<Launch> {
    let config = place.dir.config(Server::Prometheus)?;
    let targets = config.join("targets");
    std::fs::create_dir_all(&targets)?;
    let file = config.join("prometheus.yml");
    std::fs::write(&file, CONFIG)?;
    write_rules(place.dir)?;
    write_weight(place.dir, place.settings)?;
    write_targets(
        &targets.join("services.json"),
        place.settings,
        &[
            (Server::Rest, Port::RestAdmin),
            (Server::Grpc, Port::GrpcAdmin),
            (Server::Bridge, Port::BridgeAdmin),
            (Server::Consumer, Port::ConsumerAdmin),
            (Server::Viewer, Port::ViewerAdmin),
        ],
    )?;
    write_targets(
        &targets.join("ingress.json"),
        place.settings,
        &[(Server::Ingress, Port::IngressAdmin)],
    )?;
    Ok(Launch::new(place.cache.prometheus()).args([
        format!("--config.file={}", file.display()),
        format!(
            "--storage.tsdb.path={}",
            place.dir.data(Server::Prometheus)?.display()
        ),
        // Its data goes with the stack; a stack that stays up for days needs no more than the last hours.
        "--storage.tsdb.retention.time=6h".to_owned(),
        format!(
            "--web.listen-address={}",
            place.settings.ports.address(Port::Prometheus)
        ),
    ]))
}

/// Only servers that the stack has: another would be reported as down.
fn write_targets(file: &Path, settings: &Settings, servers: &[(Server, Port)]) -> Result<()> {
    let running = servers
        .iter()
        .filter(|(server, _)| settings.servers.contains(server));
    let targets: Vec<_> = running
        .map(|(server, port)| {
            json!({
                "targets": [settings.ports.address(*port)],
                "labels": { "service": server.name() },
            })
        })
        .collect();
    std::fs::write(file, serde_json::to_vec_pretty(&targets)?).context("writing Prometheus' targets")
}

fn write_rules(dir: &StateDir) -> Result<()> {
    let rules = dir.config(Server::Prometheus)?.join("rules");
    std::fs::create_dir_all(&rules)?;
    for (name, content) in RULES {
        std::fs::write(rules.join(name), content)?;
    }
    Ok(())
}

/// Writes the weight of the split as a rule whose result is that number. Traefik has no metric of it, and a rule needs no
/// server of its own. A running Prometheus takes it over at SIGHUP.
pub fn write_weight(dir: &StateDir, settings: &Settings) -> Result<()> {
    let rules = dir.config(Server::Prometheus)?.join("rules");
    std::fs::create_dir_all(&rules)?;
    let rule = json!({ "groups": [{ "name": "weight", "rules": [{
        "record": "ingress_split_weight_percent",
        "expr": format!("vector({})", settings.weight),
    }]}]});
    // JSON is YAML.
    std::fs::write(rules.join("weight.yml"), serde_json::to_vec_pretty(&rule)?)
        .context("writing the weight for Prometheus")
}
