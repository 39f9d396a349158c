//! TLS with independent clients: `curl` and `grpcurl`. `crates/service/tests/service/tls.rs` has the cases of the listener.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use authority::Authority;
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;

use crate::end_to_end::tool;
use crate::tls_files::{Files, as_str};

const VOTE: &str = r#"{"name":"Alux Nahual","album":"Centroamérica","year":"1984","rank":"9.5"}"#;

/// Sends a vote with `curl`. Returns the status, 0 without a response, and what curl prints.
fn curl(files: &Files, address: SocketAddr, options: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10"])
        .args([
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %{http_version}",
        ])
        .args(["--cacert", &files.path("ca.pem")])
        .args(["--header", "content-type: application/json", "--data", VOTE])
        .args(options)
        .arg(format!("https://localhost:{}/v1/votes", address.port()))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (printed[..3].parse().unwrap(), printed.into_owned())
}

fn curl_with_certificate(files: &Files, address: SocketAddr, options: &[&str]) -> (u16, String) {
    let (cert, key) = (files.path("client.pem"), files.path("client.key"));
    curl(
        files,
        address,
        &[&["--cert", &cert, "--key", &key], options].concat(),
    )
}

#[tokio::test]
async fn curl_votes_by_both_versions_of_http_and_the_log_names_who_is_refused() {
    let files = Files::new(&Authority::new("a CA").unwrap());
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &as_str(&files.listener_options()))
        .await
        .unwrap();
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let (status, printed) = curl_with_certificate(&files, rest.address(), &[option]);
        assert_eq!((status, printed), (202, format!("202 {version}")));
    }
    let other = Files::new(&Authority::new("another CA").unwrap());
    let (other_cert, other_key) = (other.path("client.pem"), other.path("client.key"));
    let old = ["--tls-max", "1.1", "--tlsv1.0", "--ciphers", "DEFAULT@SECLEVEL=0"];
    for (options, refusal) in [
        (&[][..], "peer sent no certificates"),
        (&["--cert", &other_cert, "--key", &other_key], "UnknownIssuer"),
        (&old, "the client does not speak TLS 1.2 or 1.3"),
    ] {
        let (status, printed) = curl(&files, rest.address(), options);
        assert_eq!(status, 0, "{printed}");
        // The log has one refusal a second at most.
        wait_until(async || {
            let is_logged = rest.log().contains(refusal);
            if !is_logged {
                tokio::time::sleep(Duration::from_millis(500)).await;
                curl(&files, rest.address(), options);
            }
            is_logged
        })
        .await;
    }
    let accepted = rest.count_by_outcome("accepted").await.unwrap();
    assert!((accepted - 2.0).abs() < f64::EPSILON, "{accepted}");
}

#[tokio::test]
async fn grpcurl_votes_by_tls() {
    let files = Files::new(&Authority::new("a CA").unwrap());
    let grpc = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &as_str(&files.listener_options()))
        .await
        .unwrap();
    let output = Command::new(tool("grpcurl"))
        .args([
            "-cacert",
            &files.path("ca.pem"),
            "-cert",
            &files.path("client.pem"),
        ])
        .args(["-key", &files.path("client.key"), "-d", VOTE])
        .arg(format!("localhost:{}", grpc.address().port()))
        .arg("votes.v1.VoteService/CastVote")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("voteId"), "{output:?}");
}

#[tokio::test]
async fn bridge_reaches_its_upstream_by_tls_also_after_a_change_of_the_authority() {
    let files = Files::new(&Authority::new("a CA").unwrap());
    let options = files.listener_options();
    let upstream = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &as_str(&options))
        .await
        .unwrap();
    let upstream_options = files.upstream_options(upstream.address());
    let options = [options, upstream_options].concat();
    let bridge = ServiceProcess::start(ServiceKind::Bridge, &as_str(&options))
        .await
        .unwrap();
    assert_eq!(curl_with_certificate(&files, bridge.address(), &[]).0, 202);

    let next = Authority::new("the next CA").unwrap();
    let (address, upstream_address) = (bridge.address(), upstream.address());
    files.write("ca.pem", &next.pem());
    files.write_issued("server", &next.issue(&["localhost", "127.0.0.1"]).unwrap());
    files.write_issued("client", &next.issue(&["client.example"]).unwrap());
    wait_until(async || curl_with_certificate(&files, address, &[]).0 == 202).await;
    // The connection to the upstream is still the old one. A new one uses the new certificates.
    drop(upstream);
    let restarted = ServiceProcess::spawn(
        ServiceKind::Grpc,
        &[&["--sink", "null"], &as_str(&files.listener_options())[..]].concat(),
        upstream_address,
    )
    .unwrap();
    wait_until(async || curl_with_certificate(&files, address, &[]).0 == 202).await;
    let accepted = [("outcome", "accepted")];
    let forwarded = restarted.metric("ingest_forward_request_duration_seconds_count", &accepted);
    assert!(forwarded.await.unwrap() >= 1.0);
}

#[tokio::test]
async fn bridge_names_the_reason_why_it_does_not_trust_its_upstream() {
    let (files, other) = (
        Files::new(&Authority::new("a CA").unwrap()),
        Files::new(&Authority::new("another CA").unwrap()),
    );
    let upstream = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &as_str(&files.listener_options()))
        .await
        .unwrap();
    let options = other.upstream_options(upstream.address());
    let address = lab::ports::free_address().unwrap();
    let bridge = ServiceProcess::spawn(ServiceKind::Bridge, &as_str(&options), address).unwrap();
    wait_until(async || bridge.log().contains("UnknownIssuer")).await;
    assert!(!bridge.is_ready().await);
    wait_until(async || upstream.log().contains("UnknownCA")).await;
}
