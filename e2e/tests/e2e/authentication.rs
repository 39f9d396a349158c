//! Who may vote: the same rules on all routes, and the same reasons.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use authority::Authority;
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use proto::votes::vote_service_client::VoteServiceClient;
use proto::votes::{CastVotesRequest, Vote};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::tls_files::{Files, as_str};

const VOTER_TOKEN: &str = "voter-token-h7Gq2";
const LIMITED_TOKEN: &str = "limited-token-Zx81k";
const BRIDGE_TOKEN: &str = "bridge-token-0pLm3";
const VOTE: &str = r#"{"name":"Alux Nahual","album":"Centroamérica","year":"1984","rank":"9.5"}"#;

/// The files of the options: identities, and the keys for JWT.
struct AuthFiles(TempDir);

/// The answer to a vote, in one form for HTTP and gRPC.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// The HTTP status, or the one that belongs to the gRPC code.
    status: u16,
    detail: String,
    challenge: Option<String>,
    retry_after_s: Option<u64>,
}

impl AuthFiles {
    fn new(issuer: &Issuer) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("identities.toml", &identities(&[VOTER_TOKEN]));
        files.write("keys.json", &issuer.key_set());
        files.write("bridge-token", BRIDGE_TOKEN);
        files
    }

    fn write(&self, name: &str, text: &str) {
        // A reader sees the old file or the new one.
        let new = self.0.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.0.path().join(name)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn options(&self) -> Vec<String> {
        let keys = self.path("keys.json");
        self.options_with_keys(&keys)
    }

    fn options_with_keys(&self, keys: &str) -> Vec<String> {
        let identities = self.path("identities.toml");
        let options = ["--identities", &identities, "--jwt-keys", keys];
        let rules = ["--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE];
        [&options[..], &rules]
            .concat()
            .iter()
            .map(|&option| option.to_owned())
            .collect()
    }
}

fn sha256(token: &str) -> String {
    let digest = format!("{:?}", digest(&SHA256, token.as_bytes()));
    digest.trim_start_matches("SHA256:").to_owned()
}

fn identities(voter_tokens: &[&str]) -> String {
    let voter_tokens: Vec<_> = voter_tokens.iter().map(|token| sha256(token)).collect();
    format!(
        "[[identity]]\nname = 'voter'\ntoken_sha256 = {voter_tokens:?}\njwt_subject = ['phone']\ncertificate = ['client.example']\n\
         [[identity]]\nname = 'limited'\ntoken_sha256 = ['{}']\nvotes_per_second = 2\n\
         [[identity]]\nname = 'bridge'\ntoken_sha256 = ['{}']\nmay_forward = true\n",
        sha256(LIMITED_TOKEN),
        sha256(BRIDGE_TOKEN)
    )
}

async fn start_routes(files: &AuthFiles) -> [ServiceProcess; 3] {
    let options = files.options();
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &as_str(&options))
        .await
        .unwrap();
    let grpc = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &as_str(&options))
        .await
        .unwrap();
    let upstream = format!("http://{}", grpc.address());
    let token = files.path("bridge-token");
    let bridge_options = ["--upstream", &upstream, "--upstream-token-file", &token];
    let bridge_options = [&as_str(&options)[..], &bridge_options].concat();
    let bridge = ServiceProcess::start(ServiceKind::Bridge, &bridge_options)
        .await
        .unwrap();
    [rest, grpc, bridge]
}

/// Sends a vote with this value of the header `Authorization`.
async fn vote(service: &ServiceProcess, authorization: Option<&str>) -> Answer {
    match service.kind() {
        ServiceKind::Grpc => vote_by_grpc(service, authorization).await,
        _ => vote_by_http(service, authorization).await,
    }
}

async fn vote_by_http(service: &ServiceProcess, authorization: Option<&str>) -> Answer {
    let url = format!("http://{}/v1/votes", service.address());
    let mut request = reqwest::Client::new().post(url).body(VOTE);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let (status, challenge, retry) = (
        response.status().as_u16(),
        header("www-authenticate"),
        header("retry-after"),
    );
    let body: serde_json::Value = response.json().await.unwrap();
    Answer {
        status,
        detail: body["detail"].as_str().unwrap_or_default().to_owned(),
        challenge,
        retry_after_s: retry.map(|seconds| seconds.parse().unwrap()),
    }
}

async fn grpc_client(service: &ServiceProcess) -> VoteServiceClient<Channel> {
    let channel = Channel::from_shared(format!("http://{}", service.address())).unwrap();
    VoteServiceClient::new(channel.connect().await.unwrap())
}

