//! `consumer rebuild`: works the counts out again and corrects them, while consumers go on counting.
//!
//! The counts are not replaced but corrected by a difference: what they must be at the fences of a snapshot, less what
//! they were there. What consumers count meanwhile is added by them as ever, so nobody has to be stopped.
//!
//! The ids that are remembered as seen are left alone. They say which votes of a client's id are counted, and that does
//! not change: those below the fences are in the new counts, once, and those beyond are still to come.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::reconciliation::catch_up::Topic;
use crate::reconciliation::kafka;
use crate::reconciliation::mongodb::Mongodb;
use crate::reconciliation::redis::{Redis, Snapshot};
use crate::reconciliation::tallies::Tallies;
use crate::store_args::StoreArgs;

/// Redis that goes back this often while it is being corrected has another problem.
const ATTEMPTS: u32 = 5;

/// Options of `consumer rebuild`.
#[derive(Clone, Debug, clap::Args)]
pub struct RebuildArgs {
    #[command(flatten)]
    stores: StoreArgs,

    /// What to count again
    #[arg(long, value_enum)]
    from: From,

    /// Print the corrections and make none
    #[arg(long)]
    dry_run: bool,

    /// From MongoDB: how long to wait until what is in Kafka is counted, in s
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait_s: u64,
}

/// What to count again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// The records of the topic, as long as it holds all that were ever counted
    Kafka,
    /// The documents of the log, which hold all votes
    Mongodb,
}

/// Corrects the counts and prints how. Exit code 0 if they are right now, or would be.
pub async fn rebuild(args: RebuildArgs) -> ExitCode {
    match corrected(&args).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("not rebuilt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn corrected(args: &RebuildArgs) -> Result<String> {
    let redis = Redis::connect(&args.stores.redis.url).await?;
    for _ in 0..ATTEMPTS {
        let topic = Topic::now(&args.stores.kafka).await?;
        if args.from == From::Mongodb {
            topic.counted(&redis, Duration::from_secs(args.wait_s)).await?;
        }
        let snapshot = redis.snapshot().await?;
        topic.check(&snapshot).await?;
        let truth = truth(args, &topic, &snapshot).await?;
        topic.check(&snapshot).await?;
        let correction = truth.minus(&snapshot.tallies);
        let text = describe(&snapshot.tallies, &correction);
        if correction.is_zero() {
            return Ok(format!("nothing to correct: {} votes", truth.total));
        }
        if args.dry_run {
            return Ok(format!("{text}\nnothing was changed (--dry-run)"));
        }
        if redis.correct(&snapshot, &correction).await? {
            return Ok(format!("{text}\ncorrected"));
        }
        eprintln!(
            "the counts are others than before (Redis was restarted, or somebody corrects them): starting over"
        );
    }
    bail!("the counts in Redis changed {ATTEMPTS} times by more than counting")
}

/// What the counts of `snapshot` must be.
async fn truth(args: &RebuildArgs, topic: &Topic, snapshot: &Snapshot) -> Result<Tallies> {
    match args.from {
        From::Kafka => {
            let (place, extents, moment) =
                (args.stores.kafka.clone(), topic.extents.clone(), snapshot.clone());
            let book = tokio::task::spawn_blocking(move || kafka::read(&place, &moment, &extents))
                .await
                .context("reading Kafka")??;
            match &book.gone {
                None => Ok(book.tallies()),
                Some(reason) => bail!("{reason}. MongoDB has all votes: --from mongodb"),
            }
        }
        From::Mongodb => {
            let behind = snapshot.behind(&topic.extents);
            if behind > 0 {
                // A Redis that came back empty counts votes again that are logged already; which ones, no document says.
                bail!(
                    "{behind} records in Kafka are not counted yet: start a consumer, wait until it has, try again"
                );
            }
            let mongodb = Mongodb::new(&args.stores.mongodb.uri).await?;
            let book = mongodb.read(snapshot).await?;
            if let Some(odd) = book.odd.first() {
                bail!(
                    "{} documents are no votes; remove them first: {odd}",
                    book.odd.len()
                );
            }
            Ok(book.tallies())
        }
    }
}

fn describe(held: &Tallies, correction: &Tallies) -> String {
    let change = |name: &str, held: i64, correction: i64| {
        format!("{name}: {held} -> {} ({correction:+})", held + correction)
    };
    let mut lines = vec![change("total", held.total, correction.total)];
    for ((key, corrections), (_, counts)) in correction.hashes().into_iter().zip(held.hashes()) {
        for (field, correction) in corrections {
            let held = counts.get(field).copied().unwrap_or_default();
            lines.push(change(&format!("{key} {field}"), held, *correction));
        }
    }
    lines.join("\n")
}
