//! A request that alone exceeds a limit of its server is refused without a retry hint: it could never succeed.

use bytes::Bytes;
use e2e::http2_client::{Http2Client, Method, grpc_frame};
use e2e::service_process::{ServiceKind, ServiceProcess};
use ephemeral_stack::EphemeralStack;
use futures::{StreamExt, stream};
use lab::servers::Server;
use prost::Message;
use proto::votes::vote_result::Result as Content;
use proto::votes::vote_service_client::VoteServiceClient;
use proto::votes::{CastVotesRequest, Vote};
use tonic::transport::Channel;

/// Below the 1,000 votes and 1 MiB that the API allows for a batch.
const OPTIONS: [&str; 4] = ["--max-in-flight", "8", "--max-buffered-bytes", "1048576"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_above_a_limit_of_the_server_is_too_large() {
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &OPTIONS)
        .await
        .unwrap();
    let grpc = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &OPTIONS)
        .await
        .unwrap();
    let upstream = format!("http://{}", grpc.address());
    let bridge_options = [&OPTIONS[..], &["--upstream", &upstream]].concat();
    let bridge = ServiceProcess::start(ServiceKind::Bridge, &bridge_options)
        .await
        .unwrap();
    for service in [rest, grpc, bridge] {
        let kind = service.kind();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        let mut send = async |body: Bytes| client.send_call(Method::Batch, body).await.unwrap();

        let accepted = send(batch(kind, 8)).await;
        assert!(accepted.is_receipt(), "{kind:?}: {accepted:?}");
        let too_many = send(batch(kind, 9)).await;
        assert!(too_many.is_too_large(), "{kind:?}: {too_many:?}");
        // Three quarters of the budget are for large requests.
        for bytes in [800_000, 1_000_000] {
            let too_large = send(grpc_frame(&vec![b' '; bytes]).slice(prefix(kind)..)).await;
            assert!(too_large.is_too_large(), "{kind:?}, {bytes} bytes: {too_large:?}");
        }
        assert!(
            service.count_by_outcome("overloaded").await.unwrap() < 0.5,
            "{kind:?}"
        );
        let log = service.log();
        for option in ["--max-in-flight", "--max-buffered-bytes"] {
            let warns = log
                .lines()
                .any(|line| line.contains("WARN") && line.contains(option));
            assert!(warns, "{kind:?} does not warn about {option}:\n{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_alone_does_not_overload_a_small_server() {
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
    let options = [
        "--kafka-brokers",
        &stack.endpoints().kafka,
        "--max-in-flight",
        "4",
    ];
    let service = ServiceProcess::start(ServiceKind::Grpc, &options).await.unwrap();
    let address = format!("http://{}", service.address());
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut client = VoteServiceClient::new(channel);
    let results = client.stream_votes(stream::iter(votes(500))).await.unwrap();
    let results: Vec<_> = results.into_inner().collect().await;
    assert_eq!(results.len(), 500);
    for result in results {
        let content = result.unwrap().result;
        assert!(matches!(content, Some(Content::Receipt(_))), "{content:?}");
    }
}

fn votes(count: usize) -> Vec<Vote> {
    let vote = Vote {
        name: "La Tona".to_owned(),
        album: "Moneda".to_owned(),
        year: "1995".to_owned(),
        rank: "9".to_owned(),
        vote_id: String::new(),
    };
    vec![vote; count]
}

/// The body of a batch of `count` valid votes.
fn batch(kind: ServiceKind, count: usize) -> Bytes {
    if kind == ServiceKind::Grpc {
        return grpc_frame(&CastVotesRequest { votes: votes(count) }.encode_to_vec());
    }
    let vote = r#"{"name":"La Tona","album":"Moneda","year":1995,"rank":9}"#;
    format!("[{}]", vec![vote; count].join(",")).into()
}

/// The length of the frame header, which only gRPC has.
fn prefix(kind: ServiceKind) -> usize {
    if kind == ServiceKind::Grpc { 0 } else { 5 }
}
