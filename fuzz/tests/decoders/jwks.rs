//! JSON Web Key Sets.

use fuzz::{Input, check};
use serde_json::Value;

use crate::issuer::{Door, Issuer};

#[test]
fn a_set_verifies_only_tokens_of_its_keys_and_an_invalid_set_changes_nothing() {
    let issuer = Issuer::new();
    let door = Door::new(&issuer);
    let valid = issuer.key_set();
    let (token, forged) = (issuer.token("phone"), issuer.forged());
    let one_key = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{}"}}]}}"#,
        issuer.public_key()
    );
    let examples = vec![valid.clone(), one_key.into_bytes()];

    check!(Input, |input: &Input| {
        door.keys.replace(&valid).unwrap();
        assert!(door.accepts(&token));
        let set = input.bytes(&examples);
        match door.keys.replace(&set) {
            Ok(()) => assert!(!door.accepts(&token) || has_key(&set, &issuer.public_key())),
            Err(error) => {
                assert!(!format!("{error:#}").is_empty());
                assert!(door.accepts(&token));
            }
        }
        for token in &forged {
            assert!(!door.accepts(token), "{token}");
        }
    });
}

fn has_key(set: &[u8], x: &str) -> bool {
    let set: Value = serde_json::from_slice(set).unwrap();
    set["keys"].as_array().unwrap().iter().any(|key| key["x"] == x)
}
