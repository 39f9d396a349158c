//! Creates, checks and deletes topics.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode;

use crate::{Brokers, KafkaError, reader, settings};

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
    let client = admin_client(&brokers)?;
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
    let client = admin_client(&brokers)?;
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
    let client = admin_client(&brokers.into())?;
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
    let topic = topic.to_owned();
    // `fetch_metadata` blocks.
    tokio::task::spawn_blocking(move || count_partitions(&brokers, &topic, timeout))
        .await
        .map_err(|_| KafkaError::Thread("metadata"))?
}

fn count_partitions(brokers: &Brokers, topic: &str, timeout: Duration) -> Result<usize, KafkaError> {
    let client = reader::open(brokers, "dualpath-admin", &[])?;
    let metadata = client
        .fetch_metadata(Some(topic), timeout)
        .map_err(|error| reader::explain(&client, &error))?;
    Ok(metadata
        .topics()
        .first()
        .map_or(0, |described| described.partitions().len()))
}

fn admin_client(brokers: &Brokers) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    if brokers.security.token_file().is_some() {
        let reason = "the client library cannot change topics after a login by oauthbearer: use another mechanism for this \
                      command, or Kafka's own tools";
        return Err(KafkaError::Security(reason.to_owned()));
    }
    Ok(settings::client(brokers, "dualpath-admin", &[]).create()?)
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
