//! How to reach Redis: its URL, TLS, and the login of this client.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use redis::{Client, ClientTlsConfig, TlsCertificates};
use secret::{PasswordSource, SecretUrl};
use tls::{PemFile, authorities, certificates, private_key};

const URL_OPTION: &str = "--redis-url";

/// Options of TLS and login.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RedisSecurityArgs {
    /// File with the certificates of the CAs that sign the certificate of Redis (PEM), for rediss://; without it, public CAs
    /// are trusted. Changed files of the Redis options are used for the next connection
    #[arg(long, env = "REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,

    /// File with the certificate that is presented to Redis, and its intermediate certificates (PEM)
    #[arg(long, env = "REDIS_CERT", value_name = "FILE", requires = "redis_key")]
    pub redis_cert: Option<PathBuf>,

    /// File with the private key of --redis-cert (PEM)
    #[arg(long, env = "REDIS_KEY", value_name = "FILE", requires = "redis_cert")]
    pub redis_key: Option<PathBuf>,

    /// File with the password of the user in the URL of Redis; without it, the variable REDIS_PASSWORD has the password
    #[arg(long, env = "REDIS_PASSWORD_FILE", value_name = "FILE")]
    pub redis_password_file: Option<PathBuf>,
}

/// A Redis and how to connect to it. Shows no secret.
#[derive(Clone, Debug)]
pub struct RedisServer {
    url: SecretUrl,
    password: PasswordSource,
    files: Option<TlsFiles>,
}

#[derive(Clone, Debug)]
struct TlsFiles {
    ca: Option<PemFile>,
    identity: Option<(PemFile, PemFile)>,
}

/// What the files and the environment contain at one moment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// With the password.
    url: SecretUrl,
    pems: Option<Pems>,
}

/// The contents of the files for TLS.
#[derive(Clone, PartialEq, Eq)]
struct Pems {
    ca: Option<Vec<u8>>,
    /// The certificate and its key.
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisServer {
    /// Checks the URL and the options. Errors name the option, and contain no secret.
    pub fn new(url: &SecretUrl, security: &RedisSecurityArgs) -> anyhow::Result<Self> {
        url.validate(URL_OPTION, &["redis", "rediss", "unix", "redis+unix"])?;
        let has_scheme = |scheme: &str| url.expose().starts_with(&format!("{scheme}://"));
        let files = TlsFiles::new(security);
        ensure!(
            files.is_none() || has_scheme("rediss"),
            "--redis-ca and --redis-cert are for TLS: {URL_OPTION} must start with rediss://"
        );
        ensure!(
            security.redis_password_file.is_none() || has_scheme("redis") || has_scheme("rediss"),
            "--redis-password-file is not for a Unix socket: {URL_OPTION} must start with redis:// or rediss://"
        );
        ensure!(
            !url.expose().ends_with("#insecure"),
            "{URL_OPTION} ends with #insecure, which is not supported: the certificate of Redis is always verified"
        );
        let server = Self {
            url: url.clone(),
            password: PasswordSource::new(
                security.redis_password_file.as_deref(),
                "--redis-password-file",
                "REDIS_PASSWORD",
            ),
            files,
        };
        server.client()?;
        Ok(server)
    }

    /// The Redis at `url`, without other options.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        Self::new(&SecretUrl::from(url), &RedisSecurityArgs::default())
    }

    /// A client with the present content of the files.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.credentials()?.client()
    }

    /// Reads the files.
    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        let url = if self.url.expose().starts_with("redis") && !self.url.expose().starts_with("redis+unix") {
            self.url.with_password(URL_OPTION, &self.password, true)?
        } else {
            self.url.clone()
        };
        ensure!(
            !url.lacks_password(),
            "{URL_OPTION} names a user without a password: use {}",
            self.password.advice()
        );
        let pems = self.files.as_ref().map(TlsFiles::read).transpose()?;
        Ok(Credentials { url, pems })
    }
}

impl TlsFiles {
    /// None if no option names a file.
    fn new(security: &RedisSecurityArgs) -> Option<Self> {
        let ca = security.redis_ca.as_ref();
        let identity = security.redis_cert.as_ref().zip(security.redis_key.as_ref());
        if ca.is_none() && identity.is_none() {
            return None;
        }
        Some(Self {
            ca: ca.map(|path| PemFile::new(path, "--redis-ca")),
            identity: identity.map(|(cert, key)| {
                (
                    PemFile::new(cert, "--redis-cert"),
                    PemFile::new(key, "--redis-key"),
                )
            }),
        })
    }

    /// Also checks the contents, because the errors of the client do not name an option.
    fn read(&self) -> anyhow::Result<Pems> {
        let ca = self.ca.as_ref().map(PemFile::read).transpose()?;
        if let Some(pem) = &ca {
            authorities(pem).context("--redis-ca has no valid certificate of a CA")?;
        }
        let Some((cert, key)) = &self.identity else {
            return Ok(Pems { ca, identity: None });
        };
        let (cert, key) = (cert.read()?, key.read()?);
        certificates(&cert).context("--redis-cert has no valid certificate")?;
        private_key(&key).context("--redis-key has no valid private key")?;
        let identity = Some((cert, key));
        Ok(Pems { ca, identity })
    }
}

impl Credentials {
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        // A driver may repeat a part of the URL in its error.
        let invalid = |error: redis::RedisError| self.url.invalid(URL_OPTION, &error);
        let Some(pems) = &self.pems else {
            return Ok(Client::open(self.url.expose()).map_err(invalid)?);
        };
        let identity = pems.identity.clone();
        let certificates = TlsCertificates {
            client_tls: identity.map(|(client_cert, client_key)| ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: pems.ca.clone(),
        };
        Ok(Client::build_with_tls(self.url.expose(), certificates).map_err(invalid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str, security: &RedisSecurityArgs) -> String {
        let error = RedisServer::new(&url.into(), security).unwrap_err();
        format!("{error:#} {error:?}")
    }

    #[test]
    fn errors_name_the_option_and_no_secret() {
        let none = RedisSecurityArgs::default();
        let with_ca = RedisSecurityArgs {
            redis_ca: Some("/no/such".into()),
            ..none.clone()
        };
        let with_password = RedisSecurityArgs {
            redis_password_file: Some("/no/such".into()),
            ..none.clone()
        };
        for (url, security, text) in [
            ("redis://h", &with_ca, "must start with rediss://"),
            ("rediss://h", &with_ca, "/no/such (--redis-ca)"),
            ("redis://h", &with_password, "/no/such (--redis-password-file)"),
            (
                "unix:///h",
                &with_password,
                "--redis-password-file is not for a Unix socket",
            ),
            (
                "rediss://:s3cret@h",
                &with_password,
                "or remove --redis-password-file",
            ),
            (
                "rediss://me@h",
                &none,
                "use --redis-password-file, or the variable REDIS_PASSWORD",
            ),
            ("rediss://h/#insecure", &none, "#insecure"),
        ] {
            let error = error(url, security);
            assert!(
                error.contains(text) && !error.contains("s3cret"),
                "{url}: {error}"
            );
        }
        RedisServer::at("rediss://me:x@h").unwrap();
    }

    #[test]
    fn nothing_shows_the_password() {
        let server = RedisServer::at("rediss://me:s3cret@h").unwrap();
        let client = server.client().unwrap();
        let shown = format!("{server:?} {client:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