async fn vote_by_grpc(service: &ServiceProcess, authorization: Option<&str>) -> Answer {
    let mut client = grpc_client(service).await;
    let mut request = Request::new(
        serde_json::from_str::<serde_json::Value>(VOTE)
            .map(|vote| {
                let field = |name: &str| vote[name].as_str().unwrap().to_owned();
                Vote {
                    name: field("name"),
                    album: field("album"),
                    year: field("year"),
                    rank: field("rank"),
                    vote_id: String::new(),
                }
            })
            .unwrap(),
    );
    if let Some(value) = authorization {
        request
            .metadata_mut()
            .insert("authorization", MetadataValue::try_from(value).unwrap());
    }
    let Err(status) = client.cast_vote(request).await else {
        return Answer {
            status: 202,
            detail: String::new(),
            challenge: None,
            retry_after_s: None,
        };
    };
    let http_status = match status.code() {
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unavailable => 503,
        code => panic!("{code:?}: {}", status.message()),
    };
    let challenge = status.metadata().get("www-authenticate");
    let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
    // The message is the title and the detail.
    let detail = status
        .message()
        .split_once(": ")
        .map(|(_, detail)| detail.to_owned());
    Answer {
        status: http_status,
        detail: detail.unwrap(),
        challenge: challenge.map(|value| value.to_str().unwrap().to_owned()),
        retry_after_s: retry.map(|delay| delay.as_secs()),
    }
}

/// Every challenge starts with this (RFC 6750). Only after an invalid token does it say what is wrong.
const CHALLENGE: &str = "Bearer realm=\"dualpath\"";

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn all_routes_accept_and_deny_the_same_clients_for_the_same_reasons() {
    let (issuer, other) = (Issuer::new("first"), Issuer::new("first"));
    let files = AuthFiles::new(&issuer);
    let routes = start_routes(&files).await;
    let accepted = [bearer(VOTER_TOKEN), bearer(&issuer.token("phone", 60))];
    let denied = [
        (None, 401, "send a token"),
        (
            Some("Basic dm90ZXI6dm90ZXI=".to_owned()),
            401,
            "must be: Bearer TOKEN",
        ),
        (Some(bearer("unknown-token-9Kd2")), 401, "the token is unknown"),
        (Some(bearer(&sha256(VOTER_TOKEN))), 401, "the token is unknown"),
        (
            Some(bearer(&issuer.token("phone", -60))),
            401,
            "the JWT has expired",
        ),
        (
            Some(bearer(&issuer.token_for("other", "phone", 60))),
            401,
            "another audience",
        ),
        (Some(bearer(&issuer.unsigned_token("phone"))), 401, "algorithm"),
        (
            Some(bearer(&other.token("phone", 60))),
            401,
            "the signature of the JWT is wrong",
        ),
        (
            Some(bearer(&Issuer::new("second").token("phone", 60))),
            401,
            "the key of the JWT is unknown",
        ),
        (
            Some(bearer(&issuer.token("stranger", 60))),
            403,
            "the subject \"stranger\"",
        ),
    ];
    for route in &routes {
        let kind = route.kind();
        for authorization in &accepted {
            assert_eq!(vote(route, Some(authorization)).await.status, 202, "{kind:?}");
        }
        for (authorization, status, reason) in &denied {
            let answer = vote(route, authorization.as_deref()).await;
            assert_eq!(answer.status, *status, "{kind:?} {answer:?}");
            assert!(answer.detail.contains(reason), "{kind:?} {answer:?}");
            assert_eq!(answer.challenge.is_some(), *status == 401, "{kind:?} {answer:?}");
            if let Some(challenge) = &answer.challenge {
                let has_token = authorization
                    .as_ref()
                    .is_some_and(|value| value.starts_with("Bearer"));
                let expected = if has_token {
                    format!(
                        "{CHALLENGE}, error=\"invalid_token\", error_description=\"{}\"",
                        answer.detail
                    )
                } else {
                    CHALLENGE.to_owned()
                };
                assert_eq!(*challenge, expected, "{kind:?} {answer:?}");
            }
            assert_eq!(answer.retry_after_s, None, "{kind:?} {answer:?}");
        }
        let counts = [
            route.count_by_outcome("accepted").await,
            route.count_by_outcome("denied").await,
        ];
        assert_eq!(
            counts.map(|count| count.unwrap() as usize),
            [accepted.len(), denied.len()],
            "{kind:?}"
        );
        let log = route.log();
        assert!(
            log.contains("the JWT has expired") && log.contains("the token is unknown"),
            "{log}"
        );
        for authorization in accepted
            .iter()
            .chain(denied.iter().filter_map(|(value, ..)| value.as_ref()))
        {
            let secret = authorization.split_once(' ').unwrap().1;
            assert!(!log.contains(secret), "{kind:?} logs {secret}");
        }
    }
}

