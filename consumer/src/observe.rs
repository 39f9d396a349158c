//! Looks at the stores from outside of the batches: where partitions start, how long their logs are, and whether Redis
//! still holds what it was told, about the topic that Kafka still has.

use std::time::Instant;

use kafka::KafkaError;
use kafka::source::{SourceHandle, Watermarks};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::Stores;
use crate::partition::{Start, start_offset};

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    /// The logs of all partitions.
    pub watermarks: Vec<(i32, Watermarks)>,
    /// Whether Kafka or Redis has another topic than the believed one.
    pub other_topic: bool,
    /// Fences that are not what they were believed to be.
    pub unexpected: Vec<Unexpected>,
}

/// A fence that is not what it was believed to be when the observation began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unexpected {
    /// The partition.
    pub partition: i32,
    /// Which assignment of it.
    pub generation: u64,
    /// The fence as it was believed to be.
    pub believed: Option<i64>,
    /// The fence as Redis holds it.
    pub actual: Option<i64>,
}

/// Where assigned partitions start.
#[derive(Debug)]
pub(crate) enum Starts {
    /// Of this topic, at these places.
    Found(Uuid, Vec<Start>),
    /// Nowhere: another topic has replaced this one.
    Replaced(Uuid),
    /// Not found out before `stop`.
    Stopped,
}

/// Where `partitions` start, found out until it is known or until `stop`.
pub(crate) async fn starts(
    stores: &Stores,
    handle: &SourceHandle,
    partitions: &[i32],
    stop: &CancellationToken,
) -> Starts {
    find_starts(stores, handle, partitions, stop)
        .await
        .unwrap_or(Starts::Stopped)
}

async fn find_starts(
    stores: &Stores,
    handle: &SourceHandle,
    partitions: &[i32],
    stop: &CancellationToken,
) -> Option<Starts> {
    let Stores {
        kafka, redis, tally, ..
    } = stores;
    let topic_id = kafka
        .retry(stop, || stores.topic_ids.after(Instant::now()))
        .await?;
    if !redis.retry(stop, || tally.adopt(topic_id)).await? {
        return Some(Starts::Replaced(topic_id));
    }
    let fences = redis.retry(stop, || tally.fences(partitions)).await?;
    let find = || async {
        let watermarks = watermarks(handle, partitions)
            .await
            .map_err(|error| error.to_string())?;
        let in_redis = fences.offsets.iter().zip(&fences.levels);
        let starts = watermarks.into_iter().zip(in_redis);
        let starts = starts.map(|((partition, watermarks), (&fence, &level))| {
            Ok::<_, String>(Start {
                partition,
                fence,
                level,
                watermarks,
                offset: start_offset(partition, fence, watermarks)?,
            })
        });
        starts.collect::<Result<_, _>>()
    };
    // Should the topic be made anew in between, its first batch finds out.
    Some(Starts::Found(topic_id, kafka.retry(stop, find).await?))
}

/// What is believed about the partitions of a pipeline.
#[derive(Debug)]
pub(crate) struct Belief {
    /// Their topic; None before the first assignment.
    pub topic_id: Option<Uuid>,
    /// All of them.
    pub partitions: Vec<i32>,
    /// Those that are idle: partition, generation and fence.
    pub fences: Vec<(i32, u64, Option<i64>)>,
}

/// Looks once, and reports to the stores' checks. None if a store did not answer.
pub(crate) async fn observe(stores: &Stores, handle: &SourceHandle, belief: Belief) -> Option<Observation> {
    let idle: Vec<i32> = belief.fences.iter().map(|&(partition, ..)| partition).collect();
    let (watermarks, topic_id, fences) = tokio::join!(
        watermarks(handle, &belief.partitions),
        stores.topic_ids.after(Instant::now()),
        stores.tally.fences(&idle)
    );
    stores.kafka.probed(watermarks.as_ref().and(topic_id.as_ref()));
    stores.redis.probed(fences.as_ref());
    let (topic_id, fences) = (topic_id.ok()?, fences.ok()?);
    let is_other = |believed| topic_id != believed || fences.topic_id != Some(believed);
    let unexpected = belief.fences.into_iter().zip(fences.offsets);
    let unexpected = unexpected.filter_map(|((partition, generation, believed), actual)| {
        (actual != believed).then_some(Unexpected {
            partition,
            generation,
            believed,
            actual,
        })
    });
    Some(Observation {
        other_topic: belief.topic_id.is_some_and(is_other),
        unexpected: unexpected.collect(),
        watermarks: watermarks.unwrap_or_default(),
    })
}

async fn watermarks(handle: &SourceHandle, partitions: &[i32]) -> Result<Vec<(i32, Watermarks)>, KafkaError> {
    let (handle, partitions) = (handle.clone(), partitions.to_vec());
    tokio::task::spawn_blocking(move || handle.watermarks(&partitions))
        .await
        .unwrap_or(Err(KafkaError::Ended))
}
