//! Stacks of real servers that exist for one test or one experiment: free ports, a temporary directory, removed at the
//! end. Tests use [`EphemeralStack`], which survives a killed test; programs use [`with_stack`], which handles interrupts.

mod ephemeral_stack;
mod scoped;

pub use ephemeral_stack::EphemeralStack;
pub use scoped::{Running, with_stack};
