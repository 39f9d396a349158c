//! Encryption of the connections to Kafka, and the login of this client.

use std::path::PathBuf;

use secret::{Password, PasswordSource};
use tls::{PemFile, TlsClient};

use crate::KafkaError;
use crate::token_file::TokenFile;

/// Options of encryption and login.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SecurityArgs {
    /// Encryption of the connections to Kafka (ssl), and login (sasl)
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL", value_enum, default_value_t)]
    pub kafka_security_protocol: SecurityProtocol,

    /// File with the certificates of the CAs that sign the certificates of the brokers (PEM); required for ssl
    #[arg(long, env = "KAFKA_CA", value_name = "FILE")]
    pub kafka_ca: Option<PathBuf>,

    /// File with the certificate that is presented to the brokers, and its intermediate certificates (PEM)
    #[arg(long, env = "KAFKA_CERT", value_name = "FILE", requires = "kafka_key")]
    pub kafka_cert: Option<PathBuf>,

    /// File with the private key of --kafka-cert (PEM)
    #[arg(long, env = "KAFKA_KEY", value_name = "FILE", requires = "kafka_cert")]
    pub kafka_key: Option<PathBuf>,

    /// How to log in
    #[arg(long, env = "KAFKA_SASL_MECHANISM", value_enum, default_value_t)]
    pub kafka_sasl_mechanism: SaslMechanism,

    /// The name to log in with; for oauthbearer, the token has it
    #[arg(long, env = "KAFKA_USERNAME", value_name = "NAME")]
    pub kafka_username: Option<String>,

    /// File with the password of --kafka-username; without it, the variable KAFKA_PASSWORD has the password
    #[arg(long, env = "KAFKA_PASSWORD_FILE", value_name = "FILE")]
    pub kafka_password_file: Option<PathBuf>,

    /// File with the access token for oauthbearer, a JWT; read again before the token expires
    #[arg(long, env = "KAFKA_TOKEN_FILE", value_name = "FILE")]
    pub kafka_token_file: Option<PathBuf>,
}

/// Encryption and login, by the names of the client library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SecurityProtocol {
    /// Neither.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// Login without encryption: other machines can read the password, unless the mechanism is SCRAM.
    SaslPlaintext,
    /// TLS and login.
    SaslSsl,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SaslMechanism {
    /// It sends the password.
    Plain,
    /// Challenge and response, SHA-256.
    ScramSha256,
    /// Challenge and response, SHA-512.
    #[default]
    ScramSha512,
    /// It sends an access token of an identity provider.
    Oauthbearer,
}

/// How to connect to brokers.
#[derive(Clone, Debug, Default)]
pub struct Security {
    protocol: SecurityProtocol,
    files: Option<TlsFiles>,
    pub(crate) tls: Option<TlsClient>,
    pub(crate) login: Option<Login>,
}

#[derive(Clone, Debug)]
struct TlsFiles {
    ca: PathBuf,
    identity: Option<(PathBuf, PathBuf)>,
}

/// Who this client is, and how it proves that.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    Password(PasswordLogin),
    Token(TokenFile),
}

/// A name and its password.
#[derive(Clone, Debug)]
pub(crate) struct PasswordLogin {
    pub(crate) mechanism: SaslMechanism,
    pub(crate) username: String,
    pub(crate) password: Password,
}

