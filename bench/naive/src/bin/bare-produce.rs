//! Produces records of the size of a vote with librdkafka, without any transport in front: what writing to Kafka alone
//! costs. For each number in a line of the standard input, it writes that many records, waits until Kafka has acknowledged
//! all, and prints the seconds. The benchmark reads the CPU time of the process before and after.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Records take turns with this many keys, so that they spread over the partitions and no id is made per record.
const KEYS: usize = 4_096;

/// Command line.
#[derive(Parser)]
struct Args {
    /// Kafka bootstrap servers, host:port, comma separated.
    #[arg(long, env)]
    kafka_brokers: String,
    /// The topic.
    #[arg(long, env)]
    topic: String,
    /// Bytes of a record's value.
    #[arg(long)]
    value_bytes: usize,
    /// Records that wait for their acknowledgement at the same time.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Runtime threads; the benchmark gives the services the same number.
    #[arg(long, env, default_value_t = 2)]
    worker_threads: usize,
}

struct Records {
    topic: String,
    keys: Vec<String>,
    value: Vec<u8>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &args.kafka_brokers)
        .set("acks", "all")
        .set("linger.ms", "1")
        .create()?;
    let records = Arc::new(Records {
        topic: args.topic,
        keys: (0..KEYS).map(|_| Uuid::new_v4().to_string()).collect(),
        value: vec![b'v'; args.value_bytes],
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.worker_threads)
        .enable_all()
        .build()?;
    for line in std::io::stdin().lock().lines() {
        let count = line?.parse().context("expected a number of records")?;
        let started = Instant::now();
        runtime.block_on(produce(&producer, &records, count, args.in_flight))?;
        println!("{}", started.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn produce(
    producer: &FutureProducer,
    records: &Arc<Records>,
    count: usize,
    in_flight: usize,
) -> anyhow::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..in_flight {
        let (producer, records, next) = (producer.clone(), Arc::clone(records), Arc::clone(&next));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(key) = records.keys.get(number % KEYS).filter(|_| number < count) else {
                    return anyhow::Ok(());
                };
                let record = FutureRecord::to(&records.topic).key(key).payload(&records.value);
                let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
                delivery.await?.map_err(|(error, _)| error)?;
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    Ok(())
}
