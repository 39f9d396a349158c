//! How each server is configured, started, initialised and checked for readiness.

mod context;
mod prometheus;
mod readiness;
mod services;
mod stores;
mod template;
mod traefik;

use anyhow::Result;

use crate::ports::{Port, Ports};
use crate::process::ProcessSpec;
use crate::servers::Server;
use crate::state::Settings;

pub use context::LaunchContext;
pub use prometheus::write_weight;
pub use traefik::write_routes;

/// Writes the configuration of `server` and returns the process to start.
pub async fn prepare(server: Server, context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let spec = match server {
        Server::Kafka => stores::kafka(context).await?,
        Server::Redis => stores::redis(context).await?,
        Server::Mongodb => stores::mongodb(context)?,
        Server::Prometheus => prometheus::prepare(context)?,
        Server::Ingress => traefik::prepare(context)?,
        Server::Grpc => services::grpc(context),
        Server::Rest => services::rest(context),
        Server::Bridge => services::bridge(context),
        Server::Consumer => services::consumer(context),
        Server::Viewer => services::viewer(context)?,
    };
    let extra_args = context.settings.extra_args.get(server.name());
    Ok(spec.args(extra_args.into_iter().flatten()))
}

/// Sets up the running server: Kafka's topics, MongoDB's replica set. The server cannot be ready before. Idempotent.
pub async fn initialise(server: Server, settings: &Settings) -> Result<()> {
    match server {
        Server::Kafka => readiness::create_topics(settings).await,
        Server::Mongodb => readiness::initiate_replica_set(&settings.ports).await,
        _ => Ok(()),
    }
}

/// Checks over the network whether `server` is ready. If it is not, the error gives the reason.
pub async fn check_ready(server: Server, ports: &Ports) -> Result<()> {
    match server {
        Server::Kafka => readiness::kafka(ports).await,
        Server::Redis => readiness::redis(ports).await,
        Server::Mongodb => readiness::mongodb(ports).await,
        Server::Grpc => readiness::http(&ports.url(Port::GrpcAdmin), "/readyz").await,
        Server::Rest => readiness::http(&ports.url(Port::RestAdmin), "/readyz").await,
        Server::Bridge => readiness::http(&ports.url(Port::BridgeAdmin), "/readyz").await,
        Server::Consumer => readiness::http(&ports.url(Port::ConsumerAdmin), "/readyz").await,
        Server::Ingress => readiness::ingress(ports).await,
        Server::Prometheus => readiness::http(&ports.url(Port::Prometheus), "/-/ready").await,
        Server::Viewer => readiness::http(&ports.url(Port::ViewerAdmin), "/readyz").await,
    }
}
