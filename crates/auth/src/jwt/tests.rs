use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;

/// The example of RFC 7515, A.2: RS256, issuer joe, expired in 2011.
const RFC_KEY: &str = r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;
const RFC_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// An issuer with an elliptic and an Edwards key.
struct Issuer {
    elliptic: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let elliptic = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let edwards = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            elliptic: EcdsaKeyPair::from_pkcs8(algorithm, elliptic.as_ref(), &random).unwrap(),
            edwards: Ed25519KeyPair::from_pkcs8(edwards.as_ref()).unwrap(),
        }
    }

    fn key_set(&self) -> Value {
        let point = self.elliptic.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|number| BASE64.encode(number));
        let edwards = BASE64.encode(self.edwards.public_key());
        json!({"keys": [
            {"kid": "elliptic", "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig"},
            {"kid": "edwards", "kty": "OKP", "crv": "Ed25519", "x": edwards, "alg": "EdDSA"},
            {"kid": "encryption", "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc"},
            {"kid": "symmetric", "kty": "oct", "k": "c2VjcmV0"},
        ]})
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(self.key_set().to_string().as_bytes(), &rules()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let parts = [header, claims].map(|part| BASE64.encode(part.to_string()));
        let message = parts.join(".");
        let signature = if header["kid"] == "edwards" {
            self.edwards.sign(message.as_bytes()).as_ref().to_vec()
        } else {
            let signature = self.elliptic.sign(&SystemRandom::new(), message.as_bytes());
            signature.unwrap().as_ref().to_vec()
        };
        format!("{message}.{}", BASE64.encode(signature))
    }
}

fn rules() -> Rules {
    Rules::new("https://issuer.example", "dualpath")
}

fn claims() -> Value {
    let now = get_current_timestamp();
    json!({"iss": "https://issuer.example", "aud": "dualpath", "sub": "phone", "exp": now + 60, "nbf": now})
}

fn elliptic() -> Value {
    json!({"alg": "ES256", "kid": "elliptic"})
}

fn reason(keys: &KeySet, token: &str) -> String {
    match keys.subject(token.as_bytes()) {
        Some(Err(JwtError::Invalid(reason))) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_of_each_key_are_accepted_and_kept() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    for header in [elliptic(), json!({"alg": "EdDSA", "kid": "edwards"})] {
        let token = issuer.sign(&header, &claims());
        for _ in 0..2 {
            let subject = keys.subject(token.as_bytes()).unwrap().unwrap();
            assert_eq!(&*subject, "phone", "{header}");
        }
    }
    assert_eq!(keys.verified.len(), 2);
}

#[test]
fn each_wrong_claim_has_its_reason() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let now = get_current_timestamp();
    for (claim, value, expected) in [
        ("exp", json!(now - 60), "has expired"),
        ("exp", json!("tomorrow"), "no claim exp"),
        ("nbf", json!(now + 60), "not valid yet"),
        ("aud", json!("other"), "another audience"),
        ("aud", json!(["other"]), "another audience"),
        ("iss", json!("other"), "another issuer"),
        ("sub", Value::Null, "no claim sub"),
        ("sub", json!(1), "no claim sub"),
        ("aud", Value::Null, "no claim aud"),
        ("iss", Value::Null, "no claim iss"),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        let reason = reason(&keys, &issuer.sign(&elliptic(), &claims));
        assert!(reason.contains(expected), "{claim}: {reason}");
    }
    assert!(keys.verified.is_empty());
}

#[test]
fn the_header_of_a_token_cannot_choose_another_algorithm() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    for algorithm in ["none", "None", "HS256", "RS256", "EdDSA", "ES384", ""] {
        let token = issuer.sign(&json!({"alg": algorithm, "kid": "elliptic"}), &claims());
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        for token in [token, unsigned] {
            let reason = reason(&keys, &token);
            assert!(reason.contains("algorithm"), "{algorithm}: {reason}");
        }
    }
}

#[test]
fn a_changed_token_or_one_of_another_issuer_is_refused() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let keys = issuer.keys();
    let wrong = "the signature of the JWT is wrong";
    assert_eq!(reason(&keys, &other.sign(&elliptic(), &claims())), wrong);
    let token = issuer.sign(&elliptic(), &claims());
    let mut changed = claims();
    changed["sub"] = json!("admin");
    let payload = BASE64.encode(changed.to_string());
    let parts: Vec<_> = token.split('.').collect();
    let forged = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(reason(&keys, &forged), wrong);
    for text in ["..", "a.b.c", "\u{0}.\u{0}.", "e30.e30.e30"] {
        assert!(!reason(&keys, text).is_empty(), "{text}");
    }
}

#[test]
fn unknown_encryption_and_symmetric_keys_verify_nothing() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    for key in ["unknown", "encryption", "symmetric"] {
        let token = issuer.sign(&json!({"alg": "ES256", "kid": key}), &claims());
        assert_eq!(keys.subject(token.as_bytes()), None, "{key}");
    }
    // Two keys: the token must say which.
    let token = issuer.sign(&json!({"alg": "ES256"}), &claims());
    assert_eq!(keys.subject(token.as_bytes()), None);
    let only_symmetric = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string();
    assert!(KeySet::parse(only_symmetric.as_bytes(), &rules()).is_err());
    assert!(KeySet::parse(b"{}", &rules()).is_err());
}

#[test]
fn rsa_signature_of_the_rfc_is_right() {
    let key_set = format!(r#"{{"keys":[{RFC_KEY}]}}"#);
    let keys = KeySet::parse(key_set.as_bytes(), &Rules::new("joe", "dualpath")).unwrap();
    let reason_of = |token: &str| reason(&keys, token);
    assert!(
        reason_of(RFC_TOKEN).contains("no claim"),
        "{}",
        reason_of(RFC_TOKEN)
    );
    let forged = RFC_TOKEN.replace(".cC4h", ".cC4i");
    assert_eq!(reason_of(&forged), "the signature of the JWT is wrong");
}
