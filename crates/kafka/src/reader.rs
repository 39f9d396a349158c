//! A client that asks and reads, and is in no consumer group.

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::context::Context;
use crate::{Brokers, KafkaError, settings};

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
