//! Where the public keys of the issuer of JWT come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use reload::{Files, Reloaded};
use tokio_util::sync::CancellationToken;

use crate::jwks_url::JwksUrl;
use crate::jwt::{KeySet, Rules};

/// A file or a URL with a JSON Web Key Set.
#[derive(Debug)]
pub(crate) enum Jwks {
    File(Arc<Reloaded<JwksFile>>),
    Url(Arc<JwksUrl>),
}

#[derive(Debug)]
pub(crate) struct JwksFile {
    path: PathBuf,
    rules: Rules,
}

impl Jwks {
    /// `place` is a path or a URL. `ca` is the file with the CAs of the URL.
    pub(crate) fn open(place: &str, ca: Option<&Path>, rules: Rules) -> anyhow::Result<Self> {
        if place.contains("://") {
            return Ok(Self::Url(Arc::new(JwksUrl::new(place, ca, rules)?)));
        }
        ensure!(
            ca.is_none(),
            "--jwt-keys-ca is for a URL, but --jwt-keys is a file"
        );
        let path = PathBuf::from(place);
        Ok(Self::File(Arc::new(Reloaded::load(JwksFile { path, rules })?)))
    }

    /// None if they were never loaded.
    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        match self {
            Self::File(file) => Some(file.value()),
            Self::Url(url) => url.keys(),
        }
    }

    /// A token named a key that is not here: the issuer may have a new one.
    pub(crate) fn report_unknown_key(&self) {
        if let Self::Url(url) = self {
            url.load_soon();
        }
    }

    /// Loads changed keys until `shutdown`.
    pub(crate) fn watch(&self, shutdown: &CancellationToken) {
        match self {
            Self::File(file) => drop(tokio::spawn(Arc::clone(file).watch(shutdown.clone()))),
            Self::Url(url) => drop(tokio::spawn(Arc::clone(url).watch(shutdown.clone()))),
        }
    }
}

impl Files for JwksFile {
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
