//! Builds the service and runs it. The start does not wait for stores: the service answers as soon as its socket is bound.

use std::net::SocketAddr;

use prometheus::{IntCounter, IntGauge, Registry};
use service::listener;
use service::{CommonArgs, Process};
use tower_http::add_extension::AddExtension;

use crate::args::ServeArgs;
use crate::cache::Cached;
use crate::client::{Peer, TrustedProxies};
use crate::compare::Metrics;
use crate::follow::{Hub, StreamSlots, StreamState};
use crate::logs::{ExportSlots, Logs};
use crate::rate_limit::RateLimit;
use crate::reports::Reports;
use crate::request_metrics::RequestMetrics;
use crate::router::{AppState, Limits, overflow, router};
use crate::status::{self, Stores};
use crate::tallies::Tallies;

pub(crate) async fn serve(args: ServeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let (mongodb_uri, redis, prometheus) = (args.mongodb_uri()?, args.redis()?, args.prometheus.server()?);
    process.announce(args.effective(&common));
    let address = args.address();
    let tcp = listener::bind(address).await?;
    let registry = &process.registry;
    let logs = Logs::new(&mongodb_uri, unreadable(registry)?);
    let slots = StreamSlots::new(
        args.max_streams,
        args.max_streams_per_client,
        open_streams(registry)?,
    );
    let app = AppState {
        exports: ExportSlots::default(),
        streams: StreamState {
            hub: Hub::new(logs.clone()),
            slots,
            shutdown: process.shutdown.clone(),
        },
        stores: Stores {
            logs,
            tallies: Tallies::new(redis)?,
            metrics: Metrics::new(prometheus, args.scrape_interval_s),
            reports: Reports::new(args.results_dir),
            cached: Cached::new(status::CACHE_LIFETIME),
        },
    };
    let limits = Limits {
        rate: RateLimit::new(args.rate_limit),
        trusted_proxies: TrustedProxies(args.trusted_proxies),
    };
    let router = router(app, &args.web_dir, &RequestMetrics::new(registry)?, limits);
    let overflow = overflow();
    let services = |address: SocketAddr| {
        let peer = Peer(address.ip());
        (
            AddExtension::new(router.clone(), peer),
            AddExtension::new(overflow.clone(), peer),
        )
    };
    tracing::info!(listen = %address, "serving the page and its API");
    listener::serve_per_peer(tcp, services, args.listener, &process).await
}

fn unreadable(registry: &Registry) -> prometheus::Result<IntCounter> {
    let help = "Documents of the log that are not valid votes and were left out of a response";
    let counter = IntCounter::new("viewer_unreadable_documents_total", help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn open_streams(registry: &Registry) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new("viewer_open_streams", "Open streams of the log")?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
