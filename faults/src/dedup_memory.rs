//! Measures the memory that Redis needs for the vote ids that clients choose, with the counting code of the consumer.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use consumer::batch::VoteAtOffset;
use consumer::dead_letter_limit::DeadLetterLevel;
use consumer::tally::{BatchCount, CountOutcome, Tally};
use consumer::vote_groups::VoteGroups;
use ephemeral_stack::EphemeralStack;
use lab::progress::Progress;
use lab::servers::Server;
use tallies::RedisServer;
use uuid::Uuid;
use vote::{Draft, Route, ValidVote, VoteEvent};

use crate::document;
use crate::report::{Table, thousands};

/// The default batch size of the consumer.
const BATCH_SIZE: u32 = 500;
const PARTITION: i32 = 0;
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;

/// Options of `faults dedup-memory`.
#[derive(Clone, Copy, Debug, Args)]
pub struct DedupArgs {
    /// Number of vote ids
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    ids: u32,
}

/// Counts votes with ids of their clients, and compares the memory of Redis before and after.
pub async fn run(options: &DedupArgs, write: Option<&Path>) -> Result<ExitCode> {
    let stack = tokio::task::spawn_blocking(|| EphemeralStack::start_only(&[Server::Redis]))
        .await
        .context("starting Redis")??;
    let measured = measure(options.ids, &stack.endpoints().redis).await;
    tokio::task::spawn_blocking(move || drop(stack))
        .await
        .context("stopping Redis")?;
    let text = measured?;
    println!("{text}");
    if let Some(path) = write {
        document::write(
            path,
            "dedup-memory",
            &format!("{}.\n\n{text}", document::date_and_machine()?),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(ids: u32, redis_url: &str) -> Result<String> {
    // Longer than the measurement: no id may expire while others are added.
    let tally = Tally::new(RedisServer::at(redis_url)?, Duration::from_hours(24))?;
    let topic_id = Uuid::new_v4();
    tally.register_topic(topic_id).await?;
    let mut counter = Counter {
        tally,
        topic_id,
        applied_offset: None,
        vote: example_vote()?,
    };
    // Excludes the memory of the tallies and of the connection from the result.
    counter.count(1, false).await?;
    let before = used_memory(redis_url).await?;
    let step = Progress::new().step("counting votes");
    let mut left = ids;
    while left > 0 {
        let size = left.min(BATCH_SIZE);
        counter.count(size, true).await?;
        left -= size;
        step.update(&format!(
            "{} of {} ids",
            thousands(u64::from(ids - left)),
            thousands(u64::from(ids))
        ));
    }
    let after = used_memory(redis_url).await?;
    step.done(&format!("{} ids", thousands(u64::from(ids))));
    let bytes_per_id = (after - before) as f64 / f64::from(ids);
    let mut table = Table::new(&[
        "ids",
        "used_memory before, MiB",
        "after, MiB",
        "bytes per id",
        "MiB per million",
    ]);
    table.row([
        thousands(u64::from(ids)),
        format!("{:.1}", before as f64 / BYTES_PER_MIB),
        format!("{:.1}", after as f64 / BYTES_PER_MIB),
        format!("{bytes_per_id:.0}"),
        format!("{:.0}", bytes_per_id * 1e6 / BYTES_PER_MIB),
    ]);
    Ok(table.markdown())
}

/// Counts votes like the consumer: one batch after the other, in one partition.
struct Counter {
    tally: Tally,
    topic_id: Uuid,
    applied_offset: Option<i64>,
    vote: vote::Vote,
}

impl Counter {
    async fn count(&mut self, size: u32, id_from_client: bool) -> Result<()> {
        let first = self.applied_offset.unwrap_or_default();
        let offsets = first..first + i64::from(size);
        let votes: Vec<VoteAtOffset> = offsets
            .map(|offset| self.logged_vote(offset, id_from_client))
            .collect();
        let next_offset = first + i64::from(size);
        let batch = BatchCount {
            topic_id: self.topic_id,
            partition: PARTITION,
            applied_offset: self.applied_offset,
            next_offset,
            level: DeadLetterLevel::default(),
            votes: &VoteGroups::of(&votes),
        };
        match self.tally.count(batch).await? {
            CountOutcome::Counted { duplicates, .. } if duplicates.is_empty() => {
                self.applied_offset = Some(next_offset);
            }
            other => bail!("a batch of new ids was not counted: {other:?}"),
        }
        Ok(())
    }

    fn logged_vote(&self, offset: i64, id_from_client: bool) -> VoteAtOffset {
        let event = VoteEvent {
            vote_id: Uuid::new_v4(),
            id_from_client,
            vote: self.vote.clone(),
            route: Route::Rest,
            received_at_us: 0,
        };
        VoteAtOffset::new(offset, event)
    }
}

fn example_vote() -> Result<vote::Vote> {
    let json = r#"{"name": "Alux Nahual", "album": "Centroamérica", "year": "1984", "rank": "9.5"}"#;
    let draft = Draft::from_json(json.as_bytes())?;
    match draft.validate() {
        Ok(ValidVote { vote, .. }) => Ok(vote),
        Err(errors) => bail!("the example vote is invalid: {errors:?}"),
    }
}

/// Bytes that Redis has allocated for its data.
async fn used_memory(redis_url: &str) -> Result<u64> {
    let mut connection = redis::Client::open(redis_url)?
        .get_multiplexed_async_connection()
        .await?;
    let info: redis::InfoDict = redis::cmd("INFO")
        .arg("memory")
        .query_async(&mut connection)
        .await?;
    info.get("used_memory")
        .context("the output of INFO has no used_memory")
}
