//! Inserts the documents of the log into an empty collection with the same options and indexes, by bare `insert_many`.
//! The benchmark compares the consumer with it: both write the same documents with the same driver and write concern.

mod collection_copy;
mod insert;

use clap::{Parser, Subcommand};
use mongodb::Client;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};

const DATABASE: &str = "votes";
const LOG: &str = "logs";
const COPY: &str = "bare";

/// Command line.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// URI of the MongoDB that holds the log.
    #[arg(
        long,
        env,
        global = true,
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    )]
    mongodb_uri: String,
    /// Connections, and inserts in flight.
    #[arg(long, global = true, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Insert the documents of the log, and print their number and the time as JSON
    Insert {
        /// Documents of one `insert_many`.
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
        batch_size: u32,
        /// Documents that are read into memory at a time. Reading does not count as time.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
        documents_in_memory: u32,
    },
    /// Print the number of documents in the log
    Count,
    /// Delete the log
    Reset,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let database = connect(&args).await?.database(DATABASE);
    let log = database.collection::<RawDocumentBuf>(LOG);
    match args.command {
        Command::Insert {
            batch_size,
            documents_in_memory,
        } => {
            collection_copy::create(&database, LOG, COPY).await?;
            let copy = database.collection(COPY);
            checkpoint(&database).await?;
            let plan = insert::Plan {
                connections: args.connections as usize,
                batch_size: batch_size as usize,
                documents_in_memory: documents_in_memory as usize,
            };
            let parts = insert::run(&log, &copy, plan).await?;
            let documents = copy.count_documents(Document::new()).await?;
            copy.drop().await?;
            let report = serde_json::json!({ "documents": documents, "parts": parts });
            println!("{report}");
        }
        Command::Count => println!("{}", log.count_documents(Document::new()).await?),
        Command::Reset => {
            log.drop().await?;
            checkpoint(&database).await?;
        }
    }
    Ok(())
}

/// Connects with the write concern of the consumer.
async fn connect(args: &Args) -> anyhow::Result<Client> {
    let mut options = ClientOptions::parse(&args.mongodb_uri).await?;
    options.min_pool_size = Some(args.connections);
    options.max_pool_size = Some(args.connections);
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build(),
    );
    Ok(Client::with_options(options)?)
}

/// Writes all changes to the data files, so that the next measurement does not pay for the last one.
async fn checkpoint(database: &mongodb::Database) -> anyhow::Result<()> {
    let admin = database.client().database("admin");
    admin.run_command(doc! { "fsync": 1 }).await?;
    Ok(())
}
