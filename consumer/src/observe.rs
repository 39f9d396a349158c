//! Looks at the stores from outside of the batches: where partitions start, how long their logs are, and whether Redis
//! still holds what it was told.

use kafka::KafkaError;
use kafka::source::{SourceHandle, Watermarks};
use tokio_util::sync::CancellationToken;

use crate::apply::Stores;
use crate::partition::{Start, start_offset};

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    /// The logs of all partitions.
    pub watermarks: Vec<(i32, Watermarks)>,
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

/// Where `partitions` start, found out until it is known or until `stop`.
pub(crate) async fn starts(
    stores: &Stores,
    handle: &SourceHandle,
    partitions: &[i32],
    stop: &CancellationToken,
) -> Option<Vec<Start>> {
    let fences = stores
        .redis
        .retry(stop, || stores.tally.fences(partitions))
        .await?;
    let find = || async {
        let watermarks = watermarks(handle, partitions)
            .await
            .map_err(|error| error.to_string())?;
        let starts = watermarks
            .into_iter()
            .zip(&fences)
            .map(|((partition, watermarks), &fence)| {
                let offset = start_offset(partition, fence, watermarks)?;
                Ok::<_, String>(Start {
                    partition,
                    fence,
                    watermarks,
                    offset,
                })
            });
        starts.collect()
    };
    stores.kafka.retry(stop, find).await
}

/// Looks once, and reports to the stores' checks. `believed`: partition, generation and believed fence of those that
/// are idle. None if a store did not answer.
pub(crate) async fn observe(
    stores: &Stores,
    handle: &SourceHandle,
    partitions: Vec<i32>,
    believed: Vec<(i32, u64, Option<i64>)>,
) -> Option<Observation> {
    let idle: Vec<i32> = believed.iter().map(|&(partition, ..)| partition).collect();
    let (watermarks, fences) = tokio::join!(watermarks(handle, &partitions), stores.tally.fences(&idle));
    stores.kafka.probed(watermarks.as_ref().map(drop));
    stores.redis.probed(fences.as_ref().map(drop));
    let unexpected =
        believed
            .into_iter()
            .zip(fences.ok()?)
            .filter_map(|((partition, generation, believed), actual)| {
                (actual != believed).then_some(Unexpected {
                    partition,
                    generation,
                    believed,
                    actual,
                })
            });
    Some(Observation {
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
