//! Connections by TLS to other services.

use std::io;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_native_certs;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{PemFile, authorities, certificates, private_key, provider};

/// A connection to a server by TLS.
pub type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Connects by TLS. Reads the files for each connection, so a changed certificate needs no restart.
#[derive(Clone, Debug)]
pub struct TlsClient {
    trusted: Trusted,
    /// The certificate that is presented, and its key.
    identity: Option<(PemFile, PemFile)>,
    protocol: Option<&'static [u8]>,
}

/// The CAs that may sign the certificate of the server.
#[derive(Clone, Debug)]
enum Trusted {
    File(PemFile),
    System,
}

impl TlsClient {
    /// A client that trusts the CAs in the file `ca`, presents `identity` (a certificate and its key), and speaks `protocol`, a
    /// name of ALPN. Errors if a file is missing or invalid.
    pub fn new(
        ca: PemFile,
        identity: Option<(PemFile, PemFile)>,
        protocol: Option<&'static [u8]>,
    ) -> anyhow::Result<Self> {
        let client = Self {
            trusted: Trusted::File(ca),
            identity,
            protocol,
        };
        client.config()?;
        Ok(client)
    }

    /// A client that trusts the CAs of the system. Errors if the system has none.
    pub fn with_system_authorities() -> anyhow::Result<Self> {
        let client = Self {
            trusted: Trusted::System,
            identity: None,
            protocol: None,
        };
        client.config()?;
        Ok(client)
    }

    /// Does the handshake with the server `host`, a name or an IP address.
    pub async fn connect(&self, host: &str, socket: TcpStream) -> io::Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let client = self.clone();
        let config = tokio::task::spawn_blocking(move || client.config()).await?;
        let config = config.map_err(|error| io::Error::other(format!("{error:#}")))?;
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    /// The configuration of a connection, with the present contents of the files.
    pub fn config(&self) -> anyhow::Result<ClientConfig> {
        let roots = self.trusted.authorities()?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates(&cert.read()?)
                    .with_context(|| format!("{} has no valid certificate", cert.option()))?;
                let private_key = private_key(&key.read()?)
                    .with_context(|| format!("{} has no valid private key", key.option()))?;
                builder
                    .with_client_auth_cert(chain, private_key)
                    .with_context(|| {
                        format!("{} and {} do not belong together", cert.option(), key.option())
                    })?
            }
        };
        config.alpn_protocols = self.protocol.map(<[u8]>::to_vec).into_iter().collect();
        Ok(config)
    }
}

impl Trusted {
    fn authorities(&self) -> anyhow::Result<Arc<RootCertStore>> {
        match self {
            Self::File(ca) => authorities(&ca.read()?)
                .with_context(|| format!("{} has no valid certificate of a CA", ca.option())),
            Self::System => {
                let mut store = RootCertStore::empty();
                let (valid, _) = store.add_parsable_certificates(load_native_certs().certs);
                ensure!(
                    valid > 0,
                    "the system has no certificates of CAs: install the package ca-certificates"
                );
                Ok(Arc::new(store))
            }
        }
    }
}

/// The configuration of a client that trusts no CA: it cannot connect by TLS.
pub fn without_authorities() -> anyhow::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}
