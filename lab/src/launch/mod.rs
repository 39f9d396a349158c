//! How each server is configured, started, initialised and checked for readiness.

mod context;
mod prometheus;
mod readiness;
mod services;
mod stores;
mod template;
mod traefik;
mod users;

use anyhow::{Result, bail};

use crate::access::Access;
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

/// Returns the process of the stock service that takes the place of `server`, which is an ingest service.
pub fn prepare_stock(server: Server, context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    match server {
        Server::Rest => Ok(services::stock(context, "rest", Port::Rest)),
        Server::Grpc => Ok(services::stock(context, "grpc", Port::Grpc)),
        _ => bail!("there is no stock service for {server}"),
    }
}

/// Checks whether the stock service in the place of `server` accepts connections. It has no admin port.
pub async fn check_stock_ready(server: Server, ports: &Ports) -> Result<()> {
    for port in server.ports().iter().take(1) {
        readiness::accepts_connections(&ports.address(*port)).await?;
    }
    Ok(())
}

/// Sets up the running server: Kafka's topics, MongoDB's replica set, and the rights of users. The server cannot be ready before. Idempotent.
pub async fn initialise(server: Server, settings: &Settings, access: &Access) -> Result<()> {
    match server {
        Server::Kafka => {
            readiness::create_topics(settings, access).await?;
            users::allow_kafka_users(access).await
        }
        Server::Mongodb if access.secrets.is_some() => users::prepare_mongodb(access).await,
        Server::Mongodb => readiness::initiate_replica_set(access, false).await,
        _ => Ok(()),
    }
}

/// Makes a running server of a secured stack use its new certificate. The services of the project and Prometheus read
/// changed files by themselves.
pub async fn reload_certificates(server: Server, context: &LaunchContext<'_>) -> Result<()> {
    match server {
        Server::Kafka => stores::reload_kafka(context).await,
        Server::Redis => stores::reload_redis(context).await,
        Server::Mongodb => readiness::rotate_mongodb_certificates(&context.access).await,
        Server::Ingress => write_routes(context),
        _ => Ok(()),
    }
}

/// Checks over the network whether `server` is ready. If it is not, the error gives the reason.
pub async fn check_ready(server: Server, access: &Access) -> Result<()> {
    match server {
        Server::Kafka => readiness::kafka(access).await,
        Server::Redis => readiness::redis(access).await,
        Server::Mongodb => readiness::mongodb(access).await,
        Server::Grpc => readiness::http(access, Port::GrpcAdmin, "/readyz").await,
        Server::Rest => readiness::http(access, Port::RestAdmin, "/readyz").await,
        Server::Bridge => readiness::http(access, Port::BridgeAdmin, "/readyz").await,
        Server::Consumer => readiness::http(access, Port::ConsumerAdmin, "/readyz").await,
        Server::Ingress => readiness::ingress(access).await,
        Server::Prometheus => readiness::http(access, Port::Prometheus, "/-/ready").await,
        Server::Viewer => readiness::http(access, Port::ViewerAdmin, "/readyz").await,
    }
}
