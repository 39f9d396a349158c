//! The load driver: open loop, one client for every protocol.

pub mod call;
pub mod lane;
pub mod load;
pub mod pacer;
pub mod schedule;
