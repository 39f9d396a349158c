//! A client that asks and reads, and is in no consumer group.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;

use crate::context::Context;
use crate::{Brokers, KafkaError, settings};

/// A failed request leaves a few lines in the library's log.
const MAX_LOG_LINES: usize = 100;

/// A client with `settings`. If it logs in by a token, it already has one: no thread polls it, and the library asks for the
/// token only while it is polled.
pub(crate) fn open(
    brokers: &Brokers,
    client_id: &str,
    settings: &[(&'static str, String)],
) -> Result<BaseConsumer<Context>, KafkaError> {
    let config = settings::client(brokers, client_id, settings);
    let client: BaseConsumer<Context> = config.create_with_context(Context::new(brokers))?;
    client.context().tokens.give_first(|time| drop(client.poll(time)));
    Ok(client)
}

/// The error of a failed request, with the reason in the library's log. The library hands out one line each time it is polled.
pub(crate) fn explain(client: &BaseConsumer<Context>, error: &ClientError) -> KafkaError {
    for _ in 0..MAX_LOG_LINES {
        drop(client.poll(Duration::ZERO));
    }
    KafkaError::Request(client.context().connection_log.explain(error.to_string()))
}
