//! The version that both services of this program report.

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
