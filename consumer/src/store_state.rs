//! Reads the state of the stores outside of batches: where partitions start, how long their logs are, and whether Redis
//! and Kafka still hold the state that this consumer last read.

use std::time::Instant;

use kafka::KafkaError;
use kafka::source::{SourceHandle, Watermarks};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::Stores;
use crate::partition::{StartPosition, start_offset};

/// The result of one observation.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    /// The watermarks of all partitions.
    pub watermarks: Vec<(i32, Watermarks)>,
    /// Whether Kafka or Redis has another topic than expected.
    pub other_topic: bool,
    /// Partitions whose applied offset is not the expected one.
    pub mismatches: Vec<OffsetMismatch>,
}

/// A partition whose applied offset in Redis differs from the one expected at the start of the observation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OffsetMismatch {
    /// The partition.
    pub partition: i32,
    /// The assignment of the partition.
    pub generation: u64,
    /// The expected applied offset.
    pub expected: Option<i64>,
    /// The applied offset in Redis.
    pub actual: Option<i64>,
}

/// The result of looking up where assigned partitions start.
#[derive(Debug)]
pub(crate) enum StartPositions {
    /// The id of the topic, and the start of each partition.
    Found(Uuid, Vec<StartPosition>),
    /// Another topic has replaced the topic with this id.
    TopicReplaced(Uuid),
    /// `stop` was cancelled before the look-up succeeded.
    Stopped,
}

/// Looks up where `partitions` start. Retries until it succeeds or until `stop`.
pub(crate) async fn start_positions(
    stores: &Stores,
    handle: &SourceHandle,
    partitions: &[i32],
    stop: &CancellationToken,
) -> StartPositions {
    find_start_positions(stores, handle, partitions, stop)
        .await
        .unwrap_or(StartPositions::Stopped)
}

async fn find_start_positions(
    stores: &Stores,
    handle: &SourceHandle,
    partitions: &[i32],
    stop: &CancellationToken,
) -> Option<StartPositions> {
    let Stores {
        kafka, redis, tally, ..
    } = stores;
    let topic_id = kafka
        .retry(stop, || stores.topic_ids.requested_after(Instant::now()))
        .await?;
    if !redis.retry(stop, || tally.register_topic(topic_id)).await? {
        return Some(StartPositions::TopicReplaced(topic_id));
    }
    let applied = redis.retry(stop, || tally.applied_offsets(partitions)).await?;
    let find = || async {
        let watermarks = watermarks(handle, partitions)
            .await
            .map_err(|error| error.to_string())?;
        let in_redis = applied.offsets.iter().zip(&applied.levels);
        let starts = watermarks.into_iter().zip(in_redis);
        let starts = starts.map(|((partition, watermarks), (&applied_offset, &level))| {
            Ok::<_, String>(StartPosition {
                partition,
                applied_offset,
                level,
                watermarks,
                offset: start_offset(partition, applied_offset, watermarks)?,
            })
        });
        starts.collect::<Result<_, _>>()
    };
    // If the topic is recreated before its first batch, the check in `Stores::apply` detects it.
    Some(StartPositions::Found(topic_id, kafka.retry(stop, find).await?))
}

/// The state of a pipeline's partitions that the stores are expected to hold.
#[derive(Debug)]
pub(crate) struct ExpectedState {
    /// The topic; None before the first assignment.
    pub topic_id: Option<Uuid>,
    /// All partitions.
    pub partitions: Vec<i32>,
    /// The idle partitions: partition, generation and applied offset.
    pub applied_offsets: Vec<(i32, u64, Option<i64>)>,
}

/// Reads the stores once, and reports the result to their readiness checks. None if a store did not respond.
pub(crate) async fn observe(
    stores: &Stores,
    handle: &SourceHandle,
    expected: ExpectedState,
) -> Option<Observation> {
    let idle: Vec<i32> = expected
        .applied_offsets
        .iter()
        .map(|&(partition, ..)| partition)
        .collect();
    let (watermarks, topic_id, applied) = tokio::join!(
        watermarks(handle, &expected.partitions),
        stores.topic_ids.requested_after(Instant::now()),
        stores.tally.applied_offsets(&idle)
    );
    stores
        .kafka
        .report_probe(watermarks.as_ref().and(topic_id.as_ref()));
    stores.redis.report_probe(applied.as_ref());
    let (topic_id, applied) = (topic_id.ok()?, applied.ok()?);
    let is_other = |expected| topic_id != expected || applied.topic_id != Some(expected);
    let mismatches = expected.applied_offsets.into_iter().zip(applied.offsets);
    let mismatches = mismatches.filter_map(|((partition, generation, expected), actual)| {
        (actual != expected).then_some(OffsetMismatch {
            partition,
            generation,
            expected,
            actual,
        })
    });
    Some(Observation {
        other_topic: expected.topic_id.is_some_and(is_other),
        mismatches: mismatches.collect(),
        watermarks: watermarks.unwrap_or_default(),
    })
}

async fn watermarks(handle: &SourceHandle, partitions: &[i32]) -> Result<Vec<(i32, Watermarks)>, KafkaError> {
    let (handle, partitions) = (handle.clone(), partitions.to_vec());
    tokio::task::spawn_blocking(move || handle.watermarks(&partitions))
        .await
        .unwrap_or(Err(KafkaError::Ended))
}
