//! The algorithms of JWT signatures, by `ring`, which TLS uses as well.

use asn1_rs::{Integer, Sequence, ToDer};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use signature::Verifier;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(SignatureVerifier {
            algorithm: *algorithm,
            key: key.clone(),
        }))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this file the implementation that the JWT library uses.
pub(crate) fn install() {
    // Errors if it is installed already.
    let _ = PROVIDER.install_default();
}

/// The algorithms that a key may verify: those of its kind, or the one that it names. Empty for a key that does not verify
/// signatures, and for a symmetric key. The header of a token never adds one.
pub(crate) fn of(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Vec::new();
    }
    let of_kind: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => &[],
    };
    match jwk.common.key_algorithm {
        None => of_kind.to_vec(),
        Some(named) => {
            let is_named = |algorithm: &&Algorithm| KeyAlgorithm::from(**algorithm) == named;
            of_kind.iter().filter(is_named).copied().collect()
        }
    }
}

/// A key in the form that `ring` reads.
pub(crate) fn decoding_key(jwk: &Jwk) -> anyhow::Result<DecodingKey> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            let integer = |text: &str| -> anyhow::Result<Vec<u8>> {
                let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(text)?;
                // The numbers are positive: a zero keeps the first bit from being a sign.
                if bytes.first().is_some_and(|first| first & 0x80 != 0) {
                    bytes.insert(0, 0);
                }
                Ok(Integer::new(&bytes).to_der_vec()?)
            };
            let numbers = [integer(&key.n)?, integer(&key.e)?].concat();
            Ok(DecodingKey::from_rsa_der(
                &Sequence::new(numbers.into()).to_der_vec()?,
            ))
        }
        _ => Ok(DecodingKey::from_jwk(jwk)?),
    }
}

struct SignatureVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for SignatureVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let key = self
            .key
            .try_get_as_bytes()
            .map_err(signature::Error::from_source)?;
        let with = |algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(message, signature)
                .map_err(|_| signature::Error::new())
        };
        match self.algorithm {
            Algorithm::ES256 => with(&ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => with(&ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => with(&ED25519),
            Algorithm::RS256 => with(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => with(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => with(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => with(&RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => with(&RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => with(&RSA_PSS_2048_8192_SHA512),
            _ => Err(signature::Error::new()),
        }
    }
}

impl JwtVerifier for SignatureVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}
