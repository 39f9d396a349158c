//! Tests the routes of the Ingress on a real Traefik with stub backends that answer with their own name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use ephemeral_stack::EphemeralStack;
use lab::ports::Port;
use lab::servers::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Traefik with a stub server for each HTTP backend.
struct Ingress {
    stack: EphemeralStack,
    client: reqwest::Client,
}

impl Ingress {
    async fn start(options: &[&str]) -> Result<Self> {
        let options = [&["--only", "ingress"], options].concat();
        let stack = EphemeralStack::start_with(&options)?;
        let ports = stack.stack().settings()?.ports;
        for (name, port) in [("rest", Port::Rest), ("bridge", Port::Bridge)] {
            start_stub(name, &ports.address(port)).await?;
        }
        Ok(Self {
            stack,
            client: reqwest::Client::new(),
        })
    }

    /// Sends a request and returns the status and the body, which names the backend and the path that it received.
    async fn post(&self, path: &str, canary: Option<&str>) -> Result<(u16, String)> {
        let mut request = self
            .client
            .post(format!("{}{path}", self.stack.endpoints().ingress));
        if let Some(value) = canary {
            request = request.header("x-canary", value);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Sends `count` votes and returns the number that each backend received.
    async fn split(&self, count: usize) -> Result<BTreeMap<String, usize>> {
        let mut answers = BTreeMap::new();
        for _ in 0..count {
            *answers.entry(self.post("/v1/votes", None).await?.1).or_default() += 1;
        }
        Ok(answers)
    }
}

/// Starts a server that answers every HTTP/1.1 request with `name path` until the test ends.
async fn start_stub(name: &'static str, address: &str) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(answer(name, connection));
        }
    });
    Ok(())
}

async fn answer(name: &str, mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while connection.read_buf(&mut request).await? > 0 {
        let text = String::from_utf8_lossy(&request).into_owned();
        if !text.contains("\r\n\r\n") {
            continue;
        }
        let path = text.split(' ').nth(1).unwrap_or_default();
        let body = format!("{name} {path}");
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        connection.write_all(answer.as_bytes()).await?;
        request.clear();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_path_is_routed_to_its_backend() -> Result<()> {
    let ingress = Ingress::start(&[]).await?;
    let cases = [
        ("/v1/votes", Some("always"), "bridge /v1/votes"),
        ("/v1/votes", Some("never"), "rest /v1/votes"),
        ("/v1/votes:batch", Some("always"), "bridge /v1/votes:batch"),
        ("/v1/votes:batch", Some("never"), "rest /v1/votes:batch"),
        ("/rest/v1/votes", None, "rest /v1/votes"),
        ("/rest", None, "rest /"),
        ("/rust/send_data", None, "rest /send_data"),
        ("/wasm/", None, "rest /"),
        ("/grpc/insert", None, "bridge /insert"),
        ("/grpc", None, "bridge /"),
        // The header has no effect on a direct path.
        ("/rest/v1/votes", Some("always"), "rest /v1/votes"),
    ];
    for (path, canary, expected) in cases {
        assert_eq!(
            ingress.post(path, canary).await?,
            (200, expected.to_owned()),
            "{path} {canary:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_reach_rest_with_the_path_unknown() -> Result<()> {
    let ingress = Ingress::start(&[]).await?;
    let paths = [
        "/",
        // The aliases of the service are available below a prefix only.
        "/insert",
        "/v2/votes",
        "/restful",
        "/grpcurl",
        "/votes.v1.VoteServices/CastVote",
        // The internal service of the bridge: only the bridge may call it, and not through the Ingress.
        "/votes.v1.BridgeService/Forward",
    ];
    for path in paths {
        for canary in [None, Some("always")] {
            assert_eq!(
                ingress.post(path, canary).await?,
                (200, "rest /unknown".to_owned()),
                "{path} {canary:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_paths_are_routed_to_the_grpc_backend() -> Result<()> {
    let ingress = Ingress::start(&[]).await?;
    let services = [
        "votes.v1.VoteService",
        "confproto.getInfo",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ];
    for service in services {
        // The gRPC backend has no stub: a 502 shows that the route exists and leads to no other backend.
        assert_eq!(
            ingress.post(&format!("/{service}/Call"), None).await?.0,
            502,
            "{service}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn split_follows_the_configured_weight_and_changes_without_a_restart() -> Result<()> {
    let ingress = Ingress::start(&["--weight", "30"]).await?;
    let process = ingress.stack.identity(Server::Ingress)?;
    let answers = ingress.split(200).await?;
    assert_eq!(answers.get("bridge /v1/votes"), Some(&60), "{answers:?}");

    for (weight, only) in [(0, "rest /v1/votes"), (100, "bridge /v1/votes")] {
        ingress.stack.stack().set_weight(weight)?;
        let started = Instant::now();
        while ingress.split(20).await? != BTreeMap::from([(only.to_owned(), 20)]) {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "weight {weight} was not applied within 10 s"
            );
        }
    }
    assert_eq!(ingress.stack.identity(Server::Ingress)?, process);
    Ok(())
}
