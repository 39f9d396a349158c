//! How clients reach the servers of a stack: addresses, and the options of a secured stack.

use std::path::Path;

use anyhow::{Context, Result};
use kafka::{BrokerArgs, Brokers, SecurityArgs, SecurityProtocol};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tls::{PemFile, TlsClient};

use crate::endpoints::{Endpoints, mongodb_uri, redis_url};
use crate::ports::{Port, Ports};
use crate::secrets::{Secrets, User, Voter};
use crate::servers::Server;
use crate::state::{Settings, StateDir};

/// The addresses of a stack, and its secrets.
#[derive(Clone, Debug)]
pub struct Access {
    /// The ports.
    pub ports: Ports,
    /// None if the stack is not secured.
    pub secrets: Option<Secrets>,
}

impl Access {
    /// To the stack with these settings in this directory.
    pub fn new(settings: &Settings, dir: &StateDir) -> Self {
        Self {
            ports: settings.ports.clone(),
            secrets: settings.secure.then(|| dir.secrets()),
        }
    }

    /// The URL of a port that speaks HTTP. In a secured stack, all of them have TLS.
    pub fn url(&self, port: Port) -> String {
        format!("{}://{}", self.scheme(), self.ports.address(port))
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.secrets.is_some() { "https" } else { "http" }
    }

    /// The addresses, without users.
    pub fn endpoints(&self) -> Endpoints {
        let (redis, mongodb) = (redis_url(&self.ports), mongodb_uri(&self.ports));
        let (redis, mongodb) = match &self.secrets {
            None => (redis, mongodb),
            Some(secrets) => (
                redis.replacen("redis", "rediss", 1),
                format!("{mongodb}&tls=true&tlsCAFile={}", percent_encoded(&secrets.ca())),
            ),
        };
        Endpoints {
            ingress: self.url(Port::Ingress),
            rest: self.url(Port::Rest),
            grpc: self.url(Port::Grpc),
            bridge: self.url(Port::Bridge),
            rest_admin: self.url(Port::RestAdmin),
            grpc_admin: self.url(Port::GrpcAdmin),
            bridge_admin: self.url(Port::BridgeAdmin),
            consumer_admin: self.url(Port::ConsumerAdmin),
            ingress_admin: self.url(Port::IngressAdmin),
            kafka: self.ports.address(Port::Kafka),
            redis,
            mongodb,
            prometheus: self.url(Port::Prometheus),
            viewer: self.url(Port::Viewer),
            viewer_admin: self.url(Port::ViewerAdmin),
        }
    }

    /// A client that trusts the CA of the stack and offers `protocol`. None if the stack is not secured.
    pub fn tls_client(&self, protocol: Option<&'static [u8]>) -> Result<Option<TlsClient>> {
        let Some(secrets) = &self.secrets else {
            return Ok(None);
        };
        let ca = PemFile::new(&secrets.ca(), "the CA of the stack");
        TlsClient::new(ca, None, protocol).map(Some)
    }

