//! How to reach Prometheus: options, and an HTTP client for them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use secret::SecretUrl;
use tls::{PemFile, TlsClient};
use url::Url;

use super::connector::Connector;

const URL_OPTION: &str = "--prometheus-url";
/// How long Prometheus may take. It runs all queries of one response at the same time.
const TIMEOUT: Duration = Duration::from_secs(4);
/// An answer has a few kilobytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Options of the connection to Prometheus.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PrometheusArgs {
    /// URL of Prometheus, which has the metrics of the routes; without it the page shows no comparison
    #[arg(
        id = "prometheus_url",
        long = "prometheus-url",
        env = "PROMETHEUS_URL",
        hide_env_values = true
    )]
    pub url: Option<SecretUrl>,

    /// File with the certificates of the CAs that sign the certificate of Prometheus (PEM), for https://; without it, the CAs
    /// of the system are trusted. The file is read again for each connection
    #[arg(
        id = "prometheus_ca",
        long = "prometheus-ca",
        env = "PROMETHEUS_CA",
        value_name = "FILE"
    )]
    pub ca: Option<PathBuf>,

    /// File with a bearer token for Prometheus, for https://; it is read again for each query
    #[arg(
        id = "prometheus_token_file",
        long = "prometheus-token-file",
        env = "PROMETHEUS_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,
}

/// A Prometheus and a client for it.
#[derive(Clone, Debug)]
pub(crate) struct PrometheusServer {
    client: Client<Connector, Full<Bytes>>,
    /// Ends with a slash, and has no credentials.
    base: Url,
    login: Login,
}

/// How this client logs in.
#[derive(Clone)]
enum Login {
    Nothing,
    /// The value of the header.
    Basic(HeaderValue),
    TokenFile(PathBuf),
}

/// Why there is no answer. Contains no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    #[error("the status of the answer is {0}")]
    Status(http::StatusCode),
    #[error("{0}")]
    Failed(String),
}

impl PrometheusArgs {
    /// The server. None if Prometheus is not configured. Errors if the URL or a file is invalid.
    pub(crate) fn server(&self) -> anyhow::Result<Option<PrometheusServer>> {
        let Some(secret) = &self.url else {
            return Ok(None);
        };
        secret.validate(URL_OPTION, &["http", "https"])?;
        let mut base = Url::parse(secret.expose()).map_err(|error| secret.invalid(URL_OPTION, &error))?;
        // Without the slash, `join` replaces the last segment of the path.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let is_https = base.scheme() == "https";
        ensure!(
            is_https || (self.ca.is_none() && self.token_file.is_none()),
            "--prometheus-ca and --prometheus-token-file are for TLS: {URL_OPTION} must start with https://"
        );
        let tls = match &self.ca {
            _ if !is_https => None,
            Some(ca) => Some(TlsClient::new(PemFile::new(ca, "--prometheus-ca"), None, None)?),
            None => Some(TlsClient::with_system_authorities().context("--prometheus-ca is not set")?),
        };
        let login = self.login(&base)?;
        // They are in the header, and a URL may be shown.
        let cleared = base.set_username("").and_then(|()| base.set_password(None));
        cleared.map_err(|()| secret.invalid(URL_OPTION, &"it has no host"))?;
        Ok(Some(PrometheusServer {
            client: Client::builder(TokioExecutor::new()).build(Connector::new(tls)),
            base,
            login,
        }))
    }

    fn login(&self, url: &Url) -> anyhow::Result<Login> {
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        match &self.token_file {
            Some(_) if has_credentials => {
                anyhow::bail!("{URL_OPTION} has a user already: remove it, or remove --prometheus-token-file")
            }
            Some(path) => {
                bearer(path)?;
                Ok(Login::TokenFile(path.clone()))
            }
            None if has_credentials => {
                let decode = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
                let user = decode(url.username());
                let password = decode(url.password().unwrap_or_default());
                let encoded = STANDARD.encode(format!("{user}:{password}"));
                let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))?;
                value.set_sensitive(true);
                Ok(Login::Basic(value))
            }
            None => Ok(Login::Nothing),
        }
    }
}

/// The header with the token of a file.
fn bearer(path: &Path) -> anyhow::Result<HeaderValue> {
    const OPTION: &str = "--prometheus-token-file";
    let token = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {} ({OPTION})", path.display()))?;
    ensure!(!token.trim().is_empty(), "{} is empty ({OPTION})", path.display());
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .with_context(|| format!("{OPTION} has a character that a header cannot have"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl PrometheusServer {
    /// Sends a GET request.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, QueryError> {
        self.send(Method::GET, path, None).await
    }

    /// Sends a form by POST.
    pub(super) async fn post(&self, path: &str, form: &[(&str, String)]) -> Result<Bytes, QueryError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, form: Option<String>) -> Result<Bytes, QueryError> {
        let exchange = async {
            let request = self.request(method, path, form).await.map_err(failed)?;
            let response = self.client.request(request).await.map_err(failed)?;
            if !response.status().is_success() {
                return Err(QueryError::Status(response.status()));
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
            let body = body.collect().await.map_err(failed)?;
            Ok(body.to_bytes())
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .unwrap_or(Err(QueryError::Timeout))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        form: Option<String>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.base.join(path)?.as_str());
        if form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let authorization = match &self.login {
            Login::Nothing => None,
            Login::Basic(value) => Some(value.clone()),
            Login::TokenFile(path) => {
                let path = path.clone();
                Some(tokio::task::spawn_blocking(move || bearer(&path)).await??)
            }
        };
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        Ok(request.body(Full::from(form.unwrap_or_default()))?)
    }
}

/// The error with its causes.
fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> QueryError {
    let error = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    QueryError::Failed(text)
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Nothing => "Nothing",
            Self::Basic(_) => "Basic",
            Self::TokenFile(_) => "TokenFile",
        };
        formatter.write_str(name)
    }
}

#[cfg(test)]
mod tests;
