//! `consumer replay-dead-letters`: sends dead letters back to where they came from, after a fix.

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
use crate::reconciliation::mongodb::Mongodb;
use crate::store_args::{KafkaArgs, MongodbArgs};

/// Letters that are looked up and sent at a time.
const CHUNK: usize = 500;
/// Most letters to say of why each was left.
const EXPLAINED: u64 = 20;

/// Options of `consumer replay-dead-letters`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    kafka: KafkaArgs,

    #[command(flatten)]
    mongodb: MongodbArgs,

    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Sends letters and prints how many. Exit code 0 if every letter that can be read is on its way or done.
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
            eprintln!("stopped early, and to start again is safe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Replay {
    args: ReplayArgs,
    mongodb: Mongodb,
    writer: RecordWriter,
    letters: u64,
    /// Votes that are on their way, or would be.
    sent: HashSet<Uuid>,
    acknowledged: u64,
    logged: u64,
    left: BTreeMap<String, u64>,
    explained: u64,
}

/// A letter that can be sent back.
struct Readable {
    id: Uuid,
    origin: Origin,
    letter: Record,
}

impl Replay {
    async fn new(args: ReplayArgs) -> Result<Self> {
        Ok(Self {
            mongodb: Mongodb::new(&args.mongodb.uri).await?,
            writer: RecordWriter::new(&args.kafka.brokers, &args.kafka.topic)?,
            args,
            letters: 0,
            sent: HashSet::new(),
            acknowledged: 0,
            logged: 0,
            left: BTreeMap::new(),
            explained: 0,
        })
    }

    async fn run(&mut self) -> Result<()> {
        let KafkaArgs {
            brokers,
            dead_letter_topic: topic,
            ..
        } = self.args.kafka.clone();
        // Bounded: a flood of letters need not fit into memory.
        let (letters, mut received) = mpsc::channel(CHUNK);
        let scan = tokio::task::spawn_blocking(move || {
            kafka::scan(&brokers, &topic, |letter| {
                // Nobody listens after a failure, which is what will be reported.
                let _ = letters.blocking_send(letter.clone());
            })
        });
        let mut progress = Progress::new("replaying");
        let mut chunk = Vec::with_capacity(CHUNK);
        while received.recv_many(&mut chunk, CHUNK).await > 0 {
            self.letters += chunk.len() as u64;
            self.replay(std::mem::take(&mut chunk)).await?;
            progress.at(|| format!("{} letters read, {} sent", self.letters, self.sent.len()));
        }
        scan.await?
            .with_context(|| format!("reading the topic {}", self.args.kafka.dead_letter_topic))
    }

    async fn replay(&mut self, letters: Vec<Record>) -> Result<()> {
        let mut readable = Vec::new();
        for letter in letters {
            match self.read(&letter) {
                Ok((id, origin)) => readable.push(Readable { id, origin, letter }),
                Err(reason) => self.leave(&letter, reason),
            }
        }
        let ids: Vec<Uuid> = readable.iter().map(|letter| letter.id).collect();
        let logged = self.mongodb.logged(&ids).await?;
        let mut sending = JoinSet::new();
        for Readable { id, origin, letter } in readable {
            // A letter may have been written twice.
            if logged.contains(&id) || !self.sent.insert(id) {
                self.logged += 1;
                continue;
            }
            if !self.args.dry_run {
                let writer = self.writer.clone();
                sending.spawn(async move { writer.write(&origin.replay(letter)).await });
            }
        }
        while let Some(sent) = sending.join_next().await {
            sent?.context("sending a letter back")?;
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// The vote of a letter and the way back, or why there is none.
    fn read(&self, letter: &Record) -> Result<(Uuid, Origin), String> {
        let event = VoteEvent::decode(&letter.payload).map_err(|error| error.to_string())?;
        let origin = Origin::of(letter).ok_or("it does not say where it came from")?;
        if origin.topic != self.args.kafka.topic {
            let topic = origin.topic;
            return Err(format!(
                "it came from another topic: --topic {topic} sends it back"
            ));
        }
        Ok((event.vote_id, origin))
    }

    fn leave(&mut self, letter: &Record, reason: String) {
        if self.explained < EXPLAINED {
            self.explained += 1;
            let topic = &self.args.kafka.dead_letter_topic;
            println!("left: {topic} {}/{}: {reason}", letter.partition, letter.offset);
        }
        *self.left.entry(reason).or_default() += 1;
    }

    fn summary(&self) -> String {
        let (sent, would) = if self.args.dry_run {
            (self.sent.len() as u64, " would be")
        } else {
            (self.acknowledged, "")
        };
        let mut lines = vec![format!(
            "{} letters: {sent}{would} sent again, {} are logged already or twice here, {} left where they are",
            self.letters,
            self.logged,
            self.left.values().sum::<u64>()
        )];
        let reasons = self.left.iter();
        lines.extend(reasons.map(|(reason, letters)| format!("  {letters} left: {reason}")));
        lines.join("\n")
    }
}
