//! `consumer reconcile`: compares what Kafka, Redis and MongoDB hold, and what was acknowledged.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::reconciliation::catch_up::Topic;
use crate::reconciliation::compare::{Books, Compared, Rules, compare};
use crate::reconciliation::kafka;
use crate::reconciliation::ledger::Ledger;
use crate::reconciliation::mongodb::Mongodb;
use crate::reconciliation::redis::Redis;
use crate::reconciliation::report::Verdict;
use crate::store_args::StoreArgs;

/// Options of `consumer reconcile`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    stores: StoreArgs,

    /// What was sent: JSON lines with vote_id, route and ok, as the load driver's --ledger writes them; may be repeated
    ///
    /// Together they must name every vote that was ever sent into the topic, or the others count as unacknowledged.
    #[arg(long = "ledger", value_name = "FILE")]
    ledgers: Vec<PathBuf>,

    /// How long to wait until what is in Kafka is counted, in s
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait_s: u64,

    /// Votes of the ledger without a receipt are no difference: each may have arrived or not
    #[arg(long, requires = "ledgers")]
    tolerate_failed: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Most votes to list of each difference
    #[arg(long, default_value_t = 20, value_name = "VOTES")]
    list: usize,
}

/// Compares and prints. Exit code 0 if all agree, 1 if not, 2 if nobody can tell.
pub async fn reconcile(args: ReconcileArgs) -> ExitCode {
    match compared(&args).await {
        Ok((verdict, text)) => {
            println!("{text}");
            match verdict {
                Verdict::Equal => ExitCode::SUCCESS,
                Verdict::Different => ExitCode::FAILURE,
                Verdict::CannotTell => ExitCode::from(2),
            }
        }
        Err(error) => {
            eprintln!("cannot tell: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn compared(args: &ReconcileArgs) -> Result<(Verdict, String)> {
    let books = read(args).await?;
    let rules = Rules {
        tolerate_failed: args.tolerate_failed,
        list: args.list,
    };
    let compared: Compared = compare(&books, rules);
    let text = if args.json {
        compared.to_json()?
    } else {
        compared.to_text()
    };
    Ok((compared.verdict(), text))
}

async fn read(args: &ReconcileArgs) -> Result<Books> {
    // Before the topic's ends are taken: what it names is in the topic by then.
    let ledger = (!args.ledgers.is_empty())
        .then(|| Ledger::read(&args.ledgers))
        .transpose()?;
    let redis = Redis::connect(&args.stores.redis.url).await?;
    let mongodb = Mongodb::new(&args.stores.mongodb.uri).await?;
    let topic = Topic::now(&args.stores.kafka).await?;
    topic.counted(&redis, Duration::from_secs(args.wait_s)).await?;

    let snapshot = redis.snapshot().await?;
    topic.check(&snapshot).await?;
    let (place, extents, moment) = (args.stores.kafka.clone(), topic.extents.clone(), snapshot.clone());
    let kafka = tokio::task::spawn_blocking(move || kafka::read(&place, &moment, &extents));
    let kafka = async { kafka.await.context("reading Kafka")? };
    let (kafka, mongodb) = tokio::try_join!(kafka, mongodb.read(&snapshot))?;
    topic.check(&snapshot).await?;
    Ok(Books {
        behind: snapshot.behind(&topic.extents),
        snapshot,
        kafka,
        mongodb,
        ledger,
    })
}