impl SecurityArgs {
    /// The settings, for the effective configuration.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        let mechanism = if self.kafka_security_protocol.has_login() {
            self.kafka_sasl_mechanism.name()
        } else {
            "none"
        };
        [
            (
                "security.protocol",
                self.kafka_security_protocol.name().to_owned(),
            ),
            ("sasl.mechanism", mechanism.to_owned()),
        ]
    }

    pub(crate) fn open(&self) -> Result<Security, KafkaError> {
        let protocol = self.kafka_security_protocol;
        let files = self.tls_files()?;
        let tls = files.as_ref().map(TlsFiles::client).transpose();
        Ok(Security {
            protocol,
            tls: tls.map_err(|error| KafkaError::Security(format!("{error:#}")))?,
            files,
            login: self.login()?,
        })
    }

    fn tls_files(&self) -> Result<Option<TlsFiles>, KafkaError> {
        if !self.kafka_security_protocol.has_tls() {
            return match (&self.kafka_ca, &self.kafka_cert) {
                (None, None) => Ok(None),
                _ => Err(error(
                    "--kafka-ca and --kafka-cert need --kafka-security-protocol ssl or sasl-ssl",
                )),
            };
        }
        let Some(ca) = &self.kafka_ca else {
            return Err(error(
                "TLS to Kafka needs the file of the CA of the brokers (--kafka-ca)",
            ));
        };
        let identity = self.kafka_cert.clone().zip(self.kafka_key.clone());
        Ok(Some(TlsFiles {
            ca: ca.clone(),
            identity,
        }))
    }

    fn login(&self) -> Result<Option<Login>, KafkaError> {
        if !self.kafka_security_protocol.has_login() {
            return match (&self.kafka_username, &self.kafka_token_file) {
                (None, None) => Ok(None),
                _ => Err(error(
                    "--kafka-username and --kafka-token-file need --kafka-security-protocol sasl-ssl or sasl-plaintext",
                )),
            };
        }
        match (self.kafka_sasl_mechanism, &self.kafka_token_file) {
            (SaslMechanism::Oauthbearer, Some(path)) => {
                let file = TokenFile::new(path);
                file.read().map_err(|reason| error(&reason))?;
                return Ok(Some(Login::Token(file)));
            }
            (SaslMechanism::Oauthbearer, None) => {
                return Err(error(
                    "the login to Kafka by oauthbearer needs a token (--kafka-token-file)",
                ));
            }
            (_, Some(_)) => {
                return Err(error(
                    "--kafka-token-file needs --kafka-sasl-mechanism oauthbearer",
                ));
            }
            (_, None) => {}
        }
        let Some(username) = &self.kafka_username else {
            return Err(error("the login to Kafka needs a name (--kafka-username)"));
        };
        let source = PasswordSource::new(
            self.kafka_password_file.as_deref(),
            "--kafka-password-file",
            "KAFKA_PASSWORD",
        );
        let read = source.read().map_err(|cause| error(&format!("{cause:#}")))?;
        let password = read.ok_or_else(|| {
            error(&format!(
                "the login to Kafka needs a password ({})",
                source.advice()
            ))
        })?;
        Ok(Some(Login::Password(PasswordLogin {
            mechanism: self.kafka_sasl_mechanism,
            username: username.clone(),
            password,
        })))
    }
}

fn error(reason: &str) -> KafkaError {
    KafkaError::Security(reason.to_owned())
}

impl Security {
    /// The settings of the client library.
    pub(crate) fn client_settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![("security.protocol", self.protocol.name().to_owned())];
        if let Some(files) = &self.files {
            settings.push(("ssl.ca.location", files.ca.display().to_string()));
            if let Some((cert, key)) = &files.identity {
                settings.push(("ssl.certificate.location", cert.display().to_string()));
                settings.push(("ssl.key.location", key.display().to_string()));
            }
        }
        match &self.login {
            None => {}
            Some(Login::Password(login)) => {
                settings.push(("sasl.mechanism", login.mechanism.name().to_owned()));
                settings.push(("sasl.username", login.username.clone()));
                settings.push(("sasl.password", login.password.expose().to_owned()));
            }
            // The library asks for the token (`Tokens`).
            Some(Login::Token(_)) => {
                settings.push(("sasl.mechanism", SaslMechanism::Oauthbearer.name().to_owned()));
            }
        }
        settings
    }

    /// The file with the access token, if the login uses one.
    pub(crate) fn token_file(&self) -> Option<&TokenFile> {
        match &self.login {
            Some(Login::Token(file)) => Some(file),
            Some(Login::Password(_)) | None => None,
        }
    }
}

impl TlsFiles {
    fn client(&self) -> anyhow::Result<TlsClient> {
        let identity = self.identity.as_ref().map(|(cert, key)| {
            (
                PemFile::new(cert, "--kafka-cert"),
                PemFile::new(key, "--kafka-key"),
            )
        });
        TlsClient::new(PemFile::new(&self.ca, "--kafka-ca"), identity, None)
    }
}

impl SecurityProtocol {
    fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    fn has_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

impl SaslMechanism {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}
