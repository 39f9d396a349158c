//! The viewer: an HTTP API over what the consumer has written, and the page that shows it.

mod args;
mod cache;
mod compare;
mod create_user;
mod follow;
mod guard;
mod logs;
mod observe;
mod pages;
mod problem;
mod query;
mod reports;
mod router;
mod serve;
mod status;
mod tallies;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use service::Identity;

const IDENTITY: Identity = Identity {
    name: "viewer",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9105),
};

fn main() -> ExitCode {
    let cli = Cli::parse();
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
