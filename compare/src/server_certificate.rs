//! The certificate of services with TLS, for one run.

use std::sync::Arc;

use anyhow::Result;
use authority::Authority;
use experiment_model::variant::Tls;
use rustls::ClientConfig;
use rustls::client::Resumption;
use tempfile::TempDir;
use tls::{PemFile, TlsClient};

/// The name in the certificate: the address of the services.
const HOST: &str = "127.0.0.1";
const CA: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

/// A certificate in files that only this user can read.
#[derive(Debug)]
pub struct ServerCertificate(TempDir);

impl ServerCertificate {
    /// Makes a CA, which signs one certificate.
    pub fn issue() -> Result<Self> {
        let authority = Authority::new("dualpath compare")?;
        let issued = authority.issue(&[HOST])?;
        // The directory has the mode 700.
        let directory = TempDir::new()?;
        for (name, text) in [
            (CA, authority.pem()),
            (CERTIFICATE, issued.cert),
            (KEY, issued.key),
        ] {
            std::fs::write(directory.path().join(name), text)?;
        }
        Ok(Self(directory))
    }

    /// The options of a service that presents it.
    pub fn service_args(&self) -> [String; 4] {
        let path = |name| self.0.path().join(name).display().to_string();
        [
            "--tls-cert".to_owned(),
            path(CERTIFICATE),
            "--tls-key".to_owned(),
            path(KEY),
        ]
    }

    /// The configuration of a client that trusts it.
    pub fn client_config(&self, tls: Tls) -> Result<Arc<ClientConfig>> {
        let ca = PemFile::new(&self.0.path().join(CA), "the CA of the run");
        let mut config = TlsClient::new(ca, None, None)?.config()?;
        if tls == Tls::Full {
            config.resumption = Resumption::disabled();
        }
        Ok(Arc::new(config))
    }
}
