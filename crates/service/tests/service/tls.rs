//! TLS of the listener: who is accepted, what others see, and the change of certificates.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use authority::{Authority, Issued};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Parser;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use service::listener::{self, ListenerArgs};
use service::{AdminTlsArgs, CommonArgs, Identity, LogFormat, Process};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HOST: &str = "votes.example";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: votes.example\r\nconnection: close\r\n\r\n";
const KEPT_ALIVE: &[u8] = b"GET / HTTP/1.1\r\nhost: votes.example\r\n\r\n";
/// Longer than the service needs to see changed files.
const RELOADED: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    listener: ListenerArgs,
}

/// The files of a server.
struct Files(TempDir);

impl Files {
    fn new(server: &Issued, client_ca: Option<&Authority>) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write(server);
        if let Some(authority) = client_ca {
            std::fs::write(files.path("ca.pem"), authority.pem()).unwrap();
        }
        files
    }

    fn write(&self, server: &Issued) {
        std::fs::write(self.path("cert.pem"), &server.cert).unwrap();
        std::fs::write(self.path("key.pem"), &server.key).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        for (option, name) in [
            ("--tls-cert", "cert.pem"),
            ("--tls-key", "key.pem"),
            ("--tls-client-ca", "ca.pem"),
        ] {
            let path = self.path(name);
            if path.exists() {
                options.extend([option.to_owned(), path.display().to_string()]);
            }
        }
        options
    }
}

/// Runs `test` against a service that answers every request with "accepted".
fn with_service(options: &[String], test: impl AsyncFnOnce(SocketAddr)) {
    run(|process| async move {
        let address = start(options, &process).await;
        test(address).await;
        process.shutdown.cancel();
        Ok(())
    });
}

fn run<F: Future<Output = anyhow::Result<()>>>(work: impl FnOnce(Process) -> F) {
    let args = CommonArgs {
        admin_addr: None,
        admin_tls: AdminTlsArgs::default(),
        log_format: LogFormat::Text,
        worker_threads: 2,
        drain_timeout_ms: 10_000,
    };
    let identity = Identity {
        name: "test",
        version: "0",
        default_admin: "127.0.0.1:0".parse().unwrap(),
    };
    let code = service::run(identity, &args, work);
    assert_eq!(
        format!("{code:?}"),
        format!("{:?}", std::process::ExitCode::SUCCESS)
    );
}

async fn start(options: &[String], process: &Process) -> SocketAddr {
    let options = ["test".to_owned()].into_iter().chain(options.iter().cloned());
    let args = Options::parse_from(options).listener;
    let tcp = listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = tcp.local_addr().unwrap();
    let (router, process) = (
        Router::new().route("/", get(async || StatusCode::ACCEPTED)),
        process.clone(),
    );
    tokio::spawn(async move { listener::serve(tcp, router.clone(), router, args, &process).await });
    address
}

/// A client that trusts `authority`, and presents `identity`.
fn client(authority: &Authority, identity: Option<&Issued>, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(issued) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn connect(client: &TlsConnector, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    client.connect(ServerName::try_from(HOST).unwrap(), socket).await
}

/// Sends a request by HTTP/1.1, and returns all bytes that the server sends.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

async fn request(client: &TlsConnector, address: SocketAddr) -> std::io::Result<String> {
    exchange(connect(client, address).await?).await
}

#[test]
fn client_selects_the_version_of_http() {
    let authority = Authority::new("a CA").unwrap();
    let files = Files::new(&authority.issue(&[HOST]).unwrap(), None);
    with_service(&files.options(), async |address| {
        for (offered, selected) in [
            (&[b"h2".as_slice(), b"http/1.1"][..], Some(b"h2".as_slice())),
            (&[b"http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let stream = connect(&client(&authority, None, offered), address)
                .await
                .unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), selected);
            if selected == Some(b"h2") {
                let mut stream = stream;
                stream
                    .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                    .await
                    .unwrap();
                // The header of a SETTINGS frame: its type is 4.
                let mut frame = [0; 9];
                stream.read_exact(&mut frame).await.unwrap();
                assert_eq!(frame[3], 4);
            } else {
                let response = exchange(stream).await.unwrap();
                assert!(response.starts_with("HTTP/1.1 202"), "{response}");
            }
        }
    });
}

#[test]
fn client_does_not_trust_another_authority_or_name_or_an_expired_certificate() {
    let (authority, other) = (
        Authority::new("a CA").unwrap(),
        Authority::new("another CA").unwrap(),
    );
    for (server, trusted, expected) in [
        (authority.issue(&[HOST]).unwrap(), &other, "UnknownIssuer"),
        (
            authority.issue(&["other.example"]).unwrap(),
            &authority,
            "not valid for name",
        ),
        (authority.issue_expired(&[HOST]).unwrap(), &authority, "expired"),
    ] {
        let files = Files::new(&server, None);
        with_service(&files.options(), async |address| {
            let error = request(&client(trusted, None, &[]), address).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        });
    }
}

#[test]
fn client_needs_a_certificate_of_the_authority_for_clients() {
    let (authority, clients) = (
        Authority::new("a CA").unwrap(),
        Authority::new("another CA").unwrap(),
    );
    let files = Files::new(&authority.issue(&[HOST]).unwrap(), Some(&clients));
    with_service(&files.options(), async |address| {
        let accepted = clients.issue(&["client.example"]).unwrap();
        let response = request(&client(&authority, Some(&accepted), &[]), address).await;
        assert!(response.unwrap().starts_with("HTTP/1.1 202"));
        for (presented, alert) in [
            (None, "CertificateRequired"),
            (Some(authority.issue(&["client.example"]).unwrap()), "UnknownCA"),
            (
                Some(clients.issue_expired(&["client.example"]).unwrap()),
                "CertificateExpired",
            ),
        ] {
            let error = request(&client(&authority, presented.as_ref(), &[]), address).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains(alert), "{error}");
        }
    });
}

