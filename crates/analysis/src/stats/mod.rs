//! The statistics of a comparison: pure functions on numbers.

pub mod bootstrap;
pub mod moments;
pub mod verdict;
