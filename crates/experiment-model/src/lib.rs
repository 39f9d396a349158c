//! The values of an experiment that the load generator, the analysis and the command share: the plan with its variants
//! and its sweep, and the samples that a run takes. Plain data with checks; no I/O and no async.

pub mod calibration;
pub mod design;
pub mod kafka;
pub mod load;
pub mod plan;
pub mod protocol;
pub mod sample;
pub mod sweep;
pub mod variant;
