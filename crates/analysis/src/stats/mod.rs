//! The statistics of a comparison: pure functions on numbers.

#[cfg(test)]
pub mod heavy_tails;
pub mod holm;
pub mod interval;
pub mod location;
pub mod monitoring;
pub mod normal;
pub mod process_means;
pub mod rank_sum;
pub mod signed_rank;
pub mod verdict;
