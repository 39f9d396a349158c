//! The header `Authorization`, with a bearer token or a JWT.

use auth::{Credentials, Denied};
use fuzz::{Input, check};

use crate::issuer::{Door, Issuer, OPAQUE};

/// A part of a token that is as long as this is not in an error by chance.
const PART: usize = 12;

#[test]
fn only_the_token_itself_is_accepted_and_no_error_has_a_part_of_it() {
    let issuer = Issuer::new();
    let door = Door::new(&issuer);
    let jwt = issuer.token("phone");
    let mut examples = vec![
        format!("Bearer {OPAQUE}"),
        format!("Bearer {jwt}"),
        format!("bearer   {jwt} "),
        format!("Bearer {}", issuer.token("somebody else")),
        "Basic dXNlcjpwYXNzd29yZA==".to_owned(),
    ];
    examples.extend(issuer.forged().iter().map(|token| format!("Bearer {token}")));
    let examples: Vec<_> = examples.into_iter().map(String::into_bytes).collect();

    check!(Input, |input: &Input| {
        let header = input.bytes(&examples);
        let token = token_of(&header);
        match door.identify(&header) {
            Ok(identity) => {
                let expected = match identity.name() {
                    "opaque" => OPAQUE,
                    _ => &jwt,
                };
                assert_eq!(token, Some(expected.as_bytes()));
            }
            Err(denied) => check_reason(&denied, &header),
        }
        let twice = [header.as_slice(), &header];
        let credentials = Credentials::new(twice.into_iter(), None);
        assert!(door.authenticator.identify(&credentials).is_err());
        let shown = |header| format!("{:?}", Credentials::new(std::iter::once(header), None));
        assert_eq!(shown(&header), shown(b"Bearer another"));
    });
}

#[test]
fn the_examples_are_accepted_or_refused_as_they_should_be() {
    let issuer = Issuer::new();
    let door = Door::new(&issuer);
    for (token, name) in [(OPAQUE.to_owned(), "opaque"), (issuer.token("phone"), "jwt")] {
        let identity = door.identify(format!("Bearer {token}").as_bytes()).unwrap();
        assert_eq!(identity.name(), name);
    }
    let other = door.identify(format!("Bearer {}", issuer.token("somebody else")).as_bytes());
    assert!(matches!(other, Err(Denied::Forbidden(_))), "{other:?}");
    for token in issuer.forged() {
        assert!(!door.accepts(&token), "{token}");
    }
}

/// The token of a header with the scheme Bearer.
fn token_of(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

fn check_reason(denied: &Denied, header: &[u8]) {
    let reason = match denied {
        Denied::Unauthenticated(cause) => cause.reason(),
        Denied::Forbidden(reason) | Denied::Unavailable(reason) => reason,
    };
    assert!(!reason.is_empty());
    let secret = header.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default();
    for part in secret.windows(PART) {
        let found = reason.as_bytes().windows(PART).any(|of_reason| of_reason == part);
        assert!(!found, "{reason:?} has a part of the token");
    }
}
