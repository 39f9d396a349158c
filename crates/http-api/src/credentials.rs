//! The credentials of a request. HTTP and gRPC carry them in the same place.

use auth::{Credentials, Unauthenticated};
use axum::http::{HeaderValue, Request, header};
use tls::ClientCertificate;

/// The token in the headers of a request, and the certificate of its connection.
pub fn credentials<B>(request: &Request<B>) -> Credentials<'_> {
    let authorization = request.headers().get_all(header::AUTHORIZATION).iter();
    Credentials::new(
        authorization.map(HeaderValue::as_bytes),
        request.extensions().get::<ClientCertificate>(),
    )
}

/// What a client that sends no credentials must send.
const CHALLENGE: &str = "Bearer realm=\"dualpath\"";

/// The value of `WWW-Authenticate` in a response to a client that is not known. After a request without credentials, it has
/// no error code (RFC 6750, section 3.1).
pub fn challenge(cause: &Unauthenticated) -> HeaderValue {
    let text = match cause {
        Unauthenticated::NoCredentials(_) => CHALLENGE.to_owned(),
        Unauthenticated::InvalidToken(reason) => {
            // The header must not end the quoted text early.
            let reason = reason.replace(['"', '\\'], "'");
            format!("{CHALLENGE}, error=\"invalid_token\", error_description=\"{reason}\"")
        }
    };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(CHALLENGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_can_be_invalid() {
        let none = Unauthenticated::NoCredentials("send a token".to_owned());
        assert_eq!(challenge(&none), CHALLENGE);
        for (reason, description) in [
            ("the token is unknown", "the token is unknown"),
            ("the \"aud\" is \\x", "the 'aud' is 'x"),
        ] {
            let expected =
                format!("{CHALLENGE}, error=\"invalid_token\", error_description=\"{description}\"");
            assert_eq!(
                challenge(&Unauthenticated::InvalidToken(reason.to_owned())),
                expected
            );
        }
        // A line break cannot be in a header.
        assert_eq!(
            challenge(&Unauthenticated::InvalidToken("a\nb".to_owned())),
            CHALLENGE
        );
    }
}
