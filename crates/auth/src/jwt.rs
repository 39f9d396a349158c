//! JWT (RFC 7519) of one issuer.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, get_current_timestamp};
use quick_cache::sync::Cache;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::jwt_algorithms;

/// How far the clocks of the issuer and of this machine may differ, in seconds.
const LEEWAY_S: u64 = 30;
/// Verified tokens that are kept, so that a client pays for a signature once and not for each vote.
const MAX_VERIFIED: usize = 10_000;

/// What a JWT must say.
#[derive(Clone, Debug)]
pub struct Rules {
    issuer: String,
    audience: String,
}

/// The public keys of the issuer, and the tokens that they have verified: other keys start with no verified token.
#[derive(Debug)]
pub struct KeySet {
    keys: HashMap<Option<String>, Key>,
    verified: Cache<Vec<u8>, Verified>,
}

/// A public key.
#[derive(Debug)]
struct Key {
    key: DecodingKey,
    validation: Validation,
}

/// A token whose signature and claims were right.
#[derive(Clone, Debug)]
struct Verified {
    subject: Arc<str>,
    /// Seconds since the Unix epoch.
    expires_at: u64,
}

/// Why a JWT has no subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JwtError {
    /// The reason, without a part of the token.
    Invalid(String),
    /// The keys of the issuer were never loaded.
    NoKeys,
}

impl Rules {
    /// A JWT must name this issuer (`iss`) and this audience (`aud`).
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        }
    }

    fn validation(&self, algorithms: &[Algorithm]) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.algorithms = algorithms.to_vec();
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517). Keys of unknown kinds and symmetric keys are left out: others could have the
    /// latter, too. Errors if no key is left.
    pub(crate) fn parse(json: &[u8], rules: &Rules) -> anyhow::Result<Self> {
        jwt_algorithms::install();
        let set: JwkSet = serde_json::from_slice(json).context("not a JSON Web Key Set")?;
        let mut keys = HashMap::new();
        for jwk in &set.keys {
            if let Some(key) = Key::new(jwk, rules)? {
                let id = jwk.common.key_id.clone();
                ensure!(keys.insert(id, key).is_none(), "two keys have the same id (kid)");
            }
        }
        ensure!(
            !keys.is_empty(),
            "the JSON Web Key Set has no public key for signatures"
        );
        Ok(Self {
            keys,
            verified: Cache::new(MAX_VERIFIED),
        })
    }

    /// Verifies a token and returns its subject (`sub`). None if it names a key that is not here.
    pub(crate) fn subject(&self, token: &[u8]) -> Option<Result<Arc<str>, JwtError>> {
        let id = digest(&SHA256, token).as_ref().to_vec();
        if let Some(verified) = self.verified.get(&id) {
            if get_current_timestamp() <= verified.expires_at.saturating_add(LEEWAY_S) {
                return Some(Ok(verified.subject));
            }
            self.verified.remove(&id);
        }
        let header = match decode_header(token) {
            Ok(header) => header,
            Err(error) => return Some(Err(invalid(&error))),
        };
        let key = match (&header.kid, self.keys.len()) {
            (None, 1) => self.keys.values().next(),
            (kid, _) => self.keys.get(kid),
        }?;
        let claims = match decode::<Value>(token, &key.key, &key.validation) {
            Ok(decoded) => decoded.claims,
            Err(error) => return Some(Err(invalid(&error))),
        };
        // The validation has checked that both are here.
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let expires_at = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        let verified = Verified {
            subject: subject.into(),
            expires_at: expires_at as u64,
        };
        let subject = Arc::clone(&verified.subject);
        self.verified.insert(id, verified);
        Some(Ok(subject))
    }
}

impl Key {
    /// None if the key is not a public key for signatures.
    fn new(jwk: &Jwk, rules: &Rules) -> anyhow::Result<Option<Self>> {
        let algorithms = jwt_algorithms::of(jwk);
        if algorithms.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            key: jwt_algorithms::decoding_key(jwk).context("a key of the JSON Web Key Set is invalid")?,
            validation: rules.validation(&algorithms),
        }))
    }
}

fn invalid(error: &jsonwebtoken::errors::Error) -> JwtError {
    let reason = match error.kind() {
        ErrorKind::ExpiredSignature => "the JWT has expired".to_owned(),
        ErrorKind::ImmatureSignature => "the JWT is not valid yet".to_owned(),
        ErrorKind::InvalidAudience => "the JWT is for another audience (aud)".to_owned(),
        ErrorKind::InvalidIssuer => "the JWT has another issuer (iss)".to_owned(),
        ErrorKind::InvalidSignature => "the signature of the JWT is wrong".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("the JWT has no claim {claim}"),
        ErrorKind::InvalidClaimFormat(claim) => format!("the claim {claim} of the JWT is invalid"),
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            "the algorithm of the JWT is not allowed".to_owned()
        }
        _ => "the JWT cannot be decoded, or its algorithm is not allowed".to_owned(),
    };
    JwtError::Invalid(reason)
}

#[cfg(test)]
mod tests;
