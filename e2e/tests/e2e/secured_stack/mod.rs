//! The secured stack of `lab`: votes pass by all routes, its stores refuse who may not enter, and new certificates need no
//! restart. The stores are real servers, and the programs are ours.

mod old_versions;
mod program;
mod refusals;
mod rotation;
mod users;

use std::path::Path;

use authority::Authority;
use ephemeral_stack::EphemeralStack;
use lab::ports::{Port, Ports};
use lab::secrets::{Secrets, User};
use lab::servers::Server;

/// Where clients connect by TLS: all ports of the servers.
const TLS_PORTS: [Port; 15] = [
    Port::Kafka,
    Port::Redis,
    Port::Mongodb,
    Port::Grpc,
    Port::Rest,
    Port::Bridge,
    Port::Ingress,
    Port::Prometheus,
    Port::Viewer,
    Port::GrpcAdmin,
    Port::RestAdmin,
    Port::BridgeAdmin,
    Port::ConsumerAdmin,
    Port::IngressAdmin,
    Port::ViewerAdmin,
];

/// A secured stack with these servers.
struct SecuredStack {
    stack: EphemeralStack,
    secrets: Secrets,
    ports: Ports,
}

impl SecuredStack {
    async fn start(servers: &[Server]) -> Self {
        let names: Vec<_> = servers.iter().map(|server| server.name()).collect();
        let names = names.join(",");
        let start = move || EphemeralStack::start_with(&["--secure", "--only", &names]).unwrap();
        let stack = tokio::task::spawn_blocking(start).await.unwrap();
        Self {
            secrets: stack.stack().dir().secrets(),
            ports: stack.stack().settings().unwrap().ports,
            stack,
        }
    }

    /// An authority that issues like that of the stack.
    fn authority(&self) -> Authority {
        let key = std::fs::read_to_string(self.secrets.ca().with_extension("key")).unwrap();
        Authority::load(
            "dualpath lab",
            &std::fs::read_to_string(self.secrets.ca()).unwrap(),
            &key,
        )
        .unwrap()
    }

    /// Writes a file beside the secrets. Returns its path.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.secrets.ca().with_file_name(name);
        std::fs::write(&path, text).unwrap();
        shown(&path)
    }

    fn redis_url(&self, user: &str) -> String {
        format!("rediss://{user}@{}", self.ports.address(Port::Redis))
    }

    fn mongodb_uri(&self, user: &str, cert_with_key: &str) -> String {
        format!(
            "mongodb://{user}@{}/?replicaSet=rs0&authSource=votes&tls=true&tlsCAFile={}&tlsCertificateKeyFile={cert_with_key}",
            self.ports.address(Port::Mongodb),
            shown(&self.secrets.ca())
        )
    }

    /// The options with which a program reaches Redis and MongoDB.
    fn store_options(&self, user: User, server: Server) -> Options {
        let secrets = &self.secrets;
        let password_file = |store| shown(&secrets.password_file(store, user));
        let cert_with_key = shown(&secrets.cert_with_key(server));
        Options::new([
            ("--redis-url", self.redis_url(user.name())),
            ("--redis-ca", shown(&secrets.ca())),
            ("--redis-cert", shown(&secrets.cert(server))),
            ("--redis-key", shown(&secrets.key(server))),
            ("--redis-password-file", password_file(Server::Redis)),
            ("--mongodb-uri", self.mongodb_uri(user.name(), &cert_with_key)),
            ("--mongodb-password-file", password_file(Server::Mongodb)),
        ])
    }

    fn viewer_options(&self) -> Options {
        self.store_options(User::Viewer, Server::Viewer)
            .with(
                "--prometheus-url",
                &format!("https://{}", self.ports.address(Port::Prometheus)),
            )
            .with("--prometheus-ca", &shown(&self.secrets.ca()))
    }

    /// No password of the stack is in `text`.
    fn assert_shows_no_password(&self, text: &str) {
        for (store, users) in [
            (Server::Kafka, User::KAFKA),
            (Server::Redis, User::STORES),
            (Server::Mongodb, User::STORES),
        ] {
            for user in users {
                let password = std::fs::read_to_string(self.secrets.password_file(store, user)).unwrap();
                assert!(!text.contains(&password), "{store} {user:?}: {text}");
            }
        }
    }
}

/// Options of a program, which a case changes one by one.
#[derive(Clone)]
struct Options(Vec<(String, String)>);

impl Options {
    fn new<const N: usize>(options: [(&str, String); N]) -> Self {
        let options = options.into_iter();
        Self(
            options
                .map(|(option, value)| (option.to_owned(), value))
                .collect(),
        )
    }

    /// Adds an option, or replaces its value.
    fn with(mut self, option: &str, value: &str) -> Self {
        self = self.without(option);
        self.0.push((option.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, option: &str) -> Self {
        self.0.retain(|(name, _)| name != option);
        self
    }

    fn arguments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|(option, value)| [option.as_str(), value])
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
