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
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::framing;

/// Interval at which the health service copies the readiness of the process.
const HEALTH_INTERVAL: Duration = Duration::from_millis(200);
/// Maximum number of open calls of these services. Calls such as `Watch` of the health service stay open, and must not
/// use up the capacity for votes.
const MAX_CALLS: usize = 256;

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
    let services = Routes::new(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let permits = Arc::new(Semaphore::new(MAX_CALLS));
    let limit = middleware::from_fn(move |request, next| limit_calls(Arc::clone(&permits), request, next));
    Ok(services.into_axum_router().layer(limit))
}

async fn limit_calls(permits: Arc<Semaphore>, request: Request, next: Next) -> http::Response<Body> {
    let Ok(permit) = permits.try_acquire_owned() else {
        return framing::error_response(&IngestError::Overloaded).map(Body::new);
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
