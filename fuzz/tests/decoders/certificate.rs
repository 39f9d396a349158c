//! Client certificates. The handshake verifies them first, so this decoder gets any bytes only from a CA that is trusted.

use fuzz::{Input, check};
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tls::ClientCertificate;

#[test]
fn names_are_in_the_certificate() {
    let examples = [
        certificate("bridge.example", true),
        certificate("señor voto", false),
    ];
    for example in &examples {
        let names = ClientCertificate::read(&CertificateDer::from(example.as_slice())).unwrap();
        assert!(!names.names().is_empty());
    }
    check!(Input, |input: &Input| {
        let bytes = input.bytes(&examples);
        match ClientCertificate::read(&CertificateDer::from(bytes.as_slice())) {
            Ok(certificate) => {
                for name in certificate.names() {
                    let found =
                        name.is_empty() || bytes.windows(name.len()).any(|part| part == name.as_bytes());
                    assert!(found, "{name:?}");
                }
            }
            Err(error) => assert!(!format!("{error:#}").is_empty()),
        }
    });
}

/// A certificate that is the same in each run: the key is fixed, and Ed25519 needs no random number.
fn certificate(name: &str, has_alternative_names: bool) -> Vec<u8> {
    let seed = [7; 32];
    // RFC 8410: the form of a private key without its public key.
    let pkcs8 = [
        &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..],
        &seed,
    ]
    .concat();
    let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    if has_alternative_names {
        params.subject_alt_names = vec![
            SanType::DnsName("bridge.example".try_into().unwrap()),
            SanType::URI("spiffe://example/bridge".try_into().unwrap()),
        ];
    }
    params.self_signed(&key).unwrap().der().to_vec()
}
