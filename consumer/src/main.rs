//! The `consumer` program. Its code is in the library, because generic and async code is compiled where it is used: here, it
//! would be compiled a second time (docs/adr/0030).

use std::process::ExitCode;

fn main() -> ExitCode {
    consumer::main()
}
