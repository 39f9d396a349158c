//! `consumer prepare`: creates the topics and initiates the replica set if they are missing. For environments in which
//! nothing else creates them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use backon::{ConstantBuilder, Retryable};
use kafka::admin::ensure_topic;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{ClientOptions, ServerAddress};

use crate::store_args::ConsumerKafkaArgs;

/// One partition is enough: dead-letter records are few.
const DEAD_LETTER_PARTITIONS: u16 = 1;
/// The delay between two attempts on a store that is not available yet.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The time limit for finding and connecting to a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// MongoDB's error code for a replica set that already exists.
const ALREADY_INITIALIZED: i32 = 23;

/// Options of `consumer prepare`.
#[derive(Clone, Debug, clap::Args)]
pub struct PrepareArgs {
    #[command(flatten)]
    kafka: ConsumerKafkaArgs,

    /// Partitions of the votes topic if it must be created; use at least as many as there will be consumers
    #[arg(long, env = "PARTITIONS", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    partitions: u16,

    /// Members of the replica set, as host:port, comma-separated; without members, MongoDB is not changed
    ///
    /// Use the names by which clients reach the members, because MongoDB passes these names to the drivers.
    #[arg(
        long,
        env = "MONGODB_MEMBERS",
        value_delimiter = ',',
        value_name = "HOST:PORT"
    )]
    mongodb_members: Vec<ServerAddress>,

    /// Name of the replica set
    #[arg(long, env = "MONGODB_REPLICA_SET", default_value = "rs0")]
    replica_set: String,

    /// How long to wait for stores that are not available yet, in s
    #[arg(long, env = "WAIT_S", default_value_t = 60)]
    wait_s: u64,
}

/// Creates what is missing and prints the result. Exit code 0 if everything exists in the end.
pub async fn prepare(args: PrepareArgs) -> ExitCode {
    let deadline = Instant::now() + Duration::from_secs(args.wait_s);
    let (topics, replica_set) = tokio::join!(
        retry_until("the topics", deadline, async || topics(&args).await),
        retry_until("the replica set", deadline, async || replica_set(&args).await),
    );
    for outcome in [&topics, &replica_set] {
        if let Err(error) = outcome {
            eprintln!("{error:#}");
        }
    }
    if topics.is_ok() && replica_set.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Retries until an attempt succeeds or the deadline passes; then returns the last error. Prints each new reason once.
async fn retry_until(what: &str, deadline: Instant, attempt: impl AsyncFn() -> Result<String>) -> Result<()> {
    let mut printed = String::new();
    let state = (|| attempt())
        .retry(ConstantBuilder::new().with_delay(RETRY_DELAY).without_max_times())
        .when(|_| Instant::now() + RETRY_DELAY < deadline)
        .notify(|error: &Error, _| {
            let reason = format!("{error:#}");
            if reason != printed {
                println!("{what}: not ready yet, retrying: {reason}");
                printed = reason;
            }
        })
        .await
        .with_context(|| format!("{what} could not be prepared"))?;
    println!("{what}: {state}");
    Ok(())
}

async fn topics(args: &PrepareArgs) -> Result<String> {
    let ConsumerKafkaArgs {
        brokers,
        topic,
        dead_letter_topic,
    } = &args.kafka;
    let brokers = brokers.open()?;
    ensure_topic(&brokers, topic, args.partitions.into()).await?;
    ensure_topic(&brokers, dead_letter_topic, DEAD_LETTER_PARTITIONS.into()).await?;
    Ok(format!("{topic} and {dead_letter_topic} exist"))
}

async fn replica_set(args: &PrepareArgs) -> Result<String> {
    let Some(first) = args.mongodb_members.first() else {
        return Ok("not changed (no --mongodb-members)".to_owned());
    };
    let member = member(first)?;
    match run(&member, initiation(&args.replica_set, &args.mongodb_members)).await? {
        Ok(_) => {}
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => {}
        Err(error) => return Err(error).with_context(|| format!("initiating the replica set on {first}")),
    }
    let hello = run(&member, doc! { "hello": 1 }).await??;
    let name = hello.get_str("setName").unwrap_or_default();
    ensure!(
        name.is_empty() || name == args.replica_set,
        "{first} belongs to the replica set {name:?}, not to {:?}",
        args.replica_set
    );
    let primary = hello
        .get_str("primary")
        .ok()
        .context("the replica set has no primary yet")?;
    Ok(format!("{name} exists, its primary is {primary}"))
}

/// A direct connection to one member: before the initiation there is no primary that a driver could find.
fn member(address: &ServerAddress) -> Result<Client> {
    let options = ClientOptions::builder()
        .hosts(vec![address.clone()])
        .direct_connection(true)
        .server_selection_timeout(CONNECT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    Ok(Client::with_options(options)?)
}

async fn run(member: &Client, command: Document) -> Result<mongodb::error::Result<Document>> {
    let timeout = 2 * CONNECT_TIMEOUT;
    tokio::time::timeout(timeout, member.database("admin").run_command(command))
        .await
        .with_context(|| format!("MongoDB did not respond within {timeout:?}"))
}

fn initiation(name: &str, members: &[ServerAddress]) -> Document {
    let members: Vec<Document> = (0_i32..)
        .zip(members)
        .map(|(id, address)| doc! { "_id": id, "host": address.to_string() })
        .collect();
    doc! { "replSetInitiate": { "_id": name, "members": members } }
}

fn code(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}
