//! The baseline of the benchmarks: the naive service of published comparisons of REST and gRPC, with one correction: it
//! responds after Kafka has acknowledged the vote. It uses the defaults of its frameworks and has no validation,
//! metrics or drain.

mod grpc;
mod rest;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

/// Command line of the naive service.
#[derive(Parser)]
struct Args {
    /// Address of the axum service.
    #[arg(long, env, default_value = "127.0.0.1:8070")]
    rest_listen: SocketAddr,
    /// Address of the tonic service.
    #[arg(long, env, default_value = "127.0.0.1:50071")]
    grpc_listen: SocketAddr,
    /// Kafka bootstrap servers, host:port, comma separated.
    #[arg(long, env, default_value = "127.0.0.1:9092")]
    kafka_brokers: String,
    /// Topic of the votes.
    #[arg(long, env, default_value = "votes")]
    topic: String,
    /// Runtime threads; the services in the same benchmark use as many.
    #[arg(long, env, default_value_t = 2)]
    worker_threads: usize,
}

/// A producer and its topic. Each handler has a clone.
#[derive(Clone)]
struct Publisher {
    producer: FutureProducer,
    topic: String,
}

/// The position of a vote in Kafka.
struct Delivery {
    vote_id: String,
    partition: i32,
    offset: i64,
}

impl Publisher {
    fn new(brokers: &str, topic: &str) -> Result<Self, KafkaError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("acks", "all")
            .set("linger.ms", "1")
            .create()?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Sends one vote and waits until Kafka has acknowledged it.
    async fn publish(&self, payload: &[u8]) -> Result<Delivery, KafkaError> {
        let vote_id = Uuid::new_v4().to_string();
        let record = FutureRecord::to(&self.topic).key(&vote_id).payload(payload);
        let delivered = self
            .producer
            .send(record, Duration::from_secs(5))
            .await
            .map_err(|(error, _)| error)?;
        Ok(Delivery {
            vote_id,
            partition: delivered.partition,
            offset: delivered.offset,
        })
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.worker_threads)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let publisher = Publisher::new(&args.kafka_brokers, &args.topic)?;
        tokio::try_join!(
            rest::serve(args.rest_listen, publisher.clone()),
            grpc::serve(args.grpc_listen, publisher)
        )?;
        Ok(())
    })
}
