//! New certificates and tokens while votes are cast, and a certificate that has expired.

use std::process::Command;

use e2e::wait::wait_until;
use lab::ports::Port;
use lab::secrets::{User, Voter};
use lab::servers::Server;
use mongodb::bson::{Document, doc};
use tls::{PemFile, TlsClient};
use tokio::net::TcpStream;

use super::program::Program;
use super::{SecuredStack, TLS_PORTS, shown};
use crate::end_to_end::tool;

const VOTE: &str = r#"{"name":"Alux Nahual","album":"Centroamérica","year":"1984","rank":"9.5"}"#;

/// The certificate that a server presents.
async fn certificate(stack: &SecuredStack, port: Port) -> Vec<u8> {
    let ca = PemFile::new(&stack.secrets.ca(), "the CA");
    let client = TlsClient::new(ca, None, None).unwrap();
    let socket = TcpStream::connect(stack.ports.address(port)).await.unwrap();
    let stream = client.connect("127.0.0.1", socket).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Votes by each route, through the Ingress.
fn vote_by_each_route(stack: &SecuredStack) {
    let (ca, address) = (shown(&stack.secrets.ca()), stack.ports.address(Port::Ingress));
    let authorization = format!("authorization: Bearer {}", client_token(stack));
    for path in ["/rest/v1/votes", "/grpc/v1/votes"] {
        let output = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
            .args(["--header", "content-type: application/json", "--data", VOTE])
            .args(["--header", &authorization])
            .args(["--cacert", &ca, &format!("https://{address}{path}")])
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"202", "{path}");
    }
    let output = Command::new(tool("grpcurl"))
        .args([
            "-cacert",
            &ca,
            "-H",
            &authorization,
            "-d",
            VOTE,
            &address,
            "votes.v1.VoteService/CastVote",
        ])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("voteId"), "{output:?}");
}

fn client_token(stack: &SecuredStack) -> String {
    std::fs::read_to_string(stack.secrets.token_file(Voter::Client)).unwrap()
}

