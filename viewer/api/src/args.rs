//! Command-line options.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use secret::SecretUrl;
use service::listener::ListenerArgs;
use service::{CommonArgs, EffectiveConfig};
use tallies::{RedisSecurityArgs, RedisServer};
use vote_log::MongodbLoginArgs;

use crate::compare::PrometheusArgs;
use crate::create_user::CreateUserArgs;

/// Shows the votes: the log from MongoDB, the tallies from Redis, a comparison of the routes from Prometheus
///
/// Only MongoDB is required. The viewer starts even if no store is reachable; the page then shows what is missing.
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
    /// Create a MongoDB user that can only read the log, for machines without mongosh
    CreateUser(CreateUserArgs),
}

/// Options of the service.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address on which to serve the page and its API
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// Serve on this port of every IPv4 address instead of --listen; container platforms set PORT
    #[arg(long, env = "PORT", value_name = "PORT")]
    port: Option<u16>,

    /// URI of MongoDB, which stores the log; use a read-only user (`viewer create-user`)
    #[arg(long, env = "MONGODB_URI", hide_env_values = true, required = true)]
    mongodb_uri: Option<SecretUrl>,

    #[command(flatten)]
    mongodb_login: MongodbLoginArgs,

    /// URL of Redis, which stores the tallies; without it the page shows no tallies
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<SecretUrl>,

    #[command(flatten)]
    redis_security: RedisSecurityArgs,

    #[command(flatten)]
    pub prometheus: PrometheusArgs,

    /// How often Prometheus scrapes the services, in s; rates are computed over several scrapes
    #[arg(long, env = "SCRAPE_INTERVAL_S", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub scrape_interval_s: u32,

    /// Directory to which `compare` and `lab demo` write their reports, with one subdirectory per run
    #[arg(long, env = "RESULTS_DIR", value_name = "DIR")]
    pub results_dir: Option<PathBuf>,

    /// Directory of the built web page
    #[arg(long, env = "WEB_DIR", value_name = "DIR", default_value = "viewer/web/dist")]
    pub web_dir: PathBuf,

    /// Number of proxies in front of this service that add the client's address to X-Forwarded-For; 0 ignores the header.
    /// Cloud Run: 1. With a number that is too high, clients can forge their address and evade the limits
    #[arg(long, env = "TRUSTED_PROXIES", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=8))]
    pub trusted_proxies: u8,

    /// API requests per second and client; a burst may have five times as many
    #[arg(long, env = "RATE_LIMIT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate_limit: u32,

    /// Open streams of the log at a time
    #[arg(long, env = "MAX_STREAMS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_streams: u32,

    /// Open streams of one client at a time
    #[arg(long, env = "MAX_STREAMS_PER_CLIENT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_streams_per_client: u32,

    #[command(flatten)]
    pub listener: ListenerArgs,
}

impl ServeArgs {
    /// The address to listen on.
    pub(crate) fn address(&self) -> SocketAddr {
        match self.port {
            Some(port) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
            None => self.listen,
        }
    }

    /// The validated URI of MongoDB, with the password.
    pub(crate) fn mongodb_uri(&self) -> anyhow::Result<SecretUrl> {
        const OPTION: &str = "--mongodb-uri";
        // The option is required. It is absent only for other commands.
        let uri = self.mongodb_uri.as_ref();
        let uri = uri.with_context(|| format!("{OPTION} is required"))?;
        vote_log::validated_uri(OPTION, uri, &self.mongodb_login)
    }

    /// Redis. None if it is not configured.
    pub(crate) fn redis(&self) -> anyhow::Result<Option<RedisServer>> {
        let server = |url| RedisServer::new(url, &self.redis_security);
        self.redis_url.as_ref().map(server).transpose()
    }

    /// The effective configuration, without passwords.
    pub(crate) fn effective(&self, common: &CommonArgs) -> EffectiveConfig {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let url = |url: &Option<SecretUrl>| or_none(url.as_ref().map(ToString::to_string));
        let results = self.results_dir.as_ref().map(|path| path.display().to_string());
        EffectiveConfig::of_process(common, &self.listener)
            .with("mongodb_uri", url(&self.mongodb_uri))
            .with("redis_url", url(&self.redis_url))
            .with("prometheus_url", url(&self.prometheus.url))
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

    fn parse_urls(mongodb: &str, redis: &str, prometheus: &str) -> Cli {
        Cli::try_parse_from([
            "viewer",
            "--mongodb-uri",
            mongodb,
            "--redis-url",
            redis,
            "--prometheus-url",
            prometheus,
        ])
        .unwrap()
    }

    #[test]
    fn port_listens_on_every_address() {
        assert_eq!(parse(&[]).unwrap().serve.address().to_string(), "127.0.0.1:8090");
        let cli = parse(&["--port", "8080"]).unwrap();
        assert_eq!(cli.serve.address().to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn no_password_is_logged_or_repeated_in_errors() {
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
        let prometheus = format!("{:?}", cli.serve.prometheus.server().unwrap());
        assert!(
            prometheus.contains("/prom/") && !prometheus.contains("s3cret"),
            "{prometheus}"
        );

        let wrong = "s3cret.example";
        let cli = parse_urls(wrong, wrong, wrong);
        for text in errors(&cli.serve) {
            assert!(text.contains("is invalid") && !text.contains("s3cret"), "{text}");
        }
    }

    /// The errors of the three URLs.
    fn errors(serve: &ServeArgs) -> Vec<String> {
        let errors = [
            serve.mongodb_uri().err(),
            serve.redis().err(),
            serve.prometheus.server().err(),
        ];
        errors
            .into_iter()
            .flatten()
            .map(|error| format!("{error:#} {error:?}"))
            .collect()
    }

    #[test]
    fn no_part_of_a_password_with_delimiters_is_shown() {
        for password in [
            "s3cret/",
            "/s3cret",
            "1/s3cret",
            "1?s3cret",
            "1?s3cret=1",
            "1#s3cret",
            "s3cret@",
            "@s3cret",
            ":s3cret",
            "%s3cret",
            "%zzs3cret",
            "[s3cret",
            "1,s3cret",
            "s3cret s3cret",
            "1?w=s3cret&x",
        ] {
            let url = |scheme| format!("{scheme}://me:{password}@127.0.0.1:1/");
            let cli = parse_urls(&url("mongodb"), &url("redis"), &url("http"));
            let shown = format!("{:?} {:?}", cli.serve.effective(&cli.common), cli);
            assert!(!shown.contains("s3cret"), "{password}: {shown}");
            let errors = errors(&cli.serve).join("\n");
            assert!(!errors.contains("s3cret"), "{password}: {errors}");
        }
    }

    #[test]
    fn mongodb_uri_is_required_to_serve_but_not_to_create_a_user() {
        assert!(Cli::try_parse_from(["viewer"]).is_err());
        let cli = Cli::try_parse_from(["viewer", "create-user", "--admin-uri", URI]).unwrap();
        assert!(cli.command.is_some());
    }
}
