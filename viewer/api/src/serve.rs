//! The service from its start to its end. It waits for no store: the first answer comes as soon as the socket is bound.

use prometheus::{IntCounter, IntGauge, Registry};
use service::listener;
use service::{CommonArgs, Process};
use tokio::net::TcpStream;
use tower_http::add_extension::AddExtension;

use crate::args::ServeArgs;
use crate::cache::Cached;
use crate::compare::Metrics;
use crate::follow::{Hub, Places, StreamState};
use crate::guard::{Limits, Peer};
use crate::logs::{Exports, Logs};
use crate::observe::Requests;
use crate::reports::Reports;
use crate::router::{App, overflow, router};
use crate::status::{self, Stores};
use crate::tallies::Tallies;

pub(crate) async fn serve(args: ServeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let (mongodb_uri, redis, prometheus) = (args.mongodb_uri()?, args.redis()?, args.prometheus_url()?);
    // Not before: in an address that is wrong, nobody knows which part is the password.
    process.announce(args.effective(&common));
    let address = args.address();
    let tcp = listener::bind(address).await?;
    let registry = &process.registry;
    let logs = Logs::new(mongodb_uri, unreadable(registry)?);
    let places = Places::new(
        args.max_streams,
        args.max_streams_per_client,
        open_streams(registry)?,
    );
    let app = App {
        exports: Exports::default(),
        streams: StreamState {
            hub: Hub::new(logs.clone()),
            places,
            shutdown: process.shutdown.clone(),
        },
        stores: Stores {
            logs,
            tallies: Tallies::new(redis),
            metrics: Metrics::new(prometheus, args.scrape_interval_s)?,
            reports: Reports::new(args.results_dir),
            cached: Cached::new(status::LIFETIME),
        },
    };
    let limits = Limits::new(args.rate_limit, args.trusted_proxies);
    let router = router(app, &args.web_dir, &Requests::new(registry)?, limits);
    let overflow = overflow();
    let services = |stream: &TcpStream| {
        let peer = Peer::of(stream.peer_addr());
        (
            AddExtension::new(router.clone(), peer),
            AddExtension::new(overflow.clone(), peer),
        )
    };
    tracing::info!(listen = %address, "showing votes");
    listener::serve_peers(tcp, services, args.listener, &process).await
}

fn unreadable(registry: &Registry) -> prometheus::Result<IntCounter> {
    let help = "Documents of the log that are no votes and were left out of an answer";
    let counter = IntCounter::new("viewer_unreadable_documents_total", help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn open_streams(registry: &Registry) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new("viewer_open_streams", "Clients that follow the log now")?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
