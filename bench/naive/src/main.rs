//! The floor to beat: the naive service of the published comparisons, done honestly.
fn main() {}
