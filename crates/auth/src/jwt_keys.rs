//! Where the public keys of the issuer of JWT come from.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use reload::{Files, Reloaded};
use tokio::sync::Notify;

use crate::jwt::{JwtError, KeySet, Rules};

/// The public keys of an issuer.
#[derive(Clone, Debug)]
pub enum JwtKeys {
    /// From a file.
    File(Arc<Reloaded<JwtKeysFile>>),
    /// From somebody who calls [`RemoteJwtKeys::replace`].
    Remote(Arc<RemoteJwtKeys>),
}

/// A file with a JSON Web Key Set (RFC 7517).
#[derive(Debug)]
pub struct JwtKeysFile {
    path: PathBuf,
    rules: Rules,
}

/// Keys that are loaded while the process runs.
#[derive(Debug)]
pub struct RemoteJwtKeys {
    rules: Rules,
    keys: RwLock<Option<Arc<KeySet>>>,
    has_unknown_key: Notify,
}

impl JwtKeys {
    /// The keys in a file. Errors if it is missing or invalid.
    pub fn load(path: PathBuf, rules: Rules) -> anyhow::Result<Self> {
        Ok(Self::File(Arc::new(Reloaded::load(JwtKeysFile { path, rules })?)))
    }

    /// The subject (`sub`) of a valid token.
    pub(crate) fn subject(&self, token: &[u8]) -> Result<Arc<str>, JwtError> {
        let keys = self.current().ok_or(JwtError::NoKeys)?;
        keys.subject(token).unwrap_or_else(|| {
            self.report_unknown_key();
            Err(JwtError::Invalid("the key of the JWT is unknown".to_owned()))
        })
    }

    /// None if they were never loaded.
    fn current(&self) -> Option<Arc<KeySet>> {
        match self {
            Self::File(file) => Some(file.value()),
            Self::Remote(remote) => remote.keys.read().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// A token named a key that is not here: the issuer may have a new one.
    fn report_unknown_key(&self) {
        if let Self::Remote(remote) = self {
            remote.has_unknown_key.notify_one();
        }
    }
}

impl RemoteJwtKeys {
    /// No keys yet: no JWT is valid.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            keys: RwLock::default(),
            has_unknown_key: Notify::new(),
        }
    }

    /// Replaces the keys by those of a JSON Web Key Set. If it is invalid, they stay.
    pub fn replace(&self, json: &[u8]) -> anyhow::Result<()> {
        let keys = KeySet::parse(json, &self.rules)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
        Ok(())
    }

    /// Returns when a token has named a key that is not here.
    pub async fn unknown_key(&self) {
        self.has_unknown_key.notified().await;
    }
}

impl Files for JwtKeysFile {
    type Contents = Vec<u8>;
    type Value = KeySet;

    fn name(&self) -> String {
        format!("keys for JWT ({})", self.path.display())
    }

    fn read(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(&self.path).with_context(|| format!("cannot read {} (--jwt-keys)", self.path.display()))
    }

    fn build(&self, contents: &Vec<u8>) -> anyhow::Result<KeySet> {
        KeySet::parse(contents, &self.rules)
            .with_context(|| format!("{} (--jwt-keys) is invalid", self.path.display()))
    }
}
