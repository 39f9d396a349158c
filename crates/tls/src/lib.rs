//! TLS with certificates and keys from PEM files.

mod client;
mod client_certificate;
mod pem;

pub use client::{TlsClient, TlsStream, without_authorities};
pub use client_certificate::ClientCertificate;
pub use pem::{PemFile, authorities, certificates, private_key, provider};
