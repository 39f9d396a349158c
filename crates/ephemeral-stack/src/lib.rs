//! Stacks of real servers for one test or one experiment: on free ports, in a temporary directory that is removed at the
//! end.
//!
//! There are two ways to run one:
//!
//! | | [`EphemeralStack`] (`supervised.rs`) | [`with_stack`] (`in_process.rs`) |
//! |---|---|---|
//! | for | tests | programs, such as the comparison |
//! | owner of the servers | a `lab up` subprocess | the current process |
//! | stops | when the value is dropped, and when the test process dies | when the work returns, and at Ctrl-C, SIGTERM and SIGHUP |
//! | logs after a failure | kept after a panic | removed |

mod in_process;
mod supervised;
mod temporary;

pub use in_process::{Running, with_stack};
pub use supervised::EphemeralStack;