#[tokio::test]
async fn a_client_cannot_exceed_its_rate_and_others_are_not_slowed_down() {
    let files = AuthFiles::new(&Issuer::new("first"));
    for route in &start_routes(&files).await {
        let kind = route.kind();
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(vote(route, Some(&bearer(LIMITED_TOKEN))).await);
        }
        let refused = answers.iter().find(|answer| answer.status == 429);
        let refused = refused.unwrap_or_else(|| panic!("{kind:?}: {answers:?}"));
        assert!(refused.detail.contains("rate"), "{kind:?} {refused:?}");
        assert_eq!(refused.retry_after_s, Some(1), "{kind:?}");
        assert_eq!(
            vote(route, Some(&bearer(VOTER_TOKEN))).await.status,
            202,
            "{kind:?}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            vote(route, Some(&bearer(LIMITED_TOKEN))).await.status,
            202,
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_batch_above_the_rate_of_its_client_is_refused_for_good() {
    let files = AuthFiles::new(&Issuer::new("first"));
    let [rest, grpc, _] = start_routes(&files).await;
    let url = format!("http://{}/v1/votes:batch", rest.address());
    let batch = format!("[{VOTE},{VOTE},{VOTE}]");
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth(LIMITED_TOKEN)
        .body(batch);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 413);
    let text = response.text().await.unwrap();
    assert!(text.contains("at most 2 votes a second"), "{text}");

    let mut client = grpc_client(&grpc).await;
    let votes = vec![Vote::default(); 3];
    let mut request = Request::new(CastVotesRequest { votes });
    request
        .metadata_mut()
        .insert("authorization", bearer(LIMITED_TOKEN).parse().unwrap());
    let status = client.cast_votes(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("at most 2 votes a second"), "{status}");
}

#[tokio::test]
async fn only_a_bridge_may_forward() {
    let files = AuthFiles::new(&Issuer::new("first"));
    // The token of a voter instead of that of the bridge.
    files.write("bridge-token", VOTER_TOKEN);
    let [_, grpc, bridge] = start_routes(&files).await;
    assert_eq!(vote(&bridge, Some(&bearer(VOTER_TOKEN))).await.status, 500);
    assert!(
        grpc.log().contains("voter may not forward votes"),
        "{}",
        grpc.log()
    );
    assert!(bridge.log().contains("may not forward votes"), "{}", bridge.log());
    // The file is read again.
    files.write("bridge-token", BRIDGE_TOKEN);
    wait_until(async || vote(&bridge, Some(&bearer(VOTER_TOKEN))).await.status == 202).await;
}

#[tokio::test]
async fn tokens_and_keys_change_without_a_restart() {
    let (first, second) = (Issuer::new("first"), Issuer::new("second"));
    let files = AuthFiles::new(&first);
    for route in &start_routes(&files).await {
        files.write("identities.toml", &identities(&[VOTER_TOKEN, "new-token"]));
        wait_until(async || vote(route, Some(&bearer("new-token"))).await.status == 202).await;
        assert_eq!(vote(route, Some(&bearer(VOTER_TOKEN))).await.status, 202);
        // An invalid file changes nothing.
        files.write("identities.toml", "[[identity]]");
        wait_until(async || route.log().contains("cannot load the changed file of identities")).await;
        assert_eq!(vote(route, Some(&bearer("new-token"))).await.status, 202);
        files.write("identities.toml", &identities(&["new-token"]));
        wait_until(async || vote(route, Some(&bearer(VOTER_TOKEN))).await.status == 401).await;

        files.write("keys.json", &second.key_set());
        wait_until(async || {
            vote(route, Some(&bearer(&second.token("phone", 60))))
                .await
                .status
                == 202
        })
        .await;
        assert_eq!(
            vote(route, Some(&bearer(&first.token("phone", 60)))).await.status,
            401
        );
        files.write("identities.toml", &identities(&[VOTER_TOKEN]));
        files.write("keys.json", &first.key_set());
        wait_until(async || vote(route, Some(&bearer(&first.token("phone", 60)))).await.status == 202).await;
    }
}

/// A web server with the files of a directory, by Python's standard library.
struct WebServer(Child);

impl WebServer {
    fn start(directory: &Path, tls: &Files, port: u16) -> Self {
        let program = "import functools, http.server, ssl, sys\n\
            _, directory, port, cert, key = sys.argv\n\
            handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)\n\
            server = http.server.HTTPServer(('127.0.0.1', int(port)), handler)\n\
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
            context.load_cert_chain(cert, key)\n\
            server.socket = context.wrap_socket(server.socket, server_side=True)\n\
            server.serve_forever()\n";
        let child = Command::new("python3")
            .args(["-c", program])
            .arg(directory)
            .args([
                &port.to_string(),
                &tls.path("server.pem"),
                &tls.path("server.key"),
            ])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn keys_for_jwt_come_from_an_https_url_when_the_issuer_is_reachable() {
    let issuer = Issuer::new("first");
    let files = AuthFiles::new(&issuer);
    let tls = Files::new(&Authority::new("a CA").unwrap());
    let port = lab::ports::free_address().unwrap().port();
    let mut options = files.options_with_keys(&format!("https://localhost:{port}/keys.json"));
    options.extend(["--jwt-keys-ca".to_owned(), tls.path("ca.pem")]);
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &as_str(&options))
        .await
        .unwrap();
    let token = bearer(&issuer.token("phone", 60));
    let answer = vote(&rest, Some(&token)).await;
    assert_eq!(
        (answer.status, answer.retry_after_s),
        (503, Some(1)),
        "{answer:?}"
    );
    assert!(answer.detail.contains("keys for JWT"), "{answer:?}");
    assert_eq!(vote(&rest, Some(&bearer(VOTER_TOKEN))).await.status, 202);
    wait_until(async || rest.log().contains("cannot load the keys for JWT")).await;

    let _server = WebServer::start(files.0.path(), &tls, port);
    wait_until(async || vote(&rest, Some(&token)).await.status == 202).await;
    // A key that is not here yet makes the service load them before the usual time.
    let next = Issuer::new("second");
    files.write("keys.json", &next.key_set());
    wait_until(async || vote(&rest, Some(&bearer(&next.token("phone", 60)))).await.status == 202).await;
}

#[tokio::test]
async fn a_client_certificate_is_an_identity_too() {
    let files = AuthFiles::new(&Issuer::new("first"));
    let authority = Authority::new("a CA").unwrap();
    let tls = Files::new(&authority);
    tls.write_issued("stranger", &authority.issue(&["stranger.example"]).unwrap());
    let options = [tls.listener_options(), files.options()].concat();
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = ServiceProcess::start_without_kafka(kind, &as_str(&options))
            .await
            .unwrap();
        for (name, is_accepted) in [("client", true), ("stranger", false)] {
            let output = match kind {
                ServiceKind::Grpc => grpcurl(&service, &tls, name),
                _ => curl(&service, &tls, name),
            };
            if is_accepted {
                assert!(
                    output.contains("vote_id") || output.contains("voteId"),
                    "{kind:?}: {output}"
                );
            } else {
                assert!(output.contains("stranger.example"), "{kind:?}: {output}");
                assert!(output.contains("has no identity"), "{kind:?}: {output}");
                assert!(
                    output.contains("403") || output.contains("PermissionDenied"),
                    "{kind:?}: {output}"
                );
            }
        }
    }
}

fn curl(service: &ServiceProcess, tls: &Files, name: &str) -> String {
    let (cert, key) = (tls.path(&format!("{name}.pem")), tls.path(&format!("{name}.key")));
    let url = format!("https://localhost:{}/v1/votes", service.address().port());
    printed(
        Command::new("curl")
            .args(["--silent", "--max-time", "10", "--cacert", &tls.path("ca.pem")])
            .args([
                "--cert",
                &cert,
                "--key",
                &key,
                "--data",
                VOTE,
                "--header",
                "content-type: application/json",
                &url,
            ]),
    )
}

fn grpcurl(service: &ServiceProcess, tls: &Files, name: &str) -> String {
    let (cert, key) = (tls.path(&format!("{name}.pem")), tls.path(&format!("{name}.key")));
    let address = format!("localhost:{}", service.address().port());
    printed(
        Command::new(crate::end_to_end::tool("grpcurl"))
            .args(["-cacert", &tls.path("ca.pem"), "-cert", &cert])
            .args([
                "-key",
                &key,
                "-d",
                VOTE,
                &address,
                "votes.v1.VoteService/CastVote",
            ]),
    )
}

fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