#[test]
fn client_without_tls_learns_that_it_needs_it_and_vice_versa() {
    let authority = Authority::new("a CA").unwrap();
    let files = Files::new(&authority.issue(&[HOST]).unwrap(), None);
    with_service(&files.options(), async |address| {
        let response = exchange(TcpStream::connect(address).await.unwrap())
            .await
            .unwrap();
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["detail"], "use https on this port");
    });
    with_service(&[], async |address| {
        assert!(request(&client(&authority, None, &[]), address).await.is_err());
        let response = exchange(TcpStream::connect(address).await.unwrap())
            .await
            .unwrap();
        assert!(response.starts_with("HTTP/1.1 202"), "{response}");
    });
}

#[test]
fn changed_certificate_serves_new_connections_and_open_ones_continue() {
    let (authority, next) = (
        Authority::new("a CA").unwrap(),
        Authority::new("another CA").unwrap(),
    );
    let files = Files::new(&authority.issue(&[HOST]).unwrap(), None);
    with_service(&files.options(), async |address| {
        let trusts_old = client(&authority, None, &[]);
        let mut open = connect(&trusts_old, address).await.unwrap();
        assert_answers(&mut open).await;
        // Half of a change: this certificate does not belong to the key.
        let issued = next.issue(&[HOST]).unwrap();
        std::fs::write(files.path("cert.pem"), &issued.cert).unwrap();
        tokio::time::sleep(RELOADED / 3).await;
        assert!(request(&trusts_old, address).await.is_ok());
        files.write(&issued);
        let trusts_new = client(&next, None, &[]);
        let reloaded = async {
            while request(&trusts_new, address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(RELOADED, reloaded).await.unwrap();
        assert!(request(&trusts_old, address).await.is_err());
        assert_answers(&mut open).await;
    });
}

async fn assert_answers(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(KEPT_ALIVE).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(start, *b"HTTP/1.1 202");
    let mut rest = Vec::new();
    while !rest.ends_with(b"\r\n\r\n") {
        rest.push(stream.read_u8().await.unwrap());
    }
}

#[test]
fn invalid_files_are_named() {
    let authority = Authority::new("a CA").unwrap();
    let (server, other) = (
        authority.issue(&[HOST]).unwrap(),
        authority.issue(&[HOST]).unwrap(),
    );
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (cert, key) = (write("cert.pem", &server.cert), write("key.pem", &server.key));
    let (other_key, text) = (
        write("other.pem", &other.key),
        write("text.pem", "no certificate"),
    );
    let missing = directory.path().join("missing.pem");
    for (cert, key, client_ca, expected) in [
        (&missing, &key, None, "missing.pem (--tls-cert)"),
        (&text, &key, None, "--tls-cert has no valid certificate"),
        (&cert, &text, None, "--tls-key has no valid private key"),
        (
            &cert,
            &other_key,
            None,
            "--tls-cert and --tls-key do not belong together",
        ),
        (
            &cert,
            &key,
            Some(&text),
            "--tls-client-ca has no valid certificate of a CA",
        ),
    ] {
        let error = serve_error(cert, key, client_ca.map(PathBuf::as_path));
        assert!(error.contains(expected), "{error}");
    }
}

/// The error of a listener with these files.
fn serve_error(cert: &Path, key: &Path, client_ca: Option<&Path>) -> String {
    let mut options = vec!["test".as_ref(), "--tls-cert".as_ref(), cert.as_os_str()];
    options.extend(["--tls-key".as_ref(), key.as_os_str()]);
    if let Some(path) = client_ca {
        options.extend(["--tls-client-ca".as_ref(), path.as_os_str()]);
    }
    let args = Options::parse_from(options).listener;
    let mut message = String::new();
    run(|process| {
        let message = &mut message;
        async move {
            let tcp = listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let router: Router = Router::new();
            let error = listener::serve(tcp, router.clone(), router, args, &process).await;
            *message = format!("{:#}", error.unwrap_err());
            Ok(())
        }
    });
    message
}
