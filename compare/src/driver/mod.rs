//! The load driver: open loop, one client for every protocol.

pub mod call;
pub mod calls;
pub mod dial;
pub mod frame;
pub mod itself;
pub mod lane;
pub mod load;
pub mod pacer;
pub mod schedule;
pub mod socket;
pub mod streams;
pub mod target;
pub mod timing;
