//! The layout of the tallies in Redis, which the consumer and the viewer share: the keys, the hashes and their fields. Also
//! the counts that a page shows, and a connection that reconnects after every kind of failure.

pub mod keys;

mod album_field;
mod connection;
mod hash;
mod overview;
mod server;

pub use album_field::{AlbumName, album_field, parse_album_field};
pub use connection::ReconnectingConnection;
pub use hash::{TOP_SIZE, TallyHash};
pub use overview::{AlbumVotes, Overview, Votes};
pub use server::{RedisSecurityArgs, RedisServer};
