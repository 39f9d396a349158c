//! The certificates, keys and passwords of a secured stack: files in `secrets/` of its state directory, which only their
//! owner can read.
//!
//! To add a secret, create its file in [`Secrets::create`].

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use authority::Authority;
use sha2::{Digest, Sha256};

use crate::servers::Server;

/// The name of the authority.
const AUTHORITY: &str = "dualpath lab";
/// A stack seldom runs for longer. `lab rotate-certificates` issues new ones.
const VALIDITY: Duration = Duration::from_hours(90 * 24);
/// Time for the services to load a changed file of identities: they look every two seconds.
const IDENTITIES_LOADED: Duration = Duration::from_secs(5);
/// The name of the certificate with which `lab` connects to the stores.
const LAB: &str = "lab";

/// A user of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Administers the store. Only `lab` uses it.
    Admin,
    /// Writes votes into Kafka.
    Ingest,
    /// Reads votes from Kafka, and writes the tallies and the log.
    Consumer,
    /// Reads the tallies and the log.
    Viewer,
}

/// Somebody who may vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voter {
    /// Locust and people.
    Client,
    /// The bridge.
    Bridge,
}

/// The secrets of a stack.
#[derive(Clone, Debug)]
pub struct Secrets {
    directory: PathBuf,
}

impl User {
    /// The users of Kafka.
    pub const KAFKA: [Self; 3] = [Self::Admin, Self::Ingest, Self::Consumer];
    /// The users of Redis and of MongoDB.
    pub const STORES: [Self; 3] = [Self::Admin, Self::Consumer, Self::Viewer];

    /// The name with which the user logs in.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Ingest => "ingest",
            Self::Consumer => "consumer",
            Self::Viewer => "viewer",
        }
    }
}

impl Voter {
    const ALL: [Self; 2] = [Self::Client, Self::Bridge];

    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Bridge => "bridge",
        }
    }
}

