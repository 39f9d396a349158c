//! The one-machine stack: fetches, starts, watches and stops real servers; the demo and its report.
fn main() {}
