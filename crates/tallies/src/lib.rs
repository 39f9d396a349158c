//! The layout of the tallies in Redis, which the consumer and the viewer share: the keys, the hashes and their fields. Also
//! a connection that reconnects after every kind of failure.

pub mod keys;

mod connection;
mod hash;

pub use connection::ReconnectingConnection;
pub use hash::{TallyHash, album_field};
