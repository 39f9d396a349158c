//! `consumer prepare`: topics and replica set, made where they are missing. For places where nobody else makes them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kafka::admin::ensure_topic;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{ClientOptions, ServerAddress};

use crate::store_args::KafkaArgs;

/// Dead letters are few and need no order among each other.
const DEAD_LETTER_PARTITIONS: u16 = 1;
/// Between two attempts on a store that is not there yet.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that takes longer to answer is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// MongoDB's code for a replica set that exists.
const ALREADY_INITIALIZED: i32 = 23;

/// Options of `consumer prepare`.
#[derive(Clone, Debug, clap::Args)]
pub struct PrepareArgs {
    #[command(flatten)]
    kafka: KafkaArgs,

    /// Partitions of the topic of the votes, if it has to be made; never fewer than there will be consumers
    #[arg(long, env = "PARTITIONS", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    partitions: u16,

    /// Members of the replica set, as host:port, comma-separated; none: MongoDB is left alone
    ///
    /// They must be the names by which clients reach them, because that is what drivers are told.
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

    /// How long to wait for stores that are not there yet, in s
    #[arg(long, env = "WAIT_S", default_value_t = 60)]
    wait_s: u64,
}

/// Makes what is missing, and says so. Exit code 0 if all is there.
pub async fn prepare(args: PrepareArgs) -> ExitCode {
    let deadline = Instant::now() + Duration::from_secs(args.wait_s);
    let (topics, replica_set) = tokio::join!(
        until_done("the topics", deadline, async || topics(&args).await),
        until_done("the replica set", deadline, async || replica_set(&args).await),
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

/// Tries until it works or the time is up; the last error counts.
async fn until_done(what: &str, deadline: Instant, attempt: impl AsyncFn() -> Result<String>) -> Result<()> {
    let mut said = String::new();
    loop {
        let error = match attempt().await {
            Ok(state) => {
                println!("{what}: {state}");
                return Ok(());
            }
            Err(error) => error,
        };
        if Instant::now() + PAUSE >= deadline {
            return Err(error.context(format!("{what} could not be prepared")));
        }
        let reason = format!("{error:#}");
        if reason != said {
            println!("{what}: not yet: {reason}");
            said = reason;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn topics(args: &PrepareArgs) -> Result<String> {
    let KafkaArgs {
        brokers,
        topic,
        dead_letter_topic,
    } = &args.kafka;
    ensure_topic(brokers, topic, args.partitions.into()).await?;
    ensure_topic(brokers, dead_letter_topic, DEAD_LETTER_PARTITIONS.into()).await?;
    Ok(format!("{topic} and {dead_letter_topic} are there"))
}

async fn replica_set(args: &PrepareArgs) -> Result<String> {
    let Some(first) = args.mongodb_members.first() else {
        return Ok("left alone (no --mongodb-members)".to_owned());
    };
    let member = member(first)?;
    match run(&member, initiation(&args.replica_set, &args.mongodb_members)).await? {
        Ok(_) => {}
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => {}
        Err(error) => return Err(error).with_context(|| format!("initiating it on {first}")),
    }
    let hello = run(&member, doc! { "hello": 1 }).await??;
    let name = hello.get_str("setName").unwrap_or_default();
    ensure!(
        name.is_empty() || name == args.replica_set,
        "{first} belongs to the replica set {name:?}, not to {:?}",
        args.replica_set
    );
    let primary = hello.get_str("primary").ok().context("it has no primary yet")?;
    Ok(format!("{name} is there, its primary is {primary}"))
}

/// The member itself, primary or not: before the initiation no driver would find one.
fn member(address: &ServerAddress) -> Result<Client> {
    let options = ClientOptions::builder()
        .hosts(vec![address.clone()])
        .direct_connection(true)
        .server_selection_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .build();
    Ok(Client::with_options(options)?)
}

async fn run(member: &Client, command: Document) -> Result<mongodb::error::Result<Document>> {
    tokio::time::timeout(2 * PATIENCE, member.database("admin").run_command(command))
        .await
        .context("MongoDB does not answer")
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
