//! TLS with certificates and keys from PEM files.

mod client;
mod pem;

pub use client::{TlsClient, TlsStream};
pub use pem::{PemFile, authorities, certificates, private_key, provider};
