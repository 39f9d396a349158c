//! The name and the version of this service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use service::Identity;

pub(crate) const IDENTITY: Identity = Identity {
    name: "viewer",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9105),
};
