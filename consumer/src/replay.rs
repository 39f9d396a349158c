//! `consumer replay-dead-letters`: sends dead letters back to where they came from, after a fix.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use kafka::dead_letter::Origin;
use kafka::{Record, RecordWriter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;
use vote::Event;

use crate::books::mongodb::Mongodb;
use crate::progress::Progress;

/// Letters that are looked up and sent at a time.
const CHUNK: usize = 500;
/// Most letters to say of why each was left.
const EXPLAINED: u64 = 20;
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Options of `consumer replay-dead-letters`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// Kafka brokers, as host:port, comma-separated
    #[arg(long, env = "KAFKA_BROKERS", default_value = "127.0.0.1:9092")]
    kafka_brokers: String,

    /// Topic of the dead letters
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "votes.dlq")]
    dead_letter_topic: String,

    /// MongoDB, which knows the votes that are counted already
    #[arg(
        long,
        env = "MONGODB_URI",
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    )]
    mongodb_uri: String,

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
    /// The ways back; None to a topic that does not exist.
    origins: HashMap<String, Option<RecordWriter>>,
    /// Votes that are on their way, or would be.
    sent: HashSet<Uuid>,
    acknowledged: u64,
    letters: u64,
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
            mongodb: Mongodb::new(&args.mongodb_uri).await?,
            args,
            origins: HashMap::new(),
            sent: HashSet::new(),
            acknowledged: 0,
            letters: 0,
            logged: 0,
            left: BTreeMap::new(),
            explained: 0,
        })
    }

    async fn run(&mut self) -> Result<()> {
        let (brokers, topic) = (
            self.args.kafka_brokers.clone(),
            self.args.dead_letter_topic.clone(),
        );
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
            .with_context(|| format!("reading the topic {}", self.args.dead_letter_topic))
    }

    async fn replay(&mut self, letters: Vec<Record>) -> Result<()> {
        let mut readable = Vec::new();
        for letter in letters {
            match read(&letter) {
                Ok((id, origin)) => readable.push(Readable { id, origin, letter }),
                Err(reason) => self.leave(&letter, reason),
            }
        }
        let ids: Vec<Uuid> = readable.iter().map(|letter| letter.id).collect();
        let logged = self.mongodb.logged(&ids).await?;
        let mut sending = JoinSet::new();
        for Readable { id, origin, letter } in readable {
            // A letter may have been written twice.
            if logged.contains(&id) || self.sent.contains(&id) {
                self.logged += 1;
                continue;
            }
            let Some(writer) = self.writer(&origin.topic).await? else {
                self.leave(&letter, format!("its topic {} does not exist", origin.topic));
                continue;
            };
            self.sent.insert(id);
            if !self.args.dry_run {
                sending.spawn(async move { writer.write(&origin.replay(letter)).await });
            }
        }
        while let Some(sent) = sending.join_next().await {
            sent?.context("sending a letter back")?;
            self.acknowledged += 1;
        }
        Ok(())
    }

    async fn writer(&mut self, topic: &str) -> Result<Option<RecordWriter>> {
        if let Some(known) = self.origins.get(topic) {
            return Ok(known.clone());
        }
        let brokers = &self.args.kafka_brokers;
        let partitions = kafka::admin::partitions(brokers, topic, METADATA_TIMEOUT).await?;
        let writer = (partitions > 0).then(|| RecordWriter::new(brokers, topic));
        let writer = writer.transpose()?;
        self.origins.insert(topic.to_owned(), writer.clone());
        Ok(writer)
    }

    fn leave(&mut self, letter: &Record, reason: String) {
        if self.explained < EXPLAINED {
            self.explained += 1;
            let topic = &self.args.dead_letter_topic;
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
            "{} letters: {sent}{would} sent again, {} are logged already, {} left where they are",
            self.letters,
            self.logged,
            self.left.values().sum::<u64>()
        )];
        let reasons = self
            .left
            .iter()
            .map(|(reason, letters)| format!("  {letters} left: {reason}"));
        lines.extend(reasons);
        lines.join("\n")
    }
}

/// The vote of a letter and the way back, or why there is none.
fn read(letter: &Record) -> Result<(Uuid, Origin), String> {
    let event = Event::decode(&letter.payload).map_err(|error| error.to_string())?;
    let origin = Origin::of(letter).ok_or("it does not say where it came from")?;
    Ok((event.vote_id, origin))
}
