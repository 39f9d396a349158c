//! The connection of the bridge to its upstream: HTTP/2 over TCP, or over TLS.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper_util::rt::TokioIo;
use reload::Reloaded;
use tls::{PemFile, TlsClient, TlsStream};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Uri};
use tower::service_fn;

use crate::upstream_token::{UpstreamToken, UpstreamTokenFile};

/// Calls that may wait for the connection. It equals the default of --max-in-flight, so that admission is the limit.
const MAX_QUEUED_CALLS: usize = 4096;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Detects an upstream that disappears without closing its connection.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Options of TLS and of the token for the upstream.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct UpstreamArgs {
    /// File with the certificates of the CAs that sign the certificate of the upstream (PEM); required if --upstream is https.
    /// The files of these options are read again for each connection
    #[arg(
        id = "upstream_ca",
        long = "upstream-ca",
        env = "UPSTREAM_CA",
        value_name = "FILE"
    )]
    ca: Option<PathBuf>,

    /// File with the certificate that is presented to the upstream, and its intermediate certificates (PEM)
    #[arg(
        id = "upstream_cert",
        long = "upstream-cert",
        env = "UPSTREAM_CERT",
        value_name = "FILE",
        requires_all = ["upstream_key", "upstream_ca"]
    )]
    cert: Option<PathBuf>,

    /// File with the private key of --upstream-cert (PEM)
    #[arg(
        id = "upstream_key",
        long = "upstream-key",
        env = "UPSTREAM_KEY",
        value_name = "FILE",
        requires = "upstream_cert"
    )]
    key: Option<PathBuf>,

    /// File with the bearer token that is sent to the upstream; it is read again when it changes
    #[arg(
        id = "upstream_token_file",
        long = "upstream-token-file",
        env = "UPSTREAM_TOKEN_FILE",
        value_name = "FILE"
    )]
    token_file: Option<PathBuf>,
}

impl UpstreamArgs {
    /// The token for the upstream. None without `--upstream-token-file`.
    pub(crate) fn token(&self) -> anyhow::Result<Option<Arc<UpstreamToken>>> {
        let files = self.token_file.clone().map(UpstreamTokenFile);
        let token = files.map(Reloaded::load).transpose()?;
        Ok(token.map(Arc::new))
    }

    /// The settings, for the effective configuration.
    pub(crate) fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("upstream_token", self.token_file.is_some().to_string()),
            ("upstream_tls", self.ca.is_some().to_string()),
            ("upstream_certificate", self.cert.is_some().to_string()),
        ]
    }

    /// None without `--upstream-ca`.
    fn client(&self) -> anyhow::Result<Option<TlsClient>> {
        let Some(ca) = &self.ca else {
            return Ok(None);
        };
        let identity = self.cert.as_ref().zip(self.key.as_ref());
        let identity = identity.map(|(cert, key)| {
            (
                PemFile::new(cert, "--upstream-cert"),
                PemFile::new(key, "--upstream-key"),
            )
        });
        TlsClient::new(PemFile::new(ca, "--upstream-ca"), identity, Some(b"h2")).map(Some)
    }
}

/// Connects on first use, and again whenever the connection is lost. Errors if the scheme of `uri` and the TLS options do
/// not belong together, or if a file is invalid.
pub(crate) fn channel(uri: Uri, tls: &UpstreamArgs) -> anyhow::Result<Channel> {
    let client = tls.client()?;
    match (uri.scheme_str(), &client) {
        (Some("https"), None) => {
            anyhow::bail!("--upstream is https: give the file of its CA (--upstream-ca)")
        }
        (Some("https"), Some(_)) | (Some("http"), None) => {}
        (Some("http"), Some(_)) => {
            anyhow::bail!("--upstream-ca is for an https upstream, but --upstream is http")
        }
        _ => anyhow::bail!("--upstream must start with http:// or https://"),
    }
    let host = uri.host().context("--upstream has no host")?;
    // An IPv6 address has brackets in a URI.
    let host = host.trim_matches(['[', ']']).to_owned();
    let endpoint = Channel::builder(uri)
        .buffer_size(MAX_QUEUED_CALLS)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    Ok(match client {
        None => endpoint.tcp_nodelay(true).connect_lazy(),
        Some(client) => endpoint.connect_with_connector_lazy(service_fn(move |uri: Uri| {
            connect(host.clone(), uri.port_u16(), client.clone())
        })),
    })
}

async fn connect(host: String, port: Option<u16>, client: TlsClient) -> io::Result<TokioIo<TlsStream>> {
    let socket = TcpStream::connect((host.as_str(), port.unwrap_or(443))).await?;
    socket.set_nodelay(true)?;
    Ok(TokioIo::new(client.connect(&host, socket).await?))
}
