//! The viewer: an HTTP API for the data that the consumer writes, and the web page that shows it.

mod args;
mod cache;
mod client;
mod compare;
mod create_user;
mod follow;
mod identity;
mod logs;
mod problem;
mod query;
mod rate_limit;
mod reports;
mod request_metrics;
mod router;
mod security_headers;
mod serve;
mod static_files;
mod status;
mod tallies;

use std::process::ExitCode;

use args::{Cli, Command};
use identity::IDENTITY;

fn main() -> ExitCode {
    let cli: Cli = service::parse_command_line();
    match cli.command {
        Some(Command::CreateUser(args)) => create_user::run(args),
        None => {
            let (args, common) = (cli.serve, cli.common);
            service::run(IDENTITY, &common.clone(), |process| {
                serve::serve(args, common, process)
            })
        }
    }
}
