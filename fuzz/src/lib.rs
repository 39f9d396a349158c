//! Inputs for fuzz targets, and two ways to run a target. The targets are in `tests/decoders`.
//!
//! `cargo test` runs each target with the same inputs each time. With a variable of bolero, or by `cargo bolero`, bolero
//! chooses the inputs and how many there are.

mod input;
mod run;

pub use bolero;
pub use input::{Edit, Input};
pub use run::{bolero_chooses, check_same_inputs, unwind_safe};

/// Checks a property for many values of a type: `check!(Input, |input| assert!(…))`.
#[macro_export]
macro_rules! check {
    ($type:ty, $property:expr) => {
        // The macro of bolero registers the function that it is in.
        if $crate::bolero_chooses() {
            $crate::bolero::check!()
                .with_type::<$type>()
                .for_each($crate::unwind_safe::<$type>($property));
        } else {
            $crate::check_same_inputs::<$type>($property);
        }
    };
}
