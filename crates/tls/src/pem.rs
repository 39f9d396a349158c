//! Certificates and keys in PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A file and the option that names it.
#[derive(Clone, Debug)]
pub struct PemFile {
    path: PathBuf,
    option: &'static str,
}

impl PemFile {
    /// The file at `path`. `option` is the name of the option, for errors.
    pub fn new(path: &Path, option: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            option,
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the option.
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// The whole file. The error names the option.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        let Self { path, option } = self;
        std::fs::read(path).with_context(|| format!("cannot read {} ({option})", path.display()))
    }
}

/// The implementation of the ciphers.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// All certificates of a file, at least one.
pub fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!found.is_empty(), "there is no PEM section CERTIFICATE");
    Ok(found)
}

/// The certificates of CAs.
pub fn authorities(pem: &[u8]) -> anyhow::Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate)?;
    }
    Ok(Arc::new(store))
}

/// The first private key of a file.
pub fn private_key(pem: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    Ok(PrivateKeyDer::from_pem_slice(pem)?)
}
