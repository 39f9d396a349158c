//! Prints how many records were ever written to a topic: the sum of the high watermarks of its partitions, or 0 if the
//! topic does not exist. A benchmark compares the number before and after a run, because an HTTP load generator cannot
//! distinguish a gRPC error from a receipt.

use std::time::Duration;

use clap::Parser;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Command line.
#[derive(Parser)]
struct Args {
    /// Kafka bootstrap servers, host:port, comma separated.
    #[arg(long, env)]
    kafka_brokers: String,
    /// The topic.
    #[arg(long, env)]
    topic: String,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &args.kafka_brokers)
        .create()?;
    // Request the metadata of all topics: a request for one topic would create it.
    let metadata = consumer.fetch_metadata(None, TIMEOUT)?;
    let mut records = 0;
    for topic in metadata
        .topics()
        .iter()
        .filter(|topic| topic.name() == args.topic)
    {
        for partition in topic.partitions() {
            let (_, high) = consumer.fetch_watermarks(&args.topic, partition.id(), TIMEOUT)?;
            records += high;
        }
    }
    println!("{records}");
    Ok(())
}
