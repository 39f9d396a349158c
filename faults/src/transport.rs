//! The HTTP clients of the load: over TLS, and with a bearer token, if the stack is secured.

use anyhow::Result;
use http::HeaderValue;
use http_body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lab::access::Access;

/// A client that opens its connections on first use.
pub type HttpClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// A client of HTTP/1.1.
pub fn http1<B: Body<Data: Send> + Send>(access: &Access) -> Result<HttpClient<B>> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls_config(access)?);
    Ok(Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build()))
}

/// A client of HTTP/2, which needs no upgrade without TLS.
pub fn http2<B: Body<Data: Send> + Send>(access: &Access) -> Result<HttpClient<B>> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls_config(access)?);
    Ok(Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(connector.https_or_http().enable_http2().build()))
}

/// The value of the header `authorization` with which clients may vote. None if the stack is not secured.
pub fn authorization(access: &Access) -> Result<Option<HeaderValue>> {
    let Some(text) = access.authorization()? else {
        return Ok(None);
    };
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn tls_config(access: &Access) -> Result<rustls::ClientConfig> {
    match access.tls_client(None)? {
        None => tls::without_authorities(),
        Some(client) => client.config(),
    }
}