impl Secrets {
    /// The secrets in this directory.
    pub(crate) const fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Creates all files.
    pub(crate) fn create(&self) -> Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&self.directory)
            .with_context(|| format!("creating {}", self.directory.display()))?;
        let authority = Authority::new(AUTHORITY)?;
        write_private(&self.ca(), &authority.pem())?;
        write_private(&self.ca_key(), &authority.key_pem())?;
        self.issue(&authority)?;
        for (server, users) in [
            (Server::Kafka, User::KAFKA),
            (Server::Redis, User::STORES),
            (Server::Mongodb, User::STORES),
        ] {
            for user in users {
                write_private(&self.password_file(server, user), &random_password())?;
            }
        }
        for voter in Voter::ALL {
            write_private(&self.token_file(voter), &random_password())?;
        }
        self.write_identities(&[])?;
        // The members of a replica set prove with this key that they belong together.
        write_private(&self.mongodb_key(), &random_password())
    }

    /// Issues all certificates again, by the same authority.
    pub(crate) fn renew_certificates(&self) -> Result<()> {
        self.issue(&Authority::load(
            AUTHORITY,
            &read(&self.ca())?,
            &read(&self.ca_key())?,
        )?)
    }

    /// Replaces the tokens of all voters. Until the next replacement, the services accept the old tokens too.
    pub(crate) async fn renew_tokens(&self) -> Result<()> {
        let new = Voter::ALL.map(|voter| (voter, random_password()));
        self.write_identities(&new)?;
        // A client must not send a new token before all services know it.
        tokio::time::sleep(IDENTITIES_LOADED).await;
        for (voter, token) in new {
            write_private(&self.token_file(voter), &token)?;
        }
        Ok(())
    }

    /// Lets the voters use the tokens in their files, and these new ones.
    fn write_identities(&self, new: &[(Voter, String)]) -> Result<()> {
        let entry = |voter: Voter| {
            let of_voter = new.iter().filter(|(other, _)| *other == voter);
            let mut digests: Vec<_> = of_voter.map(|(_, token)| sha256(token)).collect();
            digests.push(sha256(&read(&self.token_file(voter))?));
            let (name, may_forward) = (voter.name(), voter == Voter::Bridge);
            Ok(format!(
                "[[identity]]\nname = \"{name}\"\ntoken_sha256 = {digests:?}\nmay_forward = {may_forward}\n"
            ))
        };
        let text: String = Voter::ALL.into_iter().map(entry).collect::<Result<_>>()?;
        write_private(&self.identities(), &text)
    }

    fn issue(&self, authority: &Authority) -> Result<()> {
        for server in Server::all() {
            self.issue_one(authority, server.name(), &names(server))?;
        }
        self.issue_one(authority, LAB, &[LAB])
    }

    fn issue_one(&self, authority: &Authority, name: &str, names: &[&str]) -> Result<()> {
        let issued = authority.issue_for(names, VALIDITY)?;
        // Between the two, programs that read both keep the old pair.
        write_private(&self.file(&format!("{name}.key")), &issued.key)?;
        write_private(&self.file(&format!("{name}.pem")), &issued.cert)?;
        write_private(
            &self.file(&format!("{name}-with-key.pem")),
            &format!("{}{}", issued.cert, issued.key),
        )
    }

    /// The certificate of the authority.
    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    fn ca_key(&self) -> PathBuf {
        self.file("ca.key")
    }

    /// The certificate of a server, which it also presents as a client.
    pub fn cert(&self, server: Server) -> PathBuf {
        self.file(&format!("{server}.pem"))
    }

    /// The private key of [`Self::cert`].
    pub fn key(&self, server: Server) -> PathBuf {
        self.file(&format!("{server}.key"))
    }

    /// A file with certificate and private key.
    pub fn cert_with_key(&self, server: Server) -> PathBuf {
        self.file(&format!("{server}-with-key.pem"))
    }

    /// The certificate and the key with which `lab` connects to the stores, in one file.
    pub fn lab_cert_with_key(&self) -> PathBuf {
        self.file(&format!("{LAB}-with-key.pem"))
    }

    /// The certificate and the key with which `lab` connects to the stores.
    pub fn lab_cert(&self) -> [PathBuf; 2] {
        [self.file(&format!("{LAB}.pem")), self.file(&format!("{LAB}.key"))]
    }

    /// The file with the password of a user of a store.
    pub fn password_file(&self, store: Server, user: User) -> PathBuf {
        self.file(&format!("{store}-{}.password", user.name()))
    }

    /// The password of a user of a store.
    pub(crate) fn password(&self, store: Server, user: User) -> Result<String> {
        read(&self.password_file(store, user))
    }

    /// The file with those who may vote.
    pub fn identities(&self) -> PathBuf {
        self.file("identities.toml")
    }

    /// The file with the bearer token of a voter.
    pub fn token_file(&self, voter: Voter) -> PathBuf {
        self.file(&format!("{}.token", voter.name()))
    }

    /// The key that the members of MongoDB's replica set share.
    pub(crate) fn mongodb_key(&self) -> PathBuf {
        self.file("mongodb-members.key")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The names in the certificate of a server. People may type `localhost` for the servers with a page or an API.
fn names(server: Server) -> Vec<&'static str> {
    let mut names = vec![server.name(), "127.0.0.1"];
    if matches!(server, Server::Ingress | Server::Viewer | Server::Prometheus) {
        names.push("localhost");
    }
    names
}

fn random_password() -> String {
    format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    )
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Writes a file that only its owner can read. A reader sees the old content or the new one.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let temporary = path.with_extension("new");
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_reads_the_files_and_renewed_certificates_differ() {
        let directory = tempfile::TempDir::new().unwrap();
        let secrets = Secrets::at(directory.path().join("secrets"));
        secrets.create().unwrap();
        for entry in std::fs::read_dir(&secrets.directory).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        }
        let contents = |path: PathBuf| std::fs::read(path).unwrap();
        let before = (contents(secrets.ca()), contents(secrets.cert(Server::Rest)));
        secrets.renew_certificates().unwrap();
        assert_eq!(contents(secrets.ca()), before.0);
        assert_ne!(contents(secrets.cert(Server::Rest)), before.1);
    }
}
