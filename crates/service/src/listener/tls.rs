//! TLS of the listener: certificates from files, which are read again when they change.
//!
//! A new connection uses the newest certificates. Open connections keep those of their handshake.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use reload::{Files, Reloaded};
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::WebPkiClientVerifier;
use tls::{PemFile, authorities, certificates, private_key, provider};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

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
pub(crate) struct Tls(Arc<Reloaded<TlsFiles>>);

/// The files of a listener, with the options that name them.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    cert: PemFile,
    key: PemFile,
    client_ca: Option<PemFile>,
}

/// What the files contain.
#[derive(PartialEq, Eq)]
pub(crate) struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
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

    /// None if TLS is off.
    pub(super) fn files(&self) -> Option<TlsFiles> {
        TlsFiles::new([
            (&self.tls_cert, "--tls-cert"),
            (&self.tls_key, "--tls-key"),
            (&self.tls_client_ca, "--tls-client-ca"),
        ])
    }
}

impl TlsFiles {
    /// The certificate, its key and the CA of the clients, each with the option that names it. None without a certificate.
    pub(crate) fn new([cert, key, client_ca]: [(&Option<PathBuf>, &'static str); 3]) -> Option<Self> {
        let file = |(path, option): (&Option<PathBuf>, _)| Some(PemFile::new(path.as_deref()?, option));
        Some(Self {
            cert: file(cert)?,
            key: file(key)?,
            client_ca: file(client_ca),
        })
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: TlsFiles) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Reloaded::load(files)?)))
    }

    /// Does the handshake of a new connection.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let accepted = TlsAcceptor::from(self.0.value()).accept(socket).await;
        accepted.map_err(explained)
    }

    /// Loads the files again when they change, until `shutdown`.
    pub(super) fn watch(&self, shutdown: CancellationToken) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.0).watch(shutdown)
    }
}

/// Says which versions the server speaks. rustls only names what the handshake of an older client lacks.
fn explained(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::PeerIncompatible(lack)) => {
            let text = format!("the client does not speak TLS 1.2 or 1.3 as this server does ({lack:?})");
            io::Error::new(error.kind(), text)
        }
        _ => error,
    }
}

impl Files for TlsFiles {
    type Contents = Contents;
    type Value = ServerConfig;

    fn name(&self) -> String {
        format!("TLS files ({})", self.cert.path().display())
    }

    fn read(&self) -> anyhow::Result<Contents> {
        Ok(Contents {
            cert: self.cert.read()?,
            key: self.key.read()?,
            client_ca: self.client_ca.as_ref().map(PemFile::read).transpose()?,
        })
    }

    /// TLS 1.2 and 1.3 with the cipher suites that the library considers safe.
    fn build(&self, contents: &Contents) -> anyhow::Result<ServerConfig> {
        let (cert, key) = (self.cert.option(), self.key.option());
        let chain =
            certificates(&contents.cert).with_context(|| format!("{cert} has no valid certificate"))?;
        let private_key =
            private_key(&contents.key).with_context(|| format!("{key} has no valid private key"))?;
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match self.client_ca.as_ref().zip(contents.client_ca.as_ref()) {
            None => builder.with_no_client_auth(),
            Some((file, pem)) => {
                let roots = authorities(pem)
                    .with_context(|| format!("{} has no valid certificate of a CA", file.option()))?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, private_key)
            .with_context(|| format!("{cert} and {key} do not belong together"))?;
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
