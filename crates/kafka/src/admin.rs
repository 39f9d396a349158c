//! Creates, checks and deletes topics.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::{Brokers, KafkaError, settings};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Creates `topic` with `partitions` partitions and one replica. If the topic exists, checks that it has at least as many
/// partitions.
pub async fn ensure_topic(
    brokers: impl Into<Brokers>,
    topic: &str,
    partitions: i32,
) -> Result<(), KafkaError> {
    let brokers = brokers.into();
    // A user may lack the right to create a topic that exists.
    if self::partitions(&brokers, topic, TIMEOUT).await? > 0 {
        return check_partitions(&brokers, topic, partitions).await;
    }
    let client: AdminClient<DefaultClientContext> =
        settings::client(&brokers, "dualpath-admin", &[]).create()?;
    let new_topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new()
        .operation_timeout(Some(TIMEOUT))
        .request_timeout(Some(TIMEOUT));
    let created = client.create_topics([&new_topic], &options).await?;
    match created.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            check_partitions(&brokers, topic, partitions).await
        }
        Some(Err((_, code))) => Err(KafkaError::Topic {
            topic: topic.to_owned(),
            reason: code.to_string(),
        }),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Deletes `topic` with all its records. Returns when no broker lists it any more.
pub async fn delete_topic(brokers: impl Into<Brokers>, topic: &str) -> Result<(), KafkaError> {
    let brokers = brokers.into();
    let client: AdminClient<DefaultClientContext> =
        settings::client(&brokers, "dualpath-admin", &[]).create()?;
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    let deleted = client.delete_topics(&[topic], &options).await?;
    if let Some(Err((_, code))) = deleted.into_iter().next() {
        return Err(KafkaError::Topic {
            topic: topic.to_owned(),
            reason: code.to_string(),
        });
    }
    while partitions(&brokers, topic, TIMEOUT).await? > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Makes a broker read the keystore of a listener from `path`, also if only the content of the file has changed.
pub async fn reload_keystore(
    brokers: impl Into<Brokers>,
    broker_id: i32,
    listener: &str,
    path: &str,
) -> Result<(), KafkaError> {
    let client: AdminClient<DefaultClientContext> =
        settings::client(&brokers.into(), "dualpath-admin", &[]).create()?;
    let setting = format!("listener.name.{listener}.ssl.keystore.location");
    let change = AlterConfig::new(ResourceSpecifier::Broker(broker_id)).set(&setting, path);
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let changed = client.alter_configs([&change], &options).await?;
    match changed.into_iter().next() {
        Some(Err((_, code))) => Err(KafkaError::Security(format!("cannot change {setting}: {code}"))),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// The number of partitions of `topic`; 0 if it does not exist. Does not create the topic.
pub async fn partitions(
    brokers: impl Into<Brokers>,
    topic: &str,
    timeout: Duration,
) -> Result<usize, KafkaError> {
    let brokers = brokers.into();
    let client: AdminClient<DefaultClientContext> =
        settings::client(&brokers, "dualpath-admin", &[]).create()?;
    let topic = topic.to_owned();
    // `fetch_metadata` blocks.
    tokio::task::spawn_blocking(move || count_partitions(&client, &topic, timeout))
        .await
        .map_err(|_| KafkaError::Thread("metadata"))?
}

fn count_partitions(
    client: &AdminClient<DefaultClientContext>,
    topic: &str,
    timeout: Duration,
) -> Result<usize, KafkaError> {
    let metadata = client.inner().fetch_metadata(Some(topic), timeout)?;
    Ok(metadata
        .topics()
        .first()
        .map_or(0, |described| described.partitions().len()))
}

async fn check_partitions(brokers: &Brokers, topic: &str, needed: i32) -> Result<(), KafkaError> {
    let found = partitions(brokers, topic, TIMEOUT).await?;
    if usize::try_from(needed).is_ok_and(|needed| found >= needed) {
        return Ok(());
    }
    let reason = format!("has {found} partitions, needs {needed}");
    Err(KafkaError::Topic {
        topic: topic.to_owned(),
        reason,
    })
}
