//! Prometheus: its configuration and rules, the targets of this stack, and the Ingress's weight as a metric.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::context::LaunchContext;
use crate::ports::Port;
use crate::process::ProcessSpec;
use crate::servers::Server;
use crate::state::{Settings, StateDir};

const CONFIG: &str = include_str!("../../../prometheus/prometheus.yml");
const RULES: [(&str, &str); 2] = [
    (
        "recording.yml",
        include_str!("../../../prometheus/rules/recording.yml"),
    ),
    ("alerts.yml", include_str!("../../../prometheus/rules/alerts.yml")),
];

pub(super) fn prepare(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let config = context.dir.config(Server::Prometheus)?;
    let targets = config.join("targets");
    std::fs::create_dir_all(&targets)?;
    let file = config.join("prometheus.yml");
    std::fs::write(&file, CONFIG)?;
    write_rules(context.dir)?;
    write_weight(context.dir, context.settings)?;
    write_targets(
        &targets.join("services.json"),
        context,
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
        context,
        &[(Server::Ingress, Port::IngressAdmin)],
    )?;
    let spec = ProcessSpec::new(context.cache.prometheus());
    let spec = match &context.access.secrets {
        None => spec,
        Some(secrets) => {
            let file = config.join("web.yml");
            // JSON is valid YAML. Prometheus reads the files for each connection.
            let web = json!({ "tls_server_config": {
                "cert_file": secrets.cert(Server::Prometheus),
                "key_file": secrets.key(Server::Prometheus),
            }});
            std::fs::write(&file, serde_json::to_vec_pretty(&web)?)?;
            spec.args([format!("--web.config.file={}", file.display())])
                // The CA that it trusts when it scrapes.
                .env("SSL_CERT_FILE", secrets.ca().display().to_string())
        }
    };
    Ok(spec.args([
        format!("--config.file={}", file.display()),
        format!(
            "--storage.tsdb.path={}",
            context.dir.data(Server::Prometheus)?.display()
        ),
        // `lab down` removes the data. The limit keeps the disk usage of a stack that runs for days small.
        "--storage.tsdb.retention.time=6h".to_owned(),
        format!(
            "--web.listen-address={}",
            context.settings.ports.address(Port::Prometheus)
        ),
    ]))
}

/// Writes only the servers that belong to the stack: Prometheus would report any other as down.
fn write_targets(file: &Path, context: &LaunchContext<'_>, servers: &[(Server, Port)]) -> Result<()> {
    let running = servers
        .iter()
        .filter(|(server, _)| context.settings.servers.contains(server));
    let targets: Vec<_> = running
        .map(|(server, port)| {
            json!({
                "targets": [context.access.ports.address(*port)],
                "labels": { "service": server.name(), "__scheme__": context.access.scheme() },
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

/// Writes the weight of the split as a recording rule with a constant value, because Traefik exports no metric of it.
/// A running Prometheus applies the change at SIGHUP.
pub fn write_weight(dir: &StateDir, settings: &Settings) -> Result<()> {
    let rules = dir.config(Server::Prometheus)?.join("rules");
    std::fs::create_dir_all(&rules)?;
    let rule = json!({ "groups": [{ "name": "weight", "rules": [{
        "record": "ingress_split_weight_percent",
        "expr": format!("vector({})", settings.weight),
    }]}]});
    // JSON is valid YAML.
    std::fs::write(rules.join("weight.yml"), serde_json::to_vec_pretty(&rule)?)
        .context("writing the weight for Prometheus")
}
