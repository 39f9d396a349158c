//! The `lab` program: the one-machine stack on the command line. See `lab --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = lab::cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("lab: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(lab::cli::run(arguments));
    // A blocked read of standard input must not delay the exit.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}
