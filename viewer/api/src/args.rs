//! Options.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use mongodb::options::ConnectionString;
use reqwest::Url;
use service::listener::ListenerArgs;
use service::{CommonArgs, Effective, redact};

use crate::create_user::CreateUserArgs;

/// Shows the votes: the log from MongoDB, the tallies from Redis, the routes side by side from Prometheus.
///
/// Only MongoDB is needed. It starts and answers without any of them and says on the page what is missing.
#[derive(Debug, Parser)]
#[command(
    name = "viewer",
    version,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a MongoDB user that can read the log and do nothing else, for machines without mongosh
    CreateUser(CreateUserArgs),
}

/// Options of the service.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address to serve the page and its API on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// Serve on this port of every IPv4 address instead: what container platforms set
    #[arg(long, env = "PORT", value_name = "PORT")]
    port: Option<u16>,

    /// MongoDB, which holds the log; use a user that can only read (`viewer create-user`)
    #[arg(long, env = "MONGODB_URI", hide_env_values = true, value_parser = parse_mongodb_uri)]
    pub mongodb_uri: String,

    /// Redis, which holds the tallies; without it the page says that there are none
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_parser = parse_redis_url)]
    pub redis_url: Option<String>,

    /// Prometheus, which compares the routes; without it the page says so
    #[arg(long, env = "PROMETHEUS_URL", hide_env_values = true, value_parser = parse_prometheus_url)]
    pub prometheus_url: Option<Url>,

    /// How often Prometheus scrapes the services, in s: a rate needs some scrapes
    #[arg(long, env = "SCRAPE_INTERVAL_S", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub scrape_interval_s: u32,

    /// Where `compare` and `lab demo` write their reports: a folder for each run
    #[arg(long, env = "RESULTS_DIR", value_name = "DIR")]
    pub results_dir: Option<PathBuf>,

    /// The built page
    #[arg(long, env = "WEB_DIR", value_name = "DIR", default_value = "viewer/web/dist")]
    pub web_dir: PathBuf,

    /// Proxies before this service that add the client's address to X-Forwarded-For; 0 ignores the header. Cloud Run: 1.
    /// More than there are, and clients can choose the address that they are limited by
    #[arg(long, env = "TRUSTED_PROXIES", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=8))]
    pub trusted_proxies: u8,

    /// API requests a second that a client may make for long, and five times as many at once
    #[arg(long, env = "RATE_LIMIT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate_limit: u32,

    /// Followers of the log at a time, each an open connection
    #[arg(long, env = "MAX_STREAMS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_streams: u32,

    /// Followers of one client at a time
    #[arg(long, env = "MAX_STREAMS_PER_CLIENT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_streams_per_client: u32,

    #[command(flatten)]
    pub listener: ListenerArgs,
}

impl ServeArgs {
    /// Where to listen.
    pub(crate) fn address(&self) -> SocketAddr {
        match self.port {
            Some(port) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
            None => self.listen,
        }
    }

    /// The configuration in force, without passwords.
    pub(crate) fn effective(&self, common: &CommonArgs) -> Effective {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let prometheus = self.prometheus_url.as_ref().map(|url| redact(url.as_str()));
        let results = self.results_dir.as_ref().map(|path| path.display().to_string());
        Effective::of_process(common, &self.listener)
            .with("mongodb_uri", redact(&self.mongodb_uri))
            .with("redis_url", or_none(self.redis_url.as_deref().map(redact)))
            .with("prometheus_url", or_none(prometheus))
            .with("scrape_interval_s", self.scrape_interval_s)
            .with("results_dir", or_none(results))
            .with("web_dir", self.web_dir.display())
            .with("trusted_proxies", self.trusted_proxies)
            .with("rate_limit", self.rate_limit)
            .with("max_streams", self.max_streams)
            .with("max_streams_per_client", self.max_streams_per_client)
    }
}

// The parsers' errors do not repeat the value, which may hold a password.

fn parse_mongodb_uri(text: &str) -> Result<String, String> {
    match ConnectionString::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected mongodb://… or mongodb+srv://…".to_owned()),
    }
}

fn parse_redis_url(text: &str) -> Result<String, String> {
    match redis::Client::open(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected redis://…".to_owned()),
    }
}

fn parse_prometheus_url(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.scheme() != "http" {
        return Err("expected http://…; put a proxy before a Prometheus that speaks TLS".to_owned());
    }
    // Paths are joined to it: without the slash its last part would be replaced.
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "mongodb://me:s3cret@127.0.0.1:1/?replicaSet=rs0";

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["viewer", "--mongodb-uri", URI].iter().chain(arguments))
    }

    #[test]
    fn a_port_listens_on_every_address() {
        assert_eq!(parse(&[]).unwrap().serve.address().to_string(), "127.0.0.1:8090");
        let cli = parse(&["--port", "8080"]).unwrap();
        assert_eq!(cli.serve.address().to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn no_password_is_shown_or_repeated() {
        let redis = "redis://:s3cret@127.0.0.1:1";
        let cli = parse(&[
            "--redis-url",
            redis,
            "--prometheus-url",
            "http://me:s3cret@p/prom",
        ])
        .unwrap();
        let shown = format!("{:?}", cli.serve.effective(&cli.common));
        assert!(shown.contains("me:***@") && !shown.contains("s3cret"), "{shown}");
        assert_eq!(cli.serve.prometheus_url.unwrap().path(), "/prom/");
    }

    #[test]
    fn wrong_addresses_are_refused() {
        for arguments in [
            ["--redis-url", "http://127.0.0.1"],
            ["--prometheus-url", "https://p"],
            ["--prometheus-url", "p"],
        ] {
            assert!(parse(&arguments).is_err(), "{arguments:?}");
        }
    }
}
