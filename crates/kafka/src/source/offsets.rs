//! Offsets in the form that the client library takes. Imports no other module of the source.

use rdkafka::{Offset, TopicPartitionList};

/// A list of `topic`'s partitions with an offset each.
pub(super) fn offset_list(topic: &str, offsets: &[(i32, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for &(partition, offset) in offsets {
        list.add_partition(topic, partition);
        if let Err(error) = list.set_partition_offset(topic, partition, Offset::Offset(offset)) {
            tracing::error!(partition, offset, %error, "the client library rejected an offset");
        }
    }
    list
}
