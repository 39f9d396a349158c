//! An issuer of JWT.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// What the services and the broker expect.
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "dualpath";

pub(crate) struct Issuer {
    key_id: &'static str,
    key: Ed25519KeyPair,
}

impl Issuer {
    pub(crate) fn new(key_id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        Self { key_id, key }
    }

    /// The public key as a JSON Web Key Set.
    pub(crate) fn key_set(&self) -> String {
        let key = BASE64.encode(self.key.public_key());
        json!({"keys": [{"kid": self.key_id, "kty": "OKP", "crv": "Ed25519", "x": key}]}).to_string()
    }

    /// A token that is valid for `seconds`.
    pub(crate) fn token(&self, subject: &str, seconds: i64) -> String {
        self.token_for(AUDIENCE, subject, seconds)
    }

    pub(crate) fn token_for(&self, audience: &str, subject: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let expires_at = i64::try_from(now).unwrap() + seconds;
        let claims = json!({"iss": ISSUER, "aud": audience, "sub": subject, "iat": now, "exp": expires_at});
        self.sign(&json!({"alg": "EdDSA", "kid": self.key_id}), &claims)
    }

    /// A token that names no algorithm and has no signature.
    pub(crate) fn unsigned_token(&self, subject: &str) -> String {
        let token = self.token(subject, 60);
        let claims = token.split('.').nth(1).unwrap();
        let header = json!({"alg": "none", "kid": self.key_id}).to_string();
        format!("{}.{claims}.", BASE64.encode(header))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = [header, claims]
            .map(|part| BASE64.encode(part.to_string()))
            .join(".");
        let signature = BASE64.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}
