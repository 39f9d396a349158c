//! `consumer replay-dead-letters`: sends dead-letter records back to their topic, after a fix.

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;

use anyhow::{Context, Result};
use kafka::dead_letter::Origin;
use kafka::{Record, RecordWriter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;
use vote::VoteEvent;

use crate::progress::Progress;
use crate::reconciliation::mongodb_votes::MongodbLog;
use crate::store_args::{ConsumerKafkaArgs, MongodbArgs};

/// Dead-letter records that are looked up and sent together.
const CHUNK: usize = 500;
/// Most skipped records for which the reason is printed.
const MAX_EXPLAINED: u64 = 20;

/// Options of `consumer replay-dead-letters`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    kafka: ConsumerKafkaArgs,

    #[command(flatten)]
    mongodb: MongodbArgs,

    /// Print what would be sent, without sending it
    #[arg(long)]
    dry_run: bool,
}

/// Replays dead-letter records and prints how many. Exit code 0 if every decodable record is sent or already logged.
pub async fn replay(args: ReplayArgs) -> ExitCode {
    let mut replay = match Replay::new(args).await {
        Ok(replay) => replay,
        Err(error) => {
            eprintln!("nothing was sent: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = replay.run().await;
    println!("{}", replay.summary());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stopped before the end; you may safely run this command again: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Replay {
    args: ReplayArgs,
    mongodb: MongodbLog,
    writer: RecordWriter,
    dead_letters: u64,
    /// Votes that are sent, or would be without --dry-run.
    sent: HashSet<Uuid>,
    acknowledged: u64,
    already_logged: u64,
    /// The number of skipped records, by reason.
    skipped: BTreeMap<String, u64>,
    explained: u64,
}

/// A dead-letter record that can be replayed.
struct Replayable {
    event: VoteEvent,
    origin: Origin,
    dead_letter: Record,
}

impl Replay {
    async fn new(args: ReplayArgs) -> Result<Self> {
        Ok(Self {
            mongodb: MongodbLog::new(args.mongodb.validated()?.expose()).await?,
            writer: RecordWriter::new(&args.kafka.brokers.open()?, &args.kafka.topic)?,
            args,
            dead_letters: 0,
            sent: HashSet::new(),
            acknowledged: 0,
            already_logged: 0,
            skipped: BTreeMap::new(),
            explained: 0,
        })
    }

    async fn run(&mut self) -> Result<()> {
        let ConsumerKafkaArgs {
            brokers,
            dead_letter_topic: topic,
            ..
        } = self.args.kafka.clone();
        let brokers = brokers.open()?;
        // The channel is bounded: a large dead-letter topic may not fit into memory.
        let (scanned, mut received) = mpsc::channel(CHUNK);
        let scan = tokio::task::spawn_blocking(move || {
            kafka::scan(&brokers, &topic, |dead_letter| {
                // Fails only after another failure, which `run` reports.
                let _ = scanned.blocking_send(dead_letter.clone());
            })
        });
        let mut progress = Progress::new("replaying");
        let mut chunk = Vec::with_capacity(CHUNK);
        while received.recv_many(&mut chunk, CHUNK).await > 0 {
            self.dead_letters += chunk.len() as u64;
            self.replay(std::mem::take(&mut chunk)).await?;
            progress.report(|| {
                format!(
                    "{} dead-letter records read, {} sent",
                    self.dead_letters,
                    self.sent.len()
                )
            });
        }
        scan.await?
            .with_context(|| format!("reading the topic {}", self.args.kafka.dead_letter_topic))
    }

    async fn replay(&mut self, dead_letters: Vec<Record>) -> Result<()> {
        let mut replayable = Vec::new();
        for dead_letter in dead_letters {
            match self.decode(&dead_letter) {
                Ok((event, origin)) => replayable.push(Replayable {
                    event,
                    origin,
                    dead_letter,
                }),
                Err(reason) => self.skip(&dead_letter, reason),
            }
        }
        let events: Vec<_> = replayable.iter().map(|record| &record.event).collect();
        let logged = self.mongodb.logged(&events).await?;
        let mut sending = JoinSet::new();
        for Replayable {
            event,
            origin,
            dead_letter,
        } in replayable
        {
            let id = event.vote_id;
            // The topic may hold two copies of a dead-letter record.
            if logged.contains(&id) || !self.sent.insert(id) {
                self.already_logged += 1;
                continue;
            }
            if !self.args.dry_run {
                let writer = self.writer.clone();
                sending.spawn(async move { writer.write(&origin.replay(dead_letter)).await });
            }
        }
        while let Some(sent) = sending.join_next().await {
            sent?.context("sending a record back to its topic")?;
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// The vote and the origin of a dead-letter record, or why it cannot be replayed.
    fn decode(&self, dead_letter: &Record) -> Result<(VoteEvent, Origin), String> {
        let event = VoteEvent::decode(&dead_letter.payload).map_err(|error| error.to_string())?;
        let origin = Origin::of(dead_letter).ok_or("its headers do not give its origin")?;
        if origin.topic != self.args.kafka.topic {
            let topic = origin.topic;
            return Err(format!(
                "it is from another topic: use --topic {topic} to replay it"
            ));
        }
        Ok((event, origin))
    }

    fn skip(&mut self, dead_letter: &Record, reason: String) {
        if self.explained < MAX_EXPLAINED {
            self.explained += 1;
            let topic = &self.args.kafka.dead_letter_topic;
            let (partition, offset) = (dead_letter.partition, dead_letter.offset);
            println!("skipped: {topic} {partition}/{offset}: {reason}");
        }
        *self.skipped.entry(reason).or_default() += 1;
    }

    fn summary(&self) -> String {
        let (sent, would) = if self.args.dry_run {
            (self.sent.len() as u64, " would be")
        } else {
            (self.acknowledged, "")
        };
        let mut lines = vec![format!(
            "{} dead-letter records: {sent}{would} sent again, {} already logged or duplicate, {} skipped",
            self.dead_letters,
            self.already_logged,
            self.skipped.values().sum::<u64>()
        )];
        let reasons = self.skipped.iter();
        lines.extend(reasons.map(|(reason, records)| format!("  {records} skipped: {reason}")));
        lines.join("\n")
    }
}
