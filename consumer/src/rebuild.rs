//! `consumer rebuild`: recomputes the counts and corrects them, while consumers keep counting.
//!
//! The command does not replace the counts, but adds a correction: the correct counts at the applied offsets of a snapshot,
//! minus the counts of the snapshot. Consumers add later votes as usual, so you need not stop them.
//!
//! The command does not change the client-chosen ids that Redis remembers. The corrected counts contain each vote
//! below the applied offsets once, so a vote with such an id is included and must not be counted again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::reconciliation::kafka_votes;
use crate::reconciliation::mongodb_votes::MongodbLog;
use crate::reconciliation::redis_tallies::RedisTallies;
use crate::reconciliation::snapshot::Snapshot;
use crate::reconciliation::tally_counts::TallyCounts;
use crate::reconciliation::topic_snapshot::TopicSnapshot;
use crate::store_args::StoreArgs;

/// Further corrections are made, but not printed: clients choose the names of bands, so there may be millions.
const MAX_PRINTED: usize = 1_000;
/// After this many conflicts the command fails, because something else keeps changing Redis.
const MAX_ATTEMPTS: u32 = 5;

/// Options of `consumer rebuild`.
#[derive(Clone, Debug, clap::Args)]
pub struct RebuildArgs {
    #[command(flatten)]
    stores: StoreArgs,

    /// The store whose votes to count
    #[arg(long, value_enum)]
    from: Source,

    /// Print the corrections without making them
    #[arg(long)]
    dry_run: bool,

    /// With --from mongodb: how long to wait until all votes in Kafka are counted, in s
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait_s: u64,
}

/// The store whose votes to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Source {
    /// The records of the topic, if it still holds all votes ever counted
    Kafka,
    /// The documents of the log, which holds all votes
    Mongodb,
}

/// Corrects the counts and prints the corrections. Exit code 0 on success, also with --dry-run.
pub async fn rebuild(args: RebuildArgs) -> ExitCode {
    match correct(&args).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("could not rebuild the tallies: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn correct(args: &RebuildArgs) -> Result<String> {
    let redis = RedisTallies::connect(&args.stores.redis.server()?).await?;
    delete_broken_counts(&redis, args.dry_run).await?;
    for _ in 0..MAX_ATTEMPTS {
        let topic = TopicSnapshot::read(&args.stores.kafka).await?;
        if args.from == Source::Mongodb {
            topic
                .wait_until_counted(&redis, Duration::from_secs(args.wait_s))
                .await?;
        }
        let snapshot = redis.snapshot().await?;
        topic.check_unchanged(&snapshot).await?;
        let expected = expected_counts(args, &topic, &snapshot).await?;
        topic.check_unchanged(&snapshot).await?;
        let correction = expected.minus(&snapshot.counts);
        // The top sets follow the counts: a correction of the counts changes them too.
        let top_sets = if correction.is_zero() {
            snapshot.top_set_differences()
        } else {
            Vec::new()
        };
        if correction.is_zero() && top_sets.is_empty() {
            if !args.dry_run {
                redis.build_top_sets().await?;
            }
            return Ok(format!("nothing to correct: {} votes", expected.total));
        }
        let text = describe(&snapshot.counts, &correction, top_sets);
        if args.dry_run {
            return Ok(format!("{text}\nnothing was changed (--dry-run)"));
        }
        if correction.is_zero() || redis.correct(&snapshot, &correction).await? {
            redis.build_top_sets().await?;
            return Ok(format!("{text}\ncorrected"));
        }
        eprintln!(
            "the correction no longer matches the counts (Redis was restarted, or another rebuild corrected them): retrying"
        );
    }
    bail!(
        "{MAX_ATTEMPTS} corrections no longer matched the counts in Redis: check that Redis is stable and that no other \
         rebuild runs"
    )
}

/// Deletes counts that no consumer can increment. Consumers that wait for them continue and count from 0; the correction then
/// adds the rest.
async fn delete_broken_counts(redis: &RedisTallies, dry_run: bool) -> Result<()> {
    let broken = redis.snapshot().await?.broken;
    if broken.is_empty() {
        return Ok(());
    }
    println!("not counts, so that no consumer can increment them: {broken}");
    if dry_run {
        Ok(())
    } else {
        redis.delete_broken(&broken).await
    }
}

/// The correct counts at the applied offsets of `snapshot`.
async fn expected_counts(
    args: &RebuildArgs,
    topic: &TopicSnapshot,
    snapshot: &Snapshot,
) -> Result<TallyCounts> {
    match args.from {
        Source::Kafka => {
            let (kafka, extents, snapshot) =
                (args.stores.kafka.clone(), topic.extents.clone(), snapshot.clone());
            let votes = tokio::task::spawn_blocking(move || kafka_votes::read(&kafka, &snapshot, &extents))
                .await
                .context("reading Kafka")??;
            match &votes.incomplete {
                None => Ok(votes.counts()),
                Some(reason) => bail!("{reason}. MongoDB has all votes: use --from mongodb"),
            }
        }
        Source::Mongodb => {
            let uncounted = snapshot.uncounted(&topic.extents);
            if uncounted > 0 {
                // After Redis lost its data, the consumer counts votes again that are already logged. The documents do not
                // show which of them are counted.
                bail!(
                    "{uncounted} records in Kafka are not counted yet: start a consumer, wait until it has counted them, and \
                     run this command again"
                );
            }
            let mongodb = MongodbLog::new(args.stores.mongodb.validated()?.expose()).await?;
            let votes = mongodb.read(snapshot).await?;
            if let Some(first) = votes.invalid.first() {
                bail!(
                    "{} documents are not votes; delete them and run this command again. The first one: {first}",
                    votes.invalid.len()
                );
            }
            Ok(votes.counts())
        }
    }
}

/// A line for each correction of a count, and one for each member by which a top set differs from its hash.
fn describe(actual: &TallyCounts, correction: &TallyCounts, top_sets: Vec<String>) -> String {
    let change = |name: &str, actual: i64, correction: i64| {
        format!("{name}: {actual} -> {} ({correction:+})", actual + correction)
    };
    let mut lines = vec![change("total", actual.total, correction.total)];
    for ((hash, corrections), (_, counts)) in correction.iter().zip(actual.iter()) {
        for (field, correction) in corrections {
            let actual = counts.get(field).copied().unwrap_or_default();
            lines.push(change(&format!("{} {field}", hash.key()), actual, *correction));
        }
    }
    lines.extend(top_sets);
    let more = lines.len().saturating_sub(MAX_PRINTED);
    if more > 0 {
        lines.truncate(MAX_PRINTED);
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}
