//! The program `faults`. `faults --help` describes it.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = faults::cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("faults: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(faults::cli::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}
