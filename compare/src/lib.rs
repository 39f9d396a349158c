//! The controlled experiment: the same votes by each route, from one driver, in blocks whose order is drawn; then a word
//! about the difference, with an interval.

pub mod books;
pub mod changes;
pub mod confounds;
pub mod counted;
pub mod data;
pub mod driver;
pub mod effects;
pub mod experiment;
pub mod fairness;
pub mod judge;
pub mod machine;
pub mod plan;
pub mod plans;
pub mod prove;
pub mod refusals;
pub mod report;
pub mod run;
pub mod single_load;
pub mod stats;
pub mod sweep;
pub mod thresholds;
pub mod trial;
pub mod usage;
pub mod votes;
