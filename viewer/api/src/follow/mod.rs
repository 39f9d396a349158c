//! `GET /api/logs/stream`: new votes of the log as server-sent events.
//!
//! All followers share one change stream, and this process applies each follower's filter. With one change stream per
//! follower MongoDB would apply the filters, but it would read its oplog once per follower: many open pages would
//! slow down the system that they show. The cost is that this process decodes every vote once while at least one client
//! follows.
//!
//! A follower that reconnects with a token receives the missed votes from a separate change stream, up to the position of
//! the shared one. So does a follower that was too slow for the shared one. No vote is lost in either case.

mod catch_up;
mod change_stream;
mod follower;
mod handler;
mod hub;
mod stream_slots;
mod token;

pub(crate) use handler::{StreamState, stream};
pub(crate) use hub::Hub;
pub(crate) use stream_slots::StreamSlots;
