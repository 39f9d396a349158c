//! How to run a target.

use std::panic::{AssertUnwindSafe, RefUnwindSafe};

use bolero::TypeGenerator;
use bolero::generator::bolero_generator::driver::{ByteSliceDriver, Options};

/// About two seconds for the slowest target.
const INPUTS: u64 = 20_000;
/// From so many random bytes, bolero makes an input.
const RANDOM_BYTES: usize = 256;

/// Whether bolero chooses the inputs: if it is configured, or if `cargo bolero` runs this program.
pub fn bolero_chooses() -> bool {
    std::env::vars_os().any(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("BOLERO_") || name.starts_with("CARGO_BOLERO_")
    })
}

/// Checks a property for inputs that are the same in each run. The engine of bolero starts each run at another place, so
/// it could fail a change that did not cause the failure.
pub fn check_same_inputs<T: TypeGenerator + std::fmt::Debug>(property: impl Fn(&T)) {
    for number in 0..INPUTS {
        let mut bytes = [0; RANDOM_BYTES];
        fastrand::Rng::with_seed(number).fill(&mut bytes);
        if let Some(input) = T::generate(&mut ByteSliceDriver::new(&bytes, &Options::default())) {
            let _shown = ShownOnPanic(&input);
            property(&input);
        }
    }
}

/// The property in the form that bolero needs. It is dropped after a panic.
pub fn unwind_safe<T>(property: impl Fn(&T)) -> impl Fn(&T) + RefUnwindSafe {
    let property = AssertUnwindSafe(property);
    move |input| {
        // Captures all of it, not the field alone.
        let property = &property;
        (property.0)(input);
    }
}

struct ShownOnPanic<'a, T: std::fmt::Debug>(&'a T);

impl<T: std::fmt::Debug> Drop for ShownOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input: {:?}", self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{Edit, Input};

    #[test]
    fn inputs_are_the_same_in_each_run_and_not_all_alike() {
        let inputs = || {
            let inputs = RefCell::new(Vec::new());
            check_same_inputs(|input: &Input| inputs.borrow_mut().push(input.clone()));
            inputs.into_inner()
        };
        let first = inputs();
        assert_eq!(first, inputs());
        assert_eq!(first.len() as u64, INPUTS);
        for edits in 0..=3 {
            assert!(first.iter().any(|input| input.edits.len() == edits), "{edits}");
        }
        let is_all = |edit: &Edit| matches!(edit, Edit::All(bytes) if bytes.len() > 50);
        assert!(first.iter().any(|input| input.edits.iter().any(is_all)));
    }
}
