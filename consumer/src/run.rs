//! `consumer run`: connects to the stores, then runs a pipeline until the process shuts down.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kafka::TopicIds;
use kafka::dead_letter::DeadLetterTopic;
use kafka::source::{Source, SourceConfig};
use service::Process;
use tokio_util::sync::CancellationToken;

use crate::apply::Stores;
use crate::args::RunArgs;
use crate::batch_trace::BatchTracer;
use crate::conflicts::Conflicts;
use crate::log_writer::LogWriter;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::pipeline_end::PipelineEnd;
use crate::store_retry::StoreRetry;
use crate::tally::Tally;

/// The longest time for which readers see incomplete top sets (the sorted sets of the highest counts), after an upgrade for example.
const TOP_SETS_INTERVAL: Duration = Duration::from_secs(2);
const MONGODB_PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// The delay between a failed source and the next one.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Consumes until `process` shuts down. Waits for stores that are not available. Errors if an option is invalid or if the
/// dead-letter limit is exceeded.
pub(crate) async fn run(args: RunArgs, process: Process) -> anyhow::Result<()> {
    let effective = args.effective();
    process.announce(effective.with_all("traces.", process.traces.settings()));
    let stores = Arc::new(connect(&args, &process).await?);
    tokio::select! {
        prepared = prepare(&args, &stores, &process.shutdown) => if prepared.is_none() {
            return Ok(());
        },
        // No batch is in flight yet, so a running attempt can be cancelled.
        () = process.shutdown.cancelled() => return Ok(()),
    }
    let probe = tokio::spawn(probe_mongodb(Arc::clone(&stores)));
    let top_sets = tokio::spawn(complete_top_sets(Arc::clone(&stores)));
    let outcome = consume(&args, &stores, &process).await;
    probe.abort();
    top_sets.abort();
    outcome
}

async fn connect(args: &RunArgs, process: &Process) -> anyhow::Result<Stores> {
    let metrics = Metrics::new(&process.registry)?;
    let brokers = args.stores.kafka.brokers.open()?;
    let store = |name, duration: &prometheus::Histogram| {
        StoreRetry::new(process.readiness.register(name), duration.clone())
    };
    Ok(Stores {
        tally: Tally::new(args.stores.redis.server()?, args.dedup_window())?,
        log: LogWriter::new(args.stores.mongodb.validated()?.expose())
            .await
            .context("--mongodb-uri")?,
        dead_letters: DeadLetterTopic::new(&brokers, &args.stores.kafka.dead_letter_topic)?,
        brokers: brokers.clone(),
        topic: args.stores.kafka.topic.clone(),
        topic_ids: TopicIds::new(&brokers, &args.stores.kafka.topic),
        dead_letter_limit: args.dead_letter_limit,
        redis: store("redis", &metrics.redis_duration),
        mongodb: store("mongodb", &metrics.mongodb_duration),
        kafka: store("kafka", &metrics.kafka_duration),
        conflicts: Conflicts::new(&process.registry)?,
        tracer: BatchTracer::new(process.traces.tracer(), &args.stores.kafka.topic, &args.group),
        metrics,
    })
}

/// Waits for the stores and creates what is missing, before the consumer joins the group. A member without stores would
/// take partitions from other members and not count their votes.
async fn prepare(args: &RunArgs, stores: &Stores, shutdown: &CancellationToken) -> Option<()> {
    let ensure_dead_letter_topic =
        || kafka::admin::ensure_topic(&stores.brokers, &args.stores.kafka.dead_letter_topic, 1);
    stores
        .mongodb
        .retry(shutdown, || stores.log.ensure_collection())
        .await?;
    stores
        .redis
        .retry(shutdown, || stores.tally.applied_offsets(&[]))
        .await?;
    stores.kafka.retry(shutdown, ensure_dead_letter_topic).await
}

async fn consume(args: &RunArgs, stores: &Arc<Stores>, process: &Process) -> anyhow::Result<()> {
    let config = SourceConfig {
        brokers: stores.brokers.clone(),
        topic: args.stores.kafka.topic.clone(),
        group: args.group.clone(),
        max_outstanding: args.max_outstanding as usize,
    };
    // The rest of the time remains for leaving the group.
    let drain = process.drain_timeout.mul_f64(0.7);
    loop {
        let source = Source::start(&config).context("cannot start consuming")?;
        let pipeline = Pipeline::new(Arc::clone(stores), args.batch_limits(), source);
        match pipeline.run(&process.shutdown, drain).await {
            PipelineEnd::Shutdown => return Ok(()),
            PipelineEnd::Restart(reason) => {
                tracing::warn!(reason, "consuming ended; starting again in {RESTART_DELAY:?}");
                stores.kafka.report_probe::<(), _>(Err(reason));
            }
            PipelineEnd::DeadLetterLimitExceeded(exceeded) => return Err(exceeded.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(RESTART_DELAY) => {}
            () = process.shutdown.cancelled() => return Ok(()),
        }
    }
}

/// Detects an outage of MongoDB while there is no vote to log. (The pipeline probes Redis and Kafka.)
async fn probe_mongodb(stores: Arc<Stores>) {
    loop {
        stores.mongodb.report_probe(stores.log.ping().await);
        tokio::time::sleep(MONGODB_PROBE_INTERVAL).await;
    }
}

/// Builds the top sets whenever they are not complete. A failure only delays them: counting reports it to the readiness
/// check of Redis.
async fn complete_top_sets(stores: Arc<Stores>) {
    loop {
        if let Err(error) = stores.tally.complete_top_sets().await {
            tracing::debug!(%error, "could not build the top sets; retrying");
        }
        tokio::time::sleep(TOP_SETS_INTERVAL).await;
    }
}
