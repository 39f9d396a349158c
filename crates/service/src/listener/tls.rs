//! TLS of the listener: certificates from files, which are read again when they change.
//!
//! A new connection uses the newest certificates. Open connections keep those of their handshake.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::WebPkiClientVerifier;
use tls::{PemFile, authorities, certificates, private_key, provider};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How often the files are compared with the loaded ones. Kubernetes needs up to a minute to update a mounted secret.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);
/// The names of HTTP/2 and HTTP/1.1 in a handshake (ALPN), in the order of preference.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// The name of HTTP/2 in a handshake.
const HTTP2: &[u8] = b"h2";

/// Options of TLS. Without a certificate, TLS is off.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TlsArgs {
    /// File with the certificate of this server and its intermediate certificates, in this order (PEM). Turns TLS on. The
    /// files of these options are read again when they change
    #[arg(long, env = "TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// File with the private key of --tls-cert (PEM)
    #[arg(long, env = "TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// File with the certificates of the CAs that sign the certificates of clients (PEM). Then each client must present one
    #[arg(long, env = "TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

/// The certificates of a listener.
#[derive(Debug)]
pub(super) struct Tls {
    files: Files,
    loaded: RwLock<Loaded>,
}

#[derive(Clone, Debug)]
struct Files {
    cert: PemFile,
    key: PemFile,
    client_ca: Option<PemFile>,
}

/// What the files contain.
#[derive(PartialEq, Eq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

struct Loaded {
    contents: Contents,
    config: Arc<ServerConfig>,
}

impl TlsArgs {
    /// The settings, for the effective configuration. The paths of files differ between machines, so they are not settings.
    pub(super) fn settings(&self) -> [(&'static str, String); 2] {
        [
            ("tls", self.tls_cert.is_some().to_string()),
            (
                "tls_client_certificates",
                self.tls_client_ca.is_some().to_string(),
            ),
        ]
    }
}

impl Tls {
    /// Reads the files. None if TLS is off.
    pub(super) fn load(args: &TlsArgs) -> anyhow::Result<Option<Arc<Self>>> {
        let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else {
            return Ok(None);
        };
        let files = Files {
            cert: PemFile::new(cert, "--tls-cert"),
            key: PemFile::new(key, "--tls-key"),
            client_ca: args
                .tls_client_ca
                .as_ref()
                .map(|path| PemFile::new(path, "--tls-client-ca")),
        };
        let contents = files.read()?;
        let config = Arc::new(contents.config()?);
        let loaded = RwLock::new(Loaded { contents, config });
        Ok(Some(Arc::new(Self { files, loaded })))
    }

    /// Does the handshake of a new connection.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&loaded.config)
        };
        TlsAcceptor::from(config).accept(socket).await
    }

    /// Loads the files again when they change, until `shutdown`. If they are invalid, for example because only one of them is
    /// written yet, the loaded ones stay.
    pub(super) async fn reload(self: Arc<Self>, shutdown: CancellationToken) {
        let mut failure = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(RELOAD_INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
            let tls = Arc::clone(&self);
            let reloaded = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
            let error = match reloaded {
                Ok(Ok(true)) => {
                    tracing::info!(certificate = %self.files.cert.path().display(), "loaded the changed TLS files");
                    None
                }
                Ok(Ok(false)) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = &error
                && failure != Some(error.clone())
            {
                tracing::warn!(
                    error,
                    "cannot load the changed TLS files; the loaded ones stay in use"
                );
            }
            failure = error;
        }
    }

    /// Returns whether the files have changed.
    fn reload_if_changed(&self) -> anyhow::Result<bool> {
        let contents = self.files.read()?;
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.contents == contents {
                return Ok(false);
            }
        }
        let config = Arc::new(contents.config()?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded { contents, config };
        Ok(true)
    }
}

impl Files {
    fn read(&self) -> anyhow::Result<Contents> {
        Ok(Contents {
            cert: self.cert.read()?,
            key: self.key.read()?,
            client_ca: self.client_ca.as_ref().map(PemFile::read).transpose()?,
        })
    }
}

impl Contents {
    /// TLS 1.2 and 1.3 with the cipher suites that the library considers safe.
    fn config(&self) -> anyhow::Result<ServerConfig> {
        let chain = certificates(&self.cert).context("--tls-cert has no valid certificate")?;
        let key = private_key(&self.key).context("--tls-key has no valid private key")?;
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let roots = authorities(pem).context("--tls-client-ca has no valid certificate of a CA")?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .context("--tls-cert and --tls-key do not belong together")?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        // A client can resume its session in another connection: the handshake then needs no signature.
        config.ticketer = Ticketer::new()?;
        Ok(config)
    }
}

/// Whether the handshake selected HTTP/2. Without a selection, HTTP/1.1 is spoken.
pub(super) fn selected_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The contents have the private key.
        formatter.debug_struct("Loaded").finish_non_exhaustive()
    }
}
