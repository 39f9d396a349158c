//! The driver measures itself, against a server in its own process that answers at once: what it adds to every latency,
//! and how many votes a second it can be trusted with.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message;
use proto::votes::{Receipt, Vote};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::call::Encoding;
use super::frame;
use super::load::{self, Outcome, Sample};
use super::schedule::send_times;
use super::target::{Spec, Target};
use crate::plan::{Arm, Plan};
use crate::report::model::Driver;
use crate::stats::quantile::{ascending_ms, nearest_rank};

/// How long it is driven as fast as it can.
const FAST: Duration = Duration::from_millis(500);
/// How long it is driven at the plan's rate.
const AT_RATE: Duration = Duration::from_secs(1);
/// Clients that keep it busy.
const USERS: usize = 64;
/// The share of its highest rate that a plan may ask for. Beyond that votes queue in the driver, and their wait there
/// would count as the route's.
const HONEST_SHARE: f64 = 0.5;

/// Measures each way of writing votes that the plan uses; the worst of them is the driver's word. Errors where the plan
/// asks for more than half of what it can do.
pub async fn measure(plan: &Plan, votes: &[Vote]) -> Result<Driver> {
    let mirror = Mirror::start()?;
    let mut driver = Driver {
        highest_rate: f64::INFINITY,
        ..Driver::default()
    };
    let mut seen = BTreeSet::new();
    for arm in &plan.arms {
        // A stream has less to do for each vote than a call.
        let encoding = match arm.encoding {
            Encoding::GrpcStream => Encoding::Grpc,
            other => other,
        };
        if !seen.insert((arm.version, encoding.content_type())) {
            continue;
        }
        let target = mirror.target(plan, arm, encoding, votes).await?;
        let fast = load::run_closed(&target, USERS, FAST, 0).await?;
        driver.highest_rate = driver
            .highest_rate
            .min(answered(&fast)?.len() as f64 / FAST.as_secs_f64());
        let Some(rate) = plan.highest_rate()? else {
            continue;
        };
        check(rate, driver.highest_rate)?;
        let times = send_times(plan.load.arrival, rate, AT_RATE, plan.design.seed);
        let latencies = answered(&load::run(&target, times, 0).await?)?;
        let quantile = |quantile| nearest_rank(&latencies, quantile).unwrap_or_default();
        driver.overhead_p50_ms = driver.overhead_p50_ms.max(quantile(0.5));
        driver.overhead_p99_ms = driver.overhead_p99_ms.max(quantile(0.99));
    }
    Ok(driver)
}

fn check(rate: f64, highest: f64) -> Result<()> {
    let honest = highest * HONEST_SHARE;
    ensure!(
        rate <= honest,
        "the plan asks for {rate:.0} votes/s. On this machine the driver makes {highest:.0} calls/s to a server that answers \
         at once, and is trusted with half of that: lower load.rate (or the sweep's values) to {honest:.0} or less, or run \
         it where there are more processors"
    );
    Ok(())
}

/// Latencies in ms, ascending.
fn answered(samples: &[Sample]) -> Result<Vec<f64>> {
    for sample in samples {
        if let Outcome::Failed(reason) = &sample.outcome {
            anyhow::bail!("the driver cannot reach the server in its own process: {reason}");
        }
    }
    Ok(ascending_ms(samples.iter().map(|sample| sample.latency)))
}

/// A server that answers every vote at once, on a thread of its own. It ends when this is dropped.
struct Mirror {
    address: SocketAddr,
    _alive: oneshot::Sender<Infallible>,
}

impl Mirror {
    fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (alive, dropped) = oneshot::channel::<Infallible>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("mirror".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        // Its clients are told what is wrong by their connections.
                        _ = serve(listener) => {}
                        _ = dropped => {}
                    }
                });
            })
            .context("starting a thread")?;
        Ok(Self {
            address,
            _alive: alive,
        })
    }

    async fn target(
        &self,
        plan: &Plan,
        arm: &Arm,
        encoding: Encoding,
        votes: &[Vote],
    ) -> Result<Arc<Target>> {
        let mut connections = plan.connections(arm);
        // Dialling belongs to the arm that does it, and is no part of the driver.
        connections.reuse = true;
        let spec = Spec {
            authority: &self.address.to_string(),
            prefix: "",
            version: arm.version,
            encoding,
            connections,
        };
        Ok(Arc::new(Target::open(spec, votes).await?))
    }
}

async fn serve(listener: std::net::TcpListener) -> std::io::Result<Infallible> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            let serving = connection.serve_connection(TokioIo::new(stream), service_fn(answer));
            // What breaks a connection, its client is told.
            let _ = serving.await;
        });
    }
}

type Body = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

async fn answer(request: Request<Incoming>) -> hyper::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let receipt = Receipt {
        vote_id: Uuid::nil().to_string(),
        ..Receipt::default()
    };
    let mut trailers = HeaderMap::new();
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let (status, body) = match content_type {
        Some(b"application/grpc") => {
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            (StatusCode::OK, frame::framed(&receipt))
        }
        Some(b"application/x-protobuf") => (StatusCode::ACCEPTED, receipt.encode_to_vec().into()),
        _ => (
            StatusCode::ACCEPTED,
            format!(r#"{{"vote_id":"{}"}}"#, receipt.vote_id).into(),
        ),
    };
    let trailers = (!trailers.is_empty()).then_some(Ok(trailers));
    let mut response = Response::new(Full::new(body).with_trailers(ready(trailers)));
    *response.status_mut() = status;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans;

    #[tokio::test]
    async fn every_way_of_writing_votes_is_measured() {
        let root = lab::project::root().unwrap();
        let plan = Plan::read(&plans::find(&root, "quick").unwrap()).unwrap();
        let votes = crate::votes::of_the_contest(&root).unwrap();
        let driver = measure(&plan, &votes).await.unwrap();
        assert!(
            driver.highest_rate.is_finite() && driver.overhead_p50_ms > 0.0,
            "{driver:?}"
        );
        assert!(driver.overhead_p99_ms >= driver.overhead_p50_ms);
    }

    #[test]
    fn a_rate_beyond_the_driver_is_refused_with_what_to_do() {
        let error = check(1_200.0, 2_000.0).unwrap_err().to_string();
        assert!(error.contains("1000 or less"), "{error}");
        assert!(check(1_000.0, 2_000.0).is_ok());
    }
}
