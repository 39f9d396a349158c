//! Requests that announce a large message and do not send it: only bytes that have arrived occupy memory.

use bytes::Bytes;
use e2e::http2_client::{Http2Client, Method, grpc_frame};
use e2e::service_process::ServiceKind;

use super::harness::check_survives;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_messages_hold_no_memory_before_they_arrive() {
    const CALLS: usize = 8_000;
    check_survives(
        "8,000 calls that announce 1 MiB and send 5 bytes",
        async |service| {
            let is_grpc = service.kind() == ServiceKind::Grpc;
            let large = grpc_frame(&vec![0xff; 1 << 20]);
            let headers: &[_] = if is_grpc {
                &[]
            } else {
                &[("content-length", "1048576")]
            };
            let mut calls = Vec::new();
            for _ in 0..4 {
                let mut client = Http2Client::connect(service.kind(), service.address())
                    .await
                    .unwrap();
                for _ in 0..CALLS / 4 {
                    let mut call = client.start_call_with(Method::Batch, headers).await.unwrap();
                    call.body.send_data(large.slice(..5), false).unwrap();
                    calls.push(call);
                }
            }
            let mut client = Http2Client::connect(service.kind(), service.address())
                .await
                .unwrap();
            let whole: Bytes = if is_grpc { large } else { large.slice(5..) };
            let outcome = client.send_call(Method::Batch, whole).await.unwrap();
            assert!(!outcome.is_overloaded(), "{outcome:?}");
            drop(calls);
            "a large batch is read meanwhile".to_owned()
        },
    )
    .await;
}
