//! Small messages that decompress to large ones. gRPC only; REST has its own test.

use bytes::Bytes;
use e2e::http2_client::{CallOutcome, Http2Client, Method, gzip_frame};
use e2e::service_process::{ServiceKind, ServiceProcess};
use futures::future::join_all;

use super::harness::{BackgroundClient, count_outcomes, report};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_bombs_are_rejected_at_the_limit() {
    let mut service = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let background_client = BackgroundClient::start(&service).await;
    // About 16 KiB and 1 MiB, the largest messages of a vote and of a batch; decompressed, 16 MiB and 1 GiB.
    let bombs = [
        (Method::Single, gzip_frame(&vec![0; 16_000_000]), 400),
        (Method::Stream, gzip_frame(&vec![0; 16_000_000]), 400),
        (Method::Batch, gzip_frame(&vec![0; 1_000_000_000]), 100),
    ];
    let mut outcomes = Vec::new();
    for (method, bomb, calls) in bombs {
        let attacks = (0..calls).map(|_| send(&service, method, bomb.clone()));
        outcomes.extend(join_all(attacks).await);
    }
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.as_ref().is_ok_and(is_rejected)),
        "{outcomes:?}"
    );
    let background = background_client.stop().await;
    assert!(background.iter().all(CallOutcome::is_receipt));
    let summary = count_outcomes(outcomes);
    let name = "900 messages of 16 KiB and 1 MiB that decompress to 16 MiB and 1 GiB";
    report(name, &mut service, &summary, background.len()).await;
}

async fn send(service: &ServiceProcess, method: Method, bomb: Bytes) -> anyhow::Result<CallOutcome> {
    let mut client = Http2Client::connect(ServiceKind::Grpc, service.address()).await?;
    let mut call = client
        .start_call_with(method, &[("grpc-encoding", "gzip")])
        .await?;
    call.body.send_data(bomb, true)?;
    call.outcome().await
}

/// Too large, or beyond the memory budget.
fn is_rejected(outcome: &CallOutcome) -> bool {
    outcome.grpc_code == Some(tonic::Code::InvalidArgument.into()) || outcome.is_overloaded()
}