/// The status of a vote with a token.
async fn status_with(stack: &SecuredStack, token: &str) -> String {
    let url = format!("https://{}/rest/v1/votes", stack.ports.address(Port::Ingress));
    let output = tokio::process::Command::new("curl")
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .args(["--cacert", &shown(&stack.secrets.ca()), "--data", VOTE])
        .args(["--header", "content-type: application/json"])
        .args(["--header", &format!("authorization: Bearer {token}"), &url])
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn no_vote_fails_while_certificates_and_tokens_change() {
    let stack = SecuredStack::start(&Server::all()).await;
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.jsonl");
    let host = format!("https://{}", stack.ports.address(Port::Ingress));
    let root = lab::project::root().unwrap();
    let log = std::fs::File::create(directory.path().join("locust.log")).unwrap();
    let mut locust = tokio::process::Command::new(stack.stack.stack().cache().locust())
        .args(["--locustfile", &shown(&root.join("locust/locustfile.py"))])
        .args([
            "--headless",
            "--only-summary",
            "--users",
            "6",
            "--spawn-rate",
            "6",
        ])
        .args(["--run-time", "30s", "--wait-ms", "20", "--host", &host])
        .args(["--ca", &shown(&stack.secrets.ca())])
        .args(["--token-file", &shown(&stack.secrets.token_file(Voter::Client))])
        .args(["--ledger", &shown(&ledger), "MixedUser"])
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let first_token = client_token(&stack);
    wait_until(async || std::fs::read_to_string(&ledger).is_ok_and(|text| text.lines().count() > 100)).await;
    stack.stack.stack().rotate_certificates().await.unwrap();
    stack.stack.stack().rotate_tokens().await.unwrap();
    assert_ne!(client_token(&stack), first_token);
    assert!(locust.wait().await.unwrap().success());

    let text = std::fs::read_to_string(&ledger).unwrap();
    let votes: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed: Vec<_> = votes.iter().filter(|vote| vote["ok"] != true).collect();
    assert_eq!(
        failed,
        Vec::<&serde_json::Value>::new(),
        "of {} votes",
        votes.len()
    );
    println!("{} votes, none failed", votes.len());

    // The old token works until the next replacement.
    assert_eq!(status_with(&stack, &first_token).await, "202");
    stack.stack.stack().rotate_tokens().await.unwrap();
    wait_until(async || status_with(&stack, &first_token).await == "401").await;
    vote_by_each_route(&stack);
}

#[tokio::test]
async fn new_certificates_need_no_restart() {
    let stack = SecuredStack::start(&Server::all()).await;
    vote_by_each_route(&stack);
    let mut before = Vec::new();
    for port in TLS_PORTS {
        before.push(certificate(&stack, port).await);
    }

    stack.stack.stack().rotate_certificates().await.unwrap();
    for (port, before) in TLS_PORTS.into_iter().zip(before) {
        wait_until(async || certificate(&stack, port).await != before).await;
        println!("{port} has its new certificate");
    }
    vote_by_each_route(&stack);
    for status in stack.stack.stack().status().await.unwrap() {
        assert_eq!(status.problem, None, "{}", status.server);
    }
}

#[tokio::test]
async fn expired_certificate_of_a_store_is_refused() {
    let stack = SecuredStack::start(&[Server::Redis, Server::Mongodb, Server::Prometheus]).await;
    let expired = stack.authority().issue_expired(&["127.0.0.1"]).unwrap();
    for server in [Server::Redis, Server::Mongodb, Server::Prometheus] {
        for (path, text) in [
            (stack.secrets.key(server), expired.key.clone()),
            (stack.secrets.cert(server), expired.cert.clone()),
            (
                stack.secrets.cert_with_key(server),
                format!("{}{}", expired.cert, expired.key),
            ),
        ] {
            std::fs::write(path, text).unwrap();
        }
    }
    // MongoDB does not even load an expired certificate. Prometheus reads its files for each connection.
    let error = reload_mongodb(&stack).await.unwrap_err().to_string();
    assert!(error.contains("certificate is expired"), "{error}");
    reload_redis(&stack).await;
    let viewer = Program::viewer(&stack.viewer_options());
    viewer.wait_for_status("tallies", "unavailable").await;
    viewer.wait_for_status("metrics", "unavailable").await;
    viewer.wait_for_status("logs", "ok").await;
    let log = viewer.log();
    for store in ["Redis", "Prometheus"] {
        let text = format!("{store} did not answer");
        let line = log.lines().find(|line| line.contains(&text));
        let line = line.unwrap_or_default();
        println!("{line}");
        assert!(line.contains("certificate expired"), "{store}: {log}");
    }
}

async fn reload_mongodb(stack: &SecuredStack) -> mongodb::error::Result<Document> {
    let password =
        std::fs::read_to_string(stack.secrets.password_file(Server::Mongodb, User::Admin)).unwrap();
    let uri = stack
        .mongodb_uri(
            &format!("{}:{password}", User::Admin.name()),
            &shown(&stack.secrets.lab_cert_with_key()),
        )
        .replace("authSource=votes", "authSource=admin");
    let client = mongodb::Client::with_uri_str(uri).await?;
    let rotate = doc! { "rotateCertificates": 1 };
    client.database("admin").run_command(rotate).await
}

async fn reload_redis(stack: &SecuredStack) {
    let password = std::fs::read_to_string(stack.secrets.password_file(Server::Redis, User::Admin)).unwrap();
    let [client_cert, client_key] = stack.secrets.lab_cert().map(|path| std::fs::read(path).unwrap());
    let certificates = redis::TlsCertificates {
        client_tls: Some(redis::ClientTlsConfig {
            client_cert,
            client_key,
        }),
        root_cert: Some(std::fs::read(stack.secrets.ca()).unwrap()),
    };
    let url = stack.redis_url(&format!("{}:{password}", User::Admin.name()));
    let client = redis::Client::build_with_tls(url, certificates).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("tls-cert-file")
        .arg(shown(&stack.secrets.cert(Server::Redis)))
        .arg("tls-key-file")
        .arg(shown(&stack.secrets.key(Server::Redis)))
        .exec_async(&mut connection)
        .await
        .unwrap();
}
