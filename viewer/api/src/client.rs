//! Identifies the client of a request, for limits per client.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;

/// Bits of an IPv6 address that identify a network. One subscriber owns all addresses of a network.
const NETWORK_BITS: u32 = 64;

/// The address of the connection's other end. The listener adds it to every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub IpAddr);

/// How many proxies in front of this service add the address of their own client to `X-Forwarded-For`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrustedProxies(pub u8);

/// The unit of all limits: an IPv4 address, or an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    /// The client at this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let host_bits = Ipv6Addr::BITS - NETWORK_BITS;
                let network = address.to_bits() >> host_bits << host_bits;
                Self(Ipv6Addr::from_bits(network).into())
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// Adds the [`Client`] to the request for the handlers.
pub(crate) async fn identify(
    State(proxies): State<TrustedProxies>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let address = forwarded_for(request.headers(), proxies).or(peer);
    let client = Client::at(address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// The address that the outermost trusted proxy added. Each proxy appends the address of its own client, so the addresses
/// before that one may be forged by the client.
fn forwarded_for(headers: &HeaderMap, proxies: TrustedProxies) -> Option<IpAddr> {
    let last = usize::from(proxies.0).checked_sub(1)?;
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let mut addresses = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    addresses.nth(last)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(text: &str) -> Client {
        Client::at(text.parse().unwrap())
    }

    #[test]
    fn client_is_an_ipv4_address_or_an_ipv6_network() {
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }

    #[test]
    fn only_addresses_from_trusted_proxies_are_used() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("1.1.1.1, 2.2.2.2"));
        headers.append("x-forwarded-for", HeaderValue::from_static("3.3.3.3"));
        let address = |proxies| forwarded_for(&headers, TrustedProxies(proxies)).map(|ip| ip.to_string());
        assert_eq!(address(0), None);
        assert_eq!(address(1).as_deref(), Some("3.3.3.3"));
        assert_eq!(address(2).as_deref(), Some("2.2.2.2"));
        assert_eq!(address(4), None);
    }
}
