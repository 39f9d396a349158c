//! No server of the secured stack speaks TLS 1.1.

use std::process::{Command, Stdio};

use lab::ports::Port;
use lab::servers::Server;

use super::{SecuredStack, TLS_PORTS};

const NO_CIPHER: &str = "Cipher is (NONE)";

#[tokio::test]
async fn tls_1_1_is_refused_by_each_server() {
    let stack = SecuredStack::start(&Server::all()).await;
    for port in TLS_PORTS {
        let address = stack.ports.address(port);
        let accepted = handshake(&address, "-tls1_2");
        assert!(
            accepted.contains("Protocol  : TLSv1.2") && !accepted.contains(NO_CIPHER),
            "{port:?}: {accepted}"
        );
        let refused = handshake(&address, "-tls1_1");
        assert!(refused.contains(NO_CIPHER), "{port:?}: {refused}");
        let reason = match port {
            // MongoDB sends no alert.
            Port::Mongodb => "unexpected eof",
            Port::Kafka | Port::Redis | Port::Ingress | Port::IngressAdmin | Port::Prometheus => {
                "alert protocol version"
            }
            // The alert of rustls.
            _ => "alert handshake failure",
        };
        assert!(refused.contains(reason), "{port:?}: {refused}");
    }
    for server in [
        Server::Rest,
        Server::Grpc,
        Server::Bridge,
        Server::Consumer,
        Server::Viewer,
    ] {
        let log = std::fs::read_to_string(stack.stack.stack().dir().log(server.name())).unwrap();
        assert!(
            log.contains("the client does not speak TLS 1.2 or 1.3"),
            "{server}: {log}"
        );
    }
}

/// What `openssl` prints of a handshake with this version only.
fn handshake(address: &str, version: &str) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", address, version])
        // OpenSSL's defaults do not offer TLS 1.1.
        .args(["-cipher", "ALL:@SECLEVEL=0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
