//! A server that answers with the header `authorization` of the request, and the errors of the options.

use std::sync::Arc;

use authority::{Authority, Issued};
use rustls::ServerConfig;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn arguments(url: &str, ca: Option<&NamedTempFile>, token: Option<&NamedTempFile>) -> PrometheusArgs {
    let path = |file: Option<&NamedTempFile>| file.map(|file| file.path().to_owned());
    PrometheusArgs {
        url: Some(url.into()),
        ca: path(ca),
        token_file: path(token),
    }
}

/// Serves with the certificate until the test ends. Returns the address.
async fn start_server(issued: &Issued) -> String {
    let config = ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            tls::certificates(issued.cert.as_bytes()).unwrap(),
            tls::private_key(issued.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else {
                continue;
            };
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: "));
            let body = authorization.unwrap_or("none");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn token_is_sent_by_tls_and_read_again() {
    let authority = Authority::new("a CA").unwrap();
    let address = start_server(&authority.issue(&["127.0.0.1"]).unwrap()).await;
    let (ca, token) = (file(&authority.pem()), file("first\n"));
    let url = format!("https://{address}");
    let server = arguments(&url, Some(&ca), Some(&token))
        .server()
        .unwrap()
        .unwrap();
    assert_eq!(server.get("-/ready").await.unwrap(), "Bearer first");
    std::fs::write(token.path(), "second").unwrap();
    assert_eq!(server.get("-/ready").await.unwrap(), "Bearer second");
    std::fs::write(token.path(), "").unwrap();
    let error = server.get("-/ready").await.unwrap_err().to_string();
    assert!(error.contains("(--prometheus-token-file)"), "{error}");

    let with_user = format!("https://me:s%2Fcret@{address}");
    let server = arguments(&with_user, Some(&ca), None).server().unwrap().unwrap();
    assert_eq!(server.get("").await.unwrap(), "Basic bWU6cy9jcmV0");
    assert!(!format!("{server:?}").contains("cret"));
}

#[tokio::test]
async fn certificate_is_verified_by_the_current_file() {
    let (one, other) = (
        Authority::new("a CA").unwrap(),
        Authority::new("another CA").unwrap(),
    );
    for (issued, reason) in [
        (other.issue(&["127.0.0.1"]).unwrap(), "UnknownIssuer"),
        (one.issue(&["localhost"]).unwrap(), "not valid for name"),
        (one.issue_expired(&["127.0.0.1"]).unwrap(), "xpired"),
    ] {
        let address = start_server(&issued).await;
        let ca = file(&one.pem());
        let server = arguments(&format!("https://{address}"), Some(&ca), None)
            .server()
            .unwrap()
            .unwrap();
        let error = server.get("").await.unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
        if reason == "UnknownIssuer" {
            std::fs::write(ca.path(), other.pem()).unwrap();
            assert_eq!(server.get("").await.unwrap(), "none");
        }
    }
}

#[test]
fn errors_name_the_option_and_no_secret() {
    let (token, no_pem) = (file("s3cret\u{1}"), file("s3cret"));
    for (arguments, text) in [
        (arguments("ftp://h", None, None), "expected http://… or https://…"),
        (
            arguments("http://h", None, Some(&token)),
            "must start with https://",
        ),
        (
            arguments("http://h", Some(&no_pem), None),
            "must start with https://",
        ),
        (arguments("https://h", Some(&no_pem), None), "--prometheus-ca"),
        (arguments("https://h", None, Some(&token)), "a header cannot have"),
        (
            arguments("https://me:s3cret@h", None, Some(&token)),
            "remove --prometheus-token-file",
        ),
    ] {
        let error = arguments.server().unwrap_err();
        let error = format!("{error:#} {error:?}");
        assert!(error.contains(text) && !error.contains("s3cret"), "{error}");
    }
}
