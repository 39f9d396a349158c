//! `consumer reconcile`: compares the votes in Kafka, Redis and MongoDB with each other and with the senders' ledgers.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::reconciliation::compare::compare;
use crate::reconciliation::comparison_state::{CompareOptions, StoreContents};
use crate::reconciliation::kafka_votes;
use crate::reconciliation::ledger::Ledger;
use crate::reconciliation::mongodb_votes::MongodbLog;
use crate::reconciliation::redis_tallies::RedisTallies;
use crate::reconciliation::report::Verdict;
use crate::reconciliation::snapshot::Snapshot;
use crate::reconciliation::topic_snapshot::TopicSnapshot;
use crate::store_args::StoreArgs;

/// Options of `consumer reconcile`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    stores: StoreArgs,

    /// File of the sent votes: JSON lines with vote_id, route and ok, as written by the load generator's --ledger;
    /// repeatable
    ///
    /// Together the files must contain every vote ever sent to the topic: other votes count as unacknowledged.
    #[arg(long = "ledger", value_name = "FILE")]
    ledgers: Vec<PathBuf>,

    /// How long to wait until all votes in Kafka are counted, in s; also until the consumers have built the sorted sets of
    /// the highest counts
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait_s: u64,

    /// Do not report votes of the ledger without a receipt: each may have arrived or not
    #[arg(long, requires = "ledgers")]
    tolerate_failed: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Maximum number of votes to list for each difference
    #[arg(long, default_value_t = 20, value_name = "VOTES")]
    list: usize,
}

/// Compares the stores and prints the result. Exit code 0 if they agree, 1 if they differ, 2 if the result is unknown.
pub async fn reconcile(args: ReconcileArgs) -> ExitCode {
    match compare_stores(&args).await {
        Ok((verdict, text)) => {
            println!("{text}");
            match verdict {
                Verdict::Reconciled => ExitCode::SUCCESS,
                Verdict::Different => ExitCode::FAILURE,
                Verdict::Incomplete => ExitCode::from(2),
            }
        }
        Err(error) => {
            eprintln!("could not compare the stores: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn compare_stores(args: &ReconcileArgs) -> Result<(Verdict, String)> {
    let contents = read_stores(args).await?;
    let options = CompareOptions {
        tolerate_failed: args.tolerate_failed,
        max_listed: args.list,
    };
    let reconciliation = compare(&contents, options);
    let text = if args.json {
        reconciliation.to_json()?
    } else {
        reconciliation.to_text()
    };
    Ok((reconciliation.verdict(), text))
}

async fn read_stores(args: &ReconcileArgs) -> Result<StoreContents> {
    // Read the ledger before the topic's extents: its acknowledged votes are then below the ends of the partitions.
    let ledger = (!args.ledgers.is_empty())
        .then(|| Ledger::read(&args.ledgers))
        .transpose()?;
    let redis = RedisTallies::connect(&args.stores.redis.server()?).await?;
    let mongodb = MongodbLog::new(args.stores.mongodb.validated()?.expose()).await?;
    let topic = TopicSnapshot::read(&args.stores.kafka).await?;
    topic
        .wait_until_counted(&redis, Duration::from_secs(args.wait_s))
        .await?;

    let snapshot = read_redis(&redis, Duration::from_secs(args.wait_s)).await?;
    topic.check_unchanged(&snapshot).await?;
    let kafka = {
        let (kafka, extents, snapshot) = (args.stores.kafka.clone(), topic.extents.clone(), snapshot.clone());
        tokio::task::spawn_blocking(move || kafka_votes::read(&kafka, &snapshot, &extents))
    };
    let kafka = async { kafka.await.context("reading Kafka")? };
    let (kafka, mongodb) = tokio::try_join!(kafka, mongodb.read(&snapshot))?;
    topic.check_unchanged(&snapshot).await?;
    Ok(StoreContents {
        uncounted: snapshot.uncounted(&topic.extents),
        snapshot,
        kafka,
        mongodb,
        ledger,
    })
}

/// Reads the snapshot. While the top sets are built, they differ from the hashes, so this waits for them.
async fn read_redis(redis: &RedisTallies, limit: Duration) -> Result<Snapshot> {
    let deadline = Instant::now() + limit;
    loop {
        let snapshot = redis.snapshot().await?;
        if !snapshot.broken.is_empty() {
            bail!(
                "these counts in Redis are not counts, so the consumer cannot increment them: {}. Run `consumer rebuild`",
                snapshot.broken
            );
        }
        let is_settled = snapshot.top_sets.is_complete || snapshot.top_set_differences().is_empty();
        if is_settled || !redis.wait_for_top_sets(deadline).await? {
            return Ok(snapshot);
        }
    }
}
