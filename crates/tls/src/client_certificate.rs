//! The certificate of the client of a connection.

use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The names in the certificate of a client, which the handshake has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    names: Arc<[String]>,
}

impl ClientCertificate {
    /// Reads the names. Errors if the certificate is not X.509.
    pub fn read(certificate: &CertificateDer<'_>) -> anyhow::Result<Self> {
        let (_, certificate) =
            X509Certificate::from_der(certificate).context("the certificate is not X.509")?;
        let mut names = Vec::new();
        if let Some(alternative) = certificate.subject_alternative_name()? {
            for name in &alternative.value.general_names {
                match name {
                    GeneralName::DNSName(name) | GeneralName::URI(name) => names.push((*name).to_owned()),
                    _ => {}
                }
            }
        }
        for name in certificate.subject().iter_common_name() {
            names.push(name.as_str()?.to_owned());
        }
        Ok(Self { names: names.into() })
    }

    /// The DNS names and URIs, then the common names of the subject.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}
