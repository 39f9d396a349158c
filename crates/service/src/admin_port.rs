//! The admin port: the listener of the routes, with its own certificate and small limits. It accepts connections until the
//! process ends, because a draining process still answers its probes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::listener::{self, ListenerArgs, MAX_HEAD_BYTES, Tls, TlsArgs, TlsFiles};

/// Probes and scrapes in flight.
const MAX_CALLS: u32 = 64;
/// A scrape a minute keeps its connection.
const SILENCE_MS: u64 = 120_000;

/// Options of TLS on the admin port. Without a certificate, TLS is off.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AdminTlsArgs {
    /// File with the certificate of the admin port and its intermediate certificates, in this order (PEM). Turns TLS on
    /// there. The files of these options are read again when they change
    #[arg(
        long,
        env = "ADMIN_TLS_CERT",
        value_name = "FILE",
        requires = "admin_tls_key",
        global = true
    )]
    pub admin_tls_cert: Option<PathBuf>,

    /// File with the private key of --admin-tls-cert (PEM)
    #[arg(
        long,
        env = "ADMIN_TLS_KEY",
        value_name = "FILE",
        requires = "admin_tls_cert",
        global = true
    )]
    pub admin_tls_key: Option<PathBuf>,

    /// File with the certificates of the CAs that sign the certificates of those who scrape and probe (PEM). Then each must
    /// present one
    #[arg(
        long,
        env = "ADMIN_TLS_CLIENT_CA",
        value_name = "FILE",
        requires = "admin_tls_cert",
        global = true
    )]
    pub admin_tls_client_ca: Option<PathBuf>,
}

impl AdminTlsArgs {
    /// The settings, for the effective configuration.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        [
            ("admin_tls", self.admin_tls_cert.is_some().to_string()),
            (
                "admin_tls_client_certificates",
                self.admin_tls_client_ca.is_some().to_string(),
            ),
        ]
    }

    /// None if TLS is off.
    fn files(&self) -> Option<TlsFiles> {
        TlsFiles::new([
            (&self.admin_tls_cert, "--admin-tls-cert"),
            (&self.admin_tls_key, "--admin-tls-key"),
            (&self.admin_tls_client_ca, "--admin-tls-client-ca"),
        ])
    }
}

/// An admin port that is bound.
#[derive(Debug)]
pub(crate) struct AdminPort {
    listener: TcpListener,
    tls: Option<Tls>,
}

impl AdminPort {
    /// Binds the address, and reads the files of TLS. Errors name the option.
    pub(crate) async fn bind(address: SocketAddr, args: &AdminTlsArgs) -> anyhow::Result<Self> {
        let tls = args.files().map(Tls::load).transpose()?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on the admin port {address} (--admin-addr)"))?;
        if tls.is_none() {
            listener::warn_without_tls(address, "--admin-tls-cert, --admin-tls-key");
        }
        Ok(Self { listener, tls })
    }

    /// Serves `router` until the task is aborted.
    pub(crate) async fn serve(self, router: Router) -> anyhow::Result<()> {
        let args = ListenerArgs {
            max_calls: MAX_CALLS,
            head_timeout_ms: SILENCE_MS,
            idle_timeout_ms: SILENCE_MS,
            tls: TlsArgs::default(),
            nagle: false,
            h2_head_limit: MAX_HEAD_BYTES,
        };
        let services = |_| (router.clone(), router.clone());
        let never = CancellationToken::new();
        listener::accept_until(never, Duration::ZERO, self.listener, services, args, self.tls).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use authority::{Authority, Issued};
    use axum::routing::get;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tempfile::TempDir;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    use super::*;

    const HOST: &str = "admin.example";

    fn files(directory: &TempDir, server: &Issued, client_ca: Option<&Authority>) -> AdminTlsArgs {
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        AdminTlsArgs {
            admin_tls_cert: write("cert.pem", &server.cert),
            admin_tls_key: write("key.pem", &server.key),
            admin_tls_client_ca: client_ca.and_then(|authority| write("ca.pem", &authority.pem())),
        }
    }

    async fn start(args: &AdminTlsArgs) -> SocketAddr {
        let port = AdminPort::bind("127.0.0.1:0".parse().unwrap(), args)
            .await
            .unwrap();
        let address = port.listener.local_addr().unwrap();
        tokio::spawn(port.serve(Router::new().route("/livez", get(async || "ok"))));
        address
    }

    /// The response of `/livez` to a client with the certificate `identity`.
    async fn by_tls(
        authority: &Authority,
        identity: Option<&Issued>,
        address: SocketAddr,
    ) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let builder = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let chain = vec![CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let socket = TcpStream::connect(address).await?;
        let name = ServerName::try_from(HOST).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
        livez(stream).await
    }

    async fn livez(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
        let request = b"GET /livez HTTP/1.1\r\nhost: admin.example\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok(response)
    }

    #[tokio::test]
    async fn answers_by_tls_only() {
        let authority = Authority::new("a CA").unwrap();
        let directory = TempDir::new().unwrap();
        let args = files(&directory, &authority.issue(&[HOST]).unwrap(), None);
        let address = start(&args).await;
        let response = by_tls(&authority, None, address).await.unwrap();
        assert!(
            response.starts_with("HTTP/1.1 200") && response.ends_with("ok"),
            "{response}"
        );
        let response = livez(TcpStream::connect(address).await.unwrap()).await.unwrap();
        assert!(response.contains("use https on this port"), "{response}");
    }

    #[tokio::test]
    async fn without_tls_it_answers_everyone() {
        let address = start(&AdminTlsArgs::default()).await;
        let response = livez(TcpStream::connect(address).await.unwrap()).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }

    #[tokio::test]
    async fn client_needs_a_certificate_if_there_is_a_ca_for_clients() {
        let (authority, clients) = (
            Authority::new("a CA").unwrap(),
            Authority::new("another CA").unwrap(),
        );
        let directory = TempDir::new().unwrap();
        let args = files(&directory, &authority.issue(&[HOST]).unwrap(), Some(&clients));
        let address = start(&args).await;
        let prometheus = clients.issue(&["prometheus.example"]).unwrap();
        assert!(by_tls(&authority, Some(&prometheus), address).await.is_ok());
        let error = by_tls(&authority, None, address).await.unwrap_err().to_string();
        assert!(error.contains("CertificateRequired"), "{error}");
    }

    #[tokio::test]
    async fn invalid_file_is_named() {
        let authority = Authority::new("a CA").unwrap();
        let directory = TempDir::new().unwrap();
        let args = files(&directory, &authority.issue(&[HOST]).unwrap(), None);
        std::fs::write(directory.path().join("cert.pem"), "no certificate").unwrap();
        let error = AdminPort::bind("127.0.0.1:0".parse().unwrap(), &args)
            .await
            .unwrap_err();
        assert!(
            format!("{error:#}").contains("--admin-tls-cert has no valid certificate"),
            "{error:#}"
        );
    }
}
