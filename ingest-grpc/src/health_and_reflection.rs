//! The standard services of a gRPC server: health and reflection.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use http_body_util::BodyExt;
use ingest::IngestError;
use service::Readiness;
use tokio::sync::Semaphore;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::status;

/// Interval at which the health service copies the readiness of the process.
const HEALTH_INTERVAL: Duration = Duration::from_millis(200);
/// Maximum number of open calls of these services. Calls such as `Watch` of the health service stay open, and must not
/// use up the capacity for votes.
const MAX_CALLS: usize = 256;

/// Maximum size of a request, compressed and decompressed. They are not counted in the memory budget.
const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// Whether the path belongs to one of these services.
pub(crate) fn has_service(path: &str) -> bool {
    path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.")
}

/// Serves health and reflection, and UNIMPLEMENTED for every unknown method.
pub(crate) fn services(readiness: Readiness) -> anyhow::Result<Router> {
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(copy_readiness(readiness, reporter));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Many clients still use the older version of reflection.
    let (v1, v1alpha) = (reflection().build_v1()?, reflection().build_v1alpha()?);
    // Clients that compress every call compress these too.
    let gzip = CompressionEncoding::Gzip;
    let services = Routes::new(
        health
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .accept_compressed(gzip),
    )
    .add_service(
        v1.max_decoding_message_size(MAX_REQUEST_BYTES)
            .accept_compressed(gzip),
    )
    .add_service(
        v1alpha
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .accept_compressed(gzip),
    );
    let permits = Arc::new(Semaphore::new(MAX_CALLS));
    let limit = middleware::from_fn(move |request, next| limit_calls(Arc::clone(&permits), request, next));
    Ok(services.into_axum_router().layer(limit))
}

async fn limit_calls(permits: Arc<Semaphore>, request: Request, next: Next) -> http::Response<Body> {
    let Ok(permit) = permits.try_acquire_owned() else {
        return status::error_response(&IngestError::Overloaded).map(Body::new);
    };
    let response = next.run(request).await;
    response.map(|body| {
        // The closure holds the permit until the response body is dropped.
        Body::new(body.map_frame(move |frame| {
            let _ = &permit;
            frame
        }))
    })
}

/// Keeps `grpc.health.v1.Health` equal to `/readyz`, for the server as a whole and for each service. Never returns.
async fn copy_readiness(readiness: Readiness, reporter: HealthReporter) {
    let mut last_reported = None;
    loop {
        let ready = readiness.is_ready();
        if last_reported != Some(ready) {
            let status = if ready {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            for service in [
                "",
                "votes.v1.VoteService",
                "votes.v1.BridgeService",
                "confproto.getInfo",
            ] {
                reporter.set_service_status(service, status).await;
            }
            last_reported = Some(ready);
        }
        tokio::time::sleep(HEALTH_INTERVAL).await;
    }
}
