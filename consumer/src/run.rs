//! `consumer run`: connects everything, then keeps a pipeline going until the process is told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kafka::TopicIds;
use kafka::dead_letter::DeadLetters;
use kafka::source::{Source, SourceConfig};
use service::Process;
use tokio_util::sync::CancellationToken;

use crate::apply::Stores;
use crate::args::RunArgs;
use crate::metrics::Metrics;
use crate::pipeline::{Ended, Pipeline};
use crate::store::Store;
use crate::tally::Tally;
use crate::vote_log::VoteLog;

const MONGODB_PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// Between a failed source and the next.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Consumes until `process` shuts down. Errors only for options that cannot work: stores that are away are waited for.
pub async fn run(args: RunArgs, process: Process) -> anyhow::Result<()> {
    process.announce(args.effective());
    let stores = Arc::new(connect(&args, &process).await?);
    tokio::select! {
        prepared = prepare(&args, &stores, &process.shutdown) => if prepared.is_none() {
            return Ok(());
        },
        // Nothing is in flight yet: no attempt is worth waiting for.
        () = process.shutdown.cancelled() => return Ok(()),
    }
    let probe = tokio::spawn(probe_mongodb(Arc::clone(&stores)));
    let outcome = consume(&args, &stores, &process).await;
    probe.abort();
    outcome
}

async fn connect(args: &RunArgs, process: &Process) -> anyhow::Result<Stores> {
    let metrics = Metrics::new(&process.registry)?;
    let store = |name, duration: &prometheus::Histogram| {
        Store::new(process.readiness.register(name), duration.clone())
    };
    Ok(Stores {
        tally: Tally::new(&args.stores.redis.url, args.dedup_window()).context("--redis-url")?,
        log: VoteLog::new(&args.stores.mongodb.uri)
            .await
            .context("--mongodb-uri")?,
        dead_letters: DeadLetters::new(&args.stores.kafka.brokers, &args.stores.kafka.dead_letter_topic)?,
        topic: args.stores.kafka.topic.clone(),
        topic_ids: TopicIds::new(&args.stores.kafka.brokers, &args.stores.kafka.topic),
        dead_letter_limit: args.dead_letter_limit,
        redis: store("redis", &metrics.redis_duration),
        mongodb: store("mongodb", &metrics.mongodb_duration),
        kafka: store("kafka", &metrics.kafka_duration),
        metrics,
    })
}

/// What must be there before the group is joined: a member that cannot work would only take partitions from others.
async fn prepare(args: &RunArgs, stores: &Stores, shutdown: &CancellationToken) -> Option<()> {
    let make_dead_letter_topic = || {
        kafka::admin::ensure_topic(
            &args.stores.kafka.brokers,
            &args.stores.kafka.dead_letter_topic,
            1,
        )
    };
    stores
        .mongodb
        .retry(shutdown, || stores.log.ensure_index())
        .await?;
    stores.redis.retry(shutdown, || stores.tally.fences(&[])).await?;
    stores.kafka.retry(shutdown, make_dead_letter_topic).await
}

async fn consume(args: &RunArgs, stores: &Arc<Stores>, process: &Process) -> anyhow::Result<()> {
    let config = SourceConfig {
        brokers: args.stores.kafka.brokers.clone(),
        topic: args.stores.kafka.topic.clone(),
        group: args.group.clone(),
        max_outstanding: args.max_outstanding as usize,
    };
    // The rest of the time is for leaving the group.
    let drain = process.drain_timeout.mul_f64(0.7);
    loop {
        let source = Source::start(&config).context("cannot start consuming")?;
        let pipeline = Pipeline::new(Arc::clone(stores), args.batch_limits(), source);
        match pipeline.run(&process.shutdown, drain).await {
            Ended::Shutdown => return Ok(()),
            Ended::SourceFailed(reason) => {
                tracing::warn!(reason, "starting over");
                stores.kafka.probed::<(), _>(Err(reason));
            }
            Ended::Flood(flood) => return Err(flood.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(RESTART_DELAY) => {}
            () = process.shutdown.cancelled() => return Ok(()),
        }
    }
}

/// Notices a MongoDB that goes away while there is nothing to log. (The pipeline looks at Redis and Kafka itself.)
async fn probe_mongodb(stores: Arc<Stores>) {
    loop {
        stores.mongodb.probed(stores.log.ping().await);
        tokio::time::sleep(MONGODB_PROBE_INTERVAL).await;
    }
}
