//! The address and the protocol of a target.

use std::sync::Arc;

use experiment_model::protocol::{Connections, Encoding, Version};
use experiment_model::variant::Implementation;
use http::HeaderValue;

/// The address and the protocol of a target.
#[derive(Clone, Debug)]
pub struct TargetSpec<'a> {
    /// host:port.
    pub authority: &'a str,
    /// The path prefix that the Ingress strips, or an empty string.
    pub prefix: &'a str,
    /// The HTTP version.
    pub version: Version,
    /// The encoding of votes.
    pub encoding: Encoding,
    /// The implementation of the client.
    pub client: Implementation,
    /// How connections are used.
    pub connections: Connections,
    /// TLS; `None` without. Connections that share a configuration share its sessions, if it keeps any.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The value of the header `authorization`, if the service asks for one.
    pub authorization: Option<HeaderValue>,
}
