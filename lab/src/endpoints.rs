//! The addresses at which clients reach the servers of a stack.

use serde::{Deserialize, Serialize};

use crate::ports::{Port, Ports};

/// Addresses for clients. URLs have no trailing slash. In a secured stack, `https`, `rediss` and TLS for MongoDB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// `http://…`: the Ingress, HTTP/1.1 and h2c.
    pub ingress: String,
    /// `http://…`: `ingest-rest`, without the Ingress.
    pub rest: String,
    /// `http://…`: `ingest-grpc serve`, without the Ingress, h2c.
    pub grpc: String,
    /// `http://…`: the bridge, without the Ingress.
    pub bridge: String,
    /// `http://…`: admin port of `ingest-rest`.
    pub rest_admin: String,
    /// `http://…`: admin port of `ingest-grpc serve`.
    pub grpc_admin: String,
    /// `http://…`: admin port of the bridge.
    pub bridge_admin: String,
    /// `http://…`: admin port of the consumer.
    pub consumer_admin: String,
    /// `http://…`: Traefik's `/ping` and `/metrics`.
    pub ingress_admin: String,
    /// `host:port` of the broker.
    pub kafka: String,
    /// `redis://…`.
    pub redis: String,
    /// `mongodb://…` with the name of the replica set.
    pub mongodb: String,
    /// `http://…`: Prometheus and its API.
    pub prometheus: String,
    /// `http://…`: the viewer, page and API.
    pub viewer: String,
    /// `http://…`: admin port of the viewer.
    pub viewer_admin: String,
}

/// The URI with which MongoDB drivers find the primary of the replica set.
pub(crate) fn mongodb_uri(ports: &Ports) -> String {
    format!("mongodb://{}/?replicaSet=rs0", ports.address(Port::Mongodb))
}

/// The URL of Redis.
pub(crate) fn redis_url(ports: &Ports) -> String {
    format!("redis://{}", ports.address(Port::Redis))
}
