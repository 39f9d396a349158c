//! Options.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Parser, Subcommand};
use mongodb::options::ConnectionString;
use redis::Client;
use reqwest::Url;
use service::listener::ListenerArgs;
use service::{CommonArgs, EffectiveConfig, redact};

use crate::create_user::CreateUserArgs;

/// Shows the votes: the log from MongoDB, the tallies from Redis, the routes side by side from Prometheus.
///
/// Only MongoDB is needed. It starts and answers without any of them and says on the page what is missing.
#[derive(Debug, Parser)]
#[command(name = "viewer", version, subcommand_negates_reqs = true)]
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
    #[arg(long, env = "MONGODB_URI", hide_env_values = true, required = true)]
    mongodb_uri: Option<String>,

    /// Redis, which holds the tallies; without it the page says that there are none
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,

    /// Prometheus, which compares the routes; without it the page says so
    #[arg(long, env = "PROMETHEUS_URL", hide_env_values = true)]
    prometheus_url: Option<String>,

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

    // Addresses may hold passwords. So they are not parsed with the other options, which would repeat one that is wrong.

    /// MongoDB's address.
    pub(crate) fn mongodb_uri(&self) -> anyhow::Result<&str> {
        let uri = self.mongodb_uri.as_deref().unwrap_or_default();
        if ConnectionString::parse(uri).is_err() {
            bail!("--mongodb-uri is wrong: expected mongodb://… or mongodb+srv://…");
        }
        Ok(uri)
    }

    /// Redis' address.
    pub(crate) fn redis(&self) -> anyhow::Result<Option<Client>> {
        let client = self.redis_url.as_deref().map(Client::open).transpose();
        client.map_err(|_| anyhow!("--redis-url is wrong: expected redis://…"))
    }

    /// Prometheus' address, to which paths can be joined.
    pub(crate) fn prometheus_url(&self) -> anyhow::Result<Option<Url>> {
        let Some(text) = &self.prometheus_url else {
            return Ok(None);
        };
        let mut url = Url::parse(text).context("--prometheus-url is wrong")?;
        if url.scheme() != "http" {
            bail!(
                "--prometheus-url is wrong: expected http://…; one that speaks TLS needs a proxy before it"
            );
        }
        // Without the slash the path's last part would be replaced.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Some(url))
    }

    /// The configuration in force, without passwords.
    pub(crate) fn effective(&self, common: &CommonArgs) -> EffectiveConfig {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let results = self.results_dir.as_ref().map(|path| path.display().to_string());
        EffectiveConfig::of_process(common, &self.listener)
            .with("mongodb_uri", or_none(self.mongodb_uri.as_deref().map(redact)))
            .with("redis_url", or_none(self.redis_url.as_deref().map(redact)))
            .with(
                "prometheus_url",
                or_none(self.prometheus_url.as_deref().map(redact)),
            )
            .with("scrape_interval_s", self.scrape_interval_s)
            .with("results_dir", or_none(results))
            .with("web_dir", self.web_dir.display())
            .with("trusted_proxies", self.trusted_proxies)
            .with("rate_limit", self.rate_limit)
            .with("max_streams", self.max_streams)
            .with("max_streams_per_client", self.max_streams_per_client)
    }
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
        let prometheus = cli.serve.prometheus_url().unwrap().unwrap();
        assert_eq!(prometheus.path(), "/prom/");

        let wrong = "s3cret.example";
        let cli = Cli::try_parse_from([
            "viewer",
            "--mongodb-uri",
            wrong,
            "--redis-url",
            wrong,
            "--prometheus-url",
            wrong,
        ])
        .unwrap();
        let errors = [
            cli.serve.mongodb_uri().map(|_| ()).unwrap_err(),
            cli.serve.redis().map(|_| ()).unwrap_err(),
            cli.serve.prometheus_url().map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            let text = format!("{error:#}");
            assert!(text.contains("is wrong") && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn the_uri_is_needed_to_serve_and_not_to_make_a_user() {
        assert!(Cli::try_parse_from(["viewer"]).is_err());
        let cli = Cli::try_parse_from(["viewer", "create-user", "--admin-uri", URI]).unwrap();
        assert!(cli.command.is_some());
    }
}
