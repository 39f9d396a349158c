//! The load generator of the comparison. It is open-loop: send times are fixed before the first vote and do not depend on
//! answers. The same client code serves every protocol; `stock_client` has the usual clients beside it.

pub mod calibration;
pub mod client;
pub mod codec;
pub mod connection_pool;
pub mod connector;
pub mod grpc_frame;
pub mod load;
mod loopback_server;
pub mod pacer;
pub mod schedule;
pub mod server_timing;
pub mod shared_load;
pub mod socket;
pub mod stock_client;
pub mod stream_pool;
pub mod target;
pub mod target_spec;
pub mod votes;
