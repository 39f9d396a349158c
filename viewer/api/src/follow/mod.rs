//! `GET /api/logs/stream`: votes as they are logged, as server-sent events.
//!
//! One change stream serves all followers, and each filters for itself. A change stream for each would let MongoDB apply
//! the filter, but it would then read its oplog once for every follower: a page left open in a classroom would slow down
//! the system that it shows. The price is that this process decodes every vote once while anybody follows.
//!
//! A follower that comes back with a token catches up by a change stream of its own, up to where the shared one is; so
//! does one that was too slow for the shared one. Nothing is left out on either way.

mod catch_up;
mod follower;
mod handler;
mod hub;
mod places;
mod token;

pub(crate) use handler::{StreamState, stream};
pub(crate) use hub::Hub;
pub(crate) use places::Places;