    /// The value of the header `authorization` with which clients may vote: a secret. None if the stack is not secured.
    pub fn authorization(&self) -> Result<Option<String>> {
        let Some(secrets) = &self.secrets else {
            return Ok(None);
        };
        let path = secrets.token_file(Voter::Client);
        let token = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Some(format!("Bearer {token}")))
    }

    /// The brokers, for `lab` itself.
    pub fn brokers(&self) -> Result<Brokers> {
        let args = BrokerArgs {
            addresses: self.ports.address(Port::Kafka),
            security: self
                .secrets
                .as_ref()
                .map_or_else(SecurityArgs::default, |secrets| SecurityArgs {
                    kafka_security_protocol: SecurityProtocol::SaslSsl,
                    kafka_ca: Some(secrets.ca()),
                    kafka_username: Some(User::Admin.name().to_owned()),
                    kafka_password_file: Some(secrets.password_file(Server::Kafka, User::Admin)),
                    ..SecurityArgs::default()
                }),
        };
        Ok(args.open()?)
    }

    /// A client of Redis, for `lab` itself.
    pub fn redis(&self) -> Result<redis::Client> {
        let Some(secrets) = &self.secrets else {
            return Ok(redis::Client::open(redis_url(&self.ports))?);
        };
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
        let [cert, key] = secrets.lab_cert();
        let url = format!(
            "rediss://{}:{}@{}",
            User::Admin.name(),
            secrets.password(Server::Redis, User::Admin)?,
            self.ports.address(Port::Redis)
        );
        let certificates = redis::TlsCertificates {
            client_tls: Some(redis::ClientTlsConfig {
                client_cert: read(&cert)?,
                client_key: read(&key)?,
            }),
            root_cert: Some(read(&secrets.ca())?),
        };
        Ok(redis::Client::build_with_tls(url, certificates)?)
    }

    /// The URI of the node of MongoDB, for `lab` itself; with or without a login. A node without a replica set has no primary
    /// that a driver could select.
    pub fn mongodb_node(&self, with_login: bool) -> Result<String> {
        let address = self.ports.address(Port::Mongodb);
        let Some(secrets) = &self.secrets else {
            return Ok(format!("mongodb://{address}/?directConnection=true"));
        };
        let login = if with_login {
            let password = secrets.password(Server::Mongodb, User::Admin)?;
            format!("{}:{password}@", User::Admin.name())
        } else {
            String::new()
        };
        Ok(format!(
            "mongodb://{login}{address}/?directConnection=true&authSource=admin&{}",
            mongodb_tls(secrets, &secrets.lab_cert_with_key())
        ))
    }

    /// The options of Kafka for a program of the project that logs in as `user`.
    pub(crate) fn kafka_options(&self, user: User) -> Vec<String> {
        let mut options = vec!["--kafka-brokers".to_owned(), self.ports.address(Port::Kafka)];
        if let Some(secrets) = &self.secrets {
            options.extend(
                [
                    ("--kafka-security-protocol", "sasl-ssl".to_owned()),
                    ("--kafka-ca", shown(&secrets.ca())),
                    ("--kafka-username", user.name().to_owned()),
                    (
                        "--kafka-password-file",
                        shown(&secrets.password_file(Server::Kafka, user)),
                    ),
                ]
                .into_iter()
                .flat_map(|(option, value)| [option.to_owned(), value]),
            );
        }
        options
    }

    /// The options of Redis and MongoDB for the consumer or the viewer.
    pub(crate) fn store_options(&self, user: User, server: Server) -> Vec<String> {
        let endpoints = self.endpoints();
        let Some(secrets) = &self.secrets else {
            return flat([
                ("--redis-url", endpoints.redis),
                ("--mongodb-uri", endpoints.mongodb),
            ]);
        };
        let mongodb = format!(
            "mongodb://{}@{}/?replicaSet=rs0&authSource=votes&{}",
            user.name(),
            self.ports.address(Port::Mongodb),
            mongodb_tls(secrets, &secrets.cert_with_key(server))
        );
        flat([
            (
                "--redis-url",
                format!("rediss://{}@{}", user.name(), self.ports.address(Port::Redis)),
            ),
            ("--redis-ca", shown(&secrets.ca())),
            ("--redis-cert", shown(&secrets.cert(server))),
            ("--redis-key", shown(&secrets.key(server))),
            (
                "--redis-password-file",
                shown(&secrets.password_file(Server::Redis, user)),
            ),
            ("--mongodb-uri", mongodb),
            (
                "--mongodb-password-file",
                shown(&secrets.password_file(Server::Mongodb, user)),
            ),
        ])
    }

    /// The options of TLS on the admin port of a program of the project.
    pub fn admin_tls_options(&self, server: Server) -> Vec<String> {
        let secrets = self.secrets.iter();
        secrets
            .flat_map(|secrets| {
                flat([
                    ("--admin-tls-cert", shown(&secrets.cert(server))),
                    ("--admin-tls-key", shown(&secrets.key(server))),
                ])
            })
            .collect()
    }

    /// The options of all commands of the consumer.
    pub fn consumer_options(&self) -> Vec<String> {
        let mut options = self.kafka_options(User::Consumer);
        options.extend(self.store_options(User::Consumer, Server::Consumer));
        options
    }
}

/// The options of a URI of MongoDB.
fn mongodb_tls(secrets: &Secrets, cert_with_key: &Path) -> String {
    format!(
        "tls=true&tlsCAFile={}&tlsCertificateKeyFile={}",
        percent_encoded(&secrets.ca()),
        percent_encoded(cert_with_key)
    )
}

/// A path as the value of an option in a URI.
fn percent_encoded(path: &Path) -> String {
    utf8_percent_encode(&path.display().to_string(), NON_ALPHANUMERIC).to_string()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn flat<const N: usize>(options: [(&str, String); N]) -> Vec<String> {
    let options = options.into_iter();
    options
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
}
