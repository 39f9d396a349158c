//! What the consumer and the viewer share about the tallies in Redis: the names of the keys, and a connection that
//! reconnects.

pub mod keys;

mod connection;

pub use connection::ReconnectingConnection;
