//! The top sets: beside each hash a sorted set of the fields with the highest counts, at most [`TOP_SIZE`]. Readers use
//! them instead of the hashes, which clients can fill without limit.
//!
//! The script that counts a batch updates them: it adds each new count, then removes the lowest ones. Because counts only
//! grow, a field that was removed cannot belong to the set until it is counted again, so the set is always exact. After
//! other changes (a correction, votes that an earlier version counted) they are built again, while votes are counted:
//! every field is added once with its count of that moment, and every later change adds it again.

use redis::RedisResult;
use redis::aio::ConnectionLike;
use tallies::keys::{TOP_STATE, TOTAL};
use tallies::{TOP_SIZE, TallyHash};
use uuid::Uuid;

use crate::scripts;

/// The number of fields of one step: it blocks Redis for about a millisecond.
const STEP: usize = 500;

/// A field, a member or a count. Another program may have added bytes that are not text.
type Bytes = Vec<u8>;

/// Builds the top sets unless they are complete.
pub(crate) async fn complete(connection: &mut impl ConnectionLike) -> RedisResult<()> {
    if !are_complete(connection).await? {
        build(connection).await?;
    }
    Ok(())
}

/// Builds the top sets in short steps. Returns false if another run or another change interrupted this run.
pub(crate) async fn build(connection: &mut impl ConnectionLike) -> RedisResult<bool> {
    let run = Uuid::new_v4().to_string();
    let script = scripts::begin_top_sets();
    let begun: RedisResult<()> = script
        .key(TOP_STATE)
        .key(TOTAL)
        .arg(&run)
        .invoke_async(connection)
        .await;
    begun?;
    for hash in TallyHash::ALL {
        let mut members = redis::cmd("ZRANGE");
        members.arg(hash.top_key()).arg(0).arg(-1);
        // Counts may have fallen, and fields may be gone.
        let members: Vec<Bytes> = members.query_async(connection).await?;
        offer(connection, hash, &members).await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(hash.key()).arg(cursor).arg("COUNT").arg(STEP);
            let (next, fields): (u64, Vec<(Bytes, Bytes)>) = scan.query_async(connection).await?;
            let fields: Vec<Bytes> = fields.into_iter().map(|(field, _)| field).collect();
            offer(connection, hash, &fields).await?;
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    let script = scripts::complete_top_sets();
    script
        .key(TOP_STATE)
        .key(TOTAL)
        .arg(&run)
        .invoke_async(connection)
        .await
}

async fn offer(connection: &mut impl ConnectionLike, hash: TallyHash, fields: &[Bytes]) -> RedisResult<()> {
    let script = scripts::offer_to_top_set();
    for fields in fields.chunks(STEP) {
        let mut call = script.key(hash.key());
        call.key(hash.top_key()).arg(TOP_SIZE).arg(fields);
        let offered: RedisResult<()> = call.invoke_async(connection).await;
        offered?;
    }
    Ok(())
}

/// Whether the top sets are complete, and no program that does not keep them has counted votes since.
pub(crate) async fn are_complete(connection: &mut impl ConnectionLike) -> RedisResult<bool> {
    let script = scripts::are_top_sets_complete();
    let mut call = script.key(TOP_STATE);
    call.key(TOTAL);
    for hash in TallyHash::ALL {
        call.key(hash.key());
    }
    for hash in TallyHash::ALL {
        call.key(hash.top_key());
    }
    call.arg(TOP_SIZE).invoke_async(connection).await
}
