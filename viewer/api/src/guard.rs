//! What stands before every answer: who asks, how often, and what the browser may do with the answer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::HeaderMap;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use crate::problem::Problem;

/// The page's policy: its own files, its own API, and nothing else; no inline script or style.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Requests at once, in seconds' worth of the rate: a page that opens asks for several things.
const BURST_S: u32 = 5;
/// Requests after which the clients that have been quiet are forgotten.
const FORGET_EVERY: u32 = 10_000;
/// Bits of an IPv6 address that belong to a network: one subscriber has all the others.
const SUBSCRIBER_BITS: u32 = 64;

/// The address of the connection's other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub Option<IpAddr>);

impl Peer {
    /// None where the client has left already.
    pub(crate) fn of(address: std::io::Result<SocketAddr>) -> Self {
        Self(address.ok().map(|address| address.ip()))
    }
}

/// Whoever limits apply to: an IPv4 address, or an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    /// The client at this address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> SUBSCRIBER_BITS << SUBSCRIBER_BITS;
                Self(Ipv6Addr::from_bits(network).into())
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// The limits of clients.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    trusted_proxies: u8,
    limiter: Arc<DefaultKeyedRateLimiter<Client>>,
    requests: Arc<AtomicU32>,
}

impl Limits {
    /// `rate` requests a second for each client.
    pub(crate) fn new(rate: u32, trusted_proxies: u8) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_S - 1));
        Self {
            trusted_proxies,
            limiter: Arc::new(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))),
            requests: Arc::default(),
        }
    }

    fn check(&self, client: Client) -> Result<(), Problem> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(&client).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            Problem::TooMany {
                detail: "this client asks too often",
                retry_after_s: wait.as_secs() + 1,
            }
        })
    }
}

/// Finds out who the client is, and tells the handlers.
pub(crate) async fn identify(State(limits): State<Limits>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0);
    let address = forwarded(request.headers(), limits.trusted_proxies).or(peer);
    let client = Client::of(address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// Refuses a client that asks too often.
pub(crate) async fn limit_rate(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().copied();
    let allowed = client.map_or(Err(Problem::Internal), |client| limits.check(client));
    match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// What the outermost trusted proxy has seen. Each proxy adds the address of its own client at the end; what stands
/// before those is whatever the client has written itself.
fn forwarded(headers: &HeaderMap, trusted_proxies: u8) -> Option<IpAddr> {
    let last = usize::from(trusted_proxies).checked_sub(1)?;
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let mut addresses = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    addresses.nth(last)?.trim().parse().ok()
}

/// Tells the browser to be strict. An answer with a policy of its own keeps that.
pub(crate) fn be_strict(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = HeaderValue::from_static(PAGE_POLICY);
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        Client::of(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_address_or_a_network() {
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("1.1.1.1, 2.2.2.2"));
        headers.append("x-forwarded-for", HeaderValue::from_static("3.3.3.3"));
        let seen = |proxies| forwarded(&headers, proxies).map(|address| address.to_string());
        assert_eq!(seen(0), None);
        assert_eq!(seen(1).as_deref(), Some("3.3.3.3"));
        assert_eq!(seen(2).as_deref(), Some("2.2.2.2"));
        assert_eq!(seen(4), None);
    }

    #[test]
    fn a_client_that_asks_too_often_is_refused_and_others_are_not() {
        let limits = Limits::new(1, 0);
        for _ in 0..BURST_S {
            assert!(limits.check(client("192.0.2.1")).is_ok());
        }
        let refused = limits.check(client("192.0.2.1")).unwrap_err();
        assert!(
            matches!(refused, Problem::TooMany { retry_after_s: 1, .. }),
            "{refused:?}"
        );
        assert!(limits.check(client("192.0.2.2")).is_ok());
    }
}
