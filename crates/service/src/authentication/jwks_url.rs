//! The public keys of an issuer of JWT, from a URL.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use auth::{RemoteJwtKeys, Rules};
use axum::body::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tls::{PemFile, TlsClient};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Issuers announce a new key long before they use it.
const INTERVAL: Duration = Duration::from_mins(5);
/// The shortest time between two requests: anybody can send tokens with unknown keys.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 1024 * 1024;

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// The keys at a URL.
#[derive(Debug)]
pub(super) struct JwksUrl {
    url: Uri,
    client: HttpClient,
    keys: Arc<RemoteJwtKeys>,
}

impl JwksUrl {
    /// Does not connect yet: the issuer need not be running.
    pub(super) fn new(url: &str, ca: Option<&Path>, rules: Rules) -> anyhow::Result<Self> {
        let url: Uri = url.parse().context("--jwt-keys is not a URL")?;
        let connector = HttpsConnectorBuilder::new();
        let connector = match (url.scheme_str(), ca) {
            (Some("https"), Some(ca)) => {
                let client = TlsClient::new(PemFile::new(ca, "--jwt-keys-ca"), None, None)?;
                connector.with_tls_config(client.config()?)
            }
            (Some("https"), None) => {
                connector.with_tls_config(TlsClient::with_system_authorities()?.config()?)
            }
            (Some("http"), _) => {
                ensure!(
                    is_loopback(&url),
                    "--jwt-keys must be https: others could replace the keys"
                );
                connector.with_tls_config(tls::without_authorities()?)
            }
            _ => bail!("--jwt-keys must be a file or start with https://"),
        };
        let connector = connector.https_or_http().enable_http1().build();
        Ok(Self {
            url,
            client: Client::builder(TokioExecutor::new()).build(connector),
            keys: Arc::new(RemoteJwtKeys::new(rules)),
        })
    }

    /// The keys, which [`Self::watch`] loads.
    pub(super) fn keys(&self) -> Arc<RemoteJwtKeys> {
        Arc::clone(&self.keys)
    }

    /// Loads the keys now and then, until `shutdown`. If that fails, the loaded ones stay.
    pub(super) async fn watch(self, shutdown: CancellationToken) {
        let mut failure = None;
        loop {
            let started = Instant::now();
            let error = self.load().await.err().map(|error| format!("{error:#}"));
            if let Some(error) = &error
                && failure.as_ref() != Some(error)
            {
                tracing::warn!(error, "cannot load the keys for JWT; the loaded ones stay in use");
            }
            if error.is_none() && failure.is_some() {
                tracing::info!("loaded the keys for JWT");
            }
            let wait = if error.is_some() {
                SHORTEST_INTERVAL
            } else {
                INTERVAL
            };
            failure = error;
            let next = async {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = self.keys.unknown_key() => {}
                }
                sleep_until(started + SHORTEST_INTERVAL).await;
            };
            tokio::select! {
                () = next => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn load(&self) -> anyhow::Result<()> {
        let json = timeout(TIMEOUT, self.fetch())
            .await
            .context("no response from --jwt-keys")??;
        self.keys.replace(&json).context("--jwt-keys")
    }

    async fn fetch(&self) -> anyhow::Result<Bytes> {
        let response = self.client.get(self.url.clone()).await.context("--jwt-keys")?;
        ensure!(
            response.status().is_success(),
            "--jwt-keys answered {}",
            response.status()
        );
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("cannot read --jwt-keys: {error}"))?;
        Ok(body.to_bytes())
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
