//! The services that every gRPC server has: health and reflection.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use http_body_util::BodyExt;
use ingest::Refusal;
use service::Readiness;
use tokio::sync::Semaphore;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::frame;

/// How often the health service is brought in line with the admin port's readiness.
const HEALTH_INTERVAL: Duration = Duration::from_millis(200);
/// Calls of these services at a time. They may stay open for ever, as health's `Watch` does, and must not take the places
/// of votes.
const MAX_CALLS: usize = 256;

/// Health, reflection, and UNIMPLEMENTED for everything else.
pub(crate) fn services(readiness: Readiness) -> anyhow::Result<Router> {
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(mirror_readiness(readiness, reporter));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Clients in the field still ask for the older version of reflection.
    let services = Routes::new(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let places = Arc::new(Semaphore::new(MAX_CALLS));
    let limit = middleware::from_fn(move |request, next| bounded(Arc::clone(&places), request, next));
    Ok(services.into_axum_router().layer(limit))
}

async fn bounded(places: Arc<Semaphore>, request: Request, next: Next) -> http::Response<Body> {
    let Ok(place) = places.try_acquire_owned() else {
        return frame::refuse(&Refusal::Overloaded).map(Body::new);
    };
    let response = next.run(request).await;
    response.map(|body| {
        // The closure lives as long as the answer's body.
        Body::new(body.map_frame(move |frame| {
            let _ = &place;
            frame
        }))
    })
}

/// Keeps `grpc.health.v1.Health` saying what `/readyz` says, for the server as a whole and for each service.
async fn mirror_readiness(readiness: Readiness, reporter: HealthReporter) {
    let mut last_told = None;
    loop {
        let ready = readiness.is_ready();
        if last_told != Some(ready) {
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
            last_told = Some(ready);
        }
        tokio::time::sleep(HEALTH_INTERVAL).await;
    }
}
