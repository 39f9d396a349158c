//! The statistics of a comparison. Pure functions: numbers in, numbers out.

pub mod bootstrap;
pub mod quantile;
pub mod verdict;
