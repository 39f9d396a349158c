//! An issuer of JWT with a key that is the same in each run, and those whom its tokens identify.

use std::sync::Arc;

use auth::{Authenticator, Credentials, Denied, Identity, JwtKeys, RemoteJwtKeys, Rules};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The bearer token of the identity `opaque`.
pub(crate) const OPAQUE: &str = "5SCDmYKdTxgmVZDP6aZ5Gm5z9zRvrb2uM9Q0o1yY0bU=";
/// The secret of the symmetric key in the key set. No token is accepted because of it.
const SYMMETRIC: &[u8] = b"a secret that others may know";
/// The keys of the examples in RFC 7515, A.2 and A.3.
const RSA: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const ELLIPTIC: [&str; 2] = [
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
];

pub(crate) struct Issuer {
    key: Ed25519KeyPair,
}

/// An authenticator whose keys can be replaced, and its file.
pub(crate) struct Door {
    pub(crate) authenticator: Authenticator,
    pub(crate) keys: Arc<RemoteJwtKeys>,
    _directory: TempDir,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Self { key }
    }

    /// The public key that verifies the tokens.
    pub(crate) fn public_key(&self) -> String {
        BASE64.encode(self.key.public_key())
    }

    pub(crate) fn key_set(&self) -> Vec<u8> {
        let [x, y] = ELLIPTIC;
        let keys = json!({"keys": [
            {"kid": "edwards", "kty": "OKP", "crv": "Ed25519", "x": self.public_key(), "alg": "EdDSA"},
            {"kid": "elliptic", "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig"},
            {"kid": "rsa", "kty": "RSA", "n": RSA, "e": "AQAB"},
            {"kid": "encryption", "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc"},
            {"kid": "symmetric", "kty": "oct", "k": BASE64.encode(SYMMETRIC)},
        ]});
        keys.to_string().into_bytes()
    }

    /// A token that is valid for longer than this program.
    pub(crate) fn token(&self, subject: &str) -> String {
        let message = message(&json!({"alg": "EdDSA", "kid": "edwards"}), subject);
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    /// Tokens that everybody can make who has the key set: without a signature, and with symmetric ones by what is in the set.
    pub(crate) fn forged(&self) -> Vec<String> {
        let public_key = self.key.public_key().as_ref();
        let mut tokens = Vec::new();
        for kid in ["edwards", "elliptic", "rsa", "symmetric"] {
            tokens.push(message(&json!({"alg": "none", "kid": kid}), "phone") + ".");
            let message = message(&json!({"alg": "HS256", "kid": kid}), "phone");
            for secret in [public_key, self.public_key().as_bytes(), SYMMETRIC] {
                let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
                tokens.push(format!("{message}.{}", BASE64.encode(signature)));
            }
        }
        tokens
    }
}

impl Door {
    /// `opaque` has a bearer token, and `jwt` the subject `phone` of the issuer.
    pub(crate) fn new(issuer: &Issuer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let digest = token_sha256(OPAQUE);
        let path = directory.path().join("identities.toml");
        let identities = format!(
            "[[identity]]\nname = 'opaque'\ntoken_sha256 = ['{digest}']\n[[identity]]\nname = 'jwt'\njwt_subject = ['phone']\n"
        );
        std::fs::write(&path, identities).unwrap();
        let keys = Arc::new(RemoteJwtKeys::new(Rules::new(
            "https://issuer.example",
            "dualpath",
        )));
        keys.replace(&issuer.key_set()).unwrap();
        let jwt = JwtKeys::Remote(Arc::clone(&keys));
        Self {
            authenticator: Authenticator::open(&path, Some(jwt)).unwrap(),
            keys,
            _directory: directory,
        }
    }

    pub(crate) fn identify(&self, header: &[u8]) -> Result<Arc<Identity>, Denied> {
        self.authenticator
            .identify(&Credentials::new([header].into_iter(), None))
    }

    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.identify(format!("Bearer {token}").as_bytes()).is_ok()
    }
}

/// The digest of a token, as the file of identities has it.
pub(crate) fn token_sha256(token: &str) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in digest(&SHA256, token.as_bytes()).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn message(header: &Value, subject: &str) -> String {
    let claims = json!({"iss": "https://issuer.example", "aud": "dualpath", "sub": subject, "exp": 253_402_300_799_u64});
    [header, &claims]
        .map(|part| BASE64.encode(part.to_string()))
        .join(".")
}
