//! The credentials of a request. HTTP and gRPC carry them in the same place.

use auth::Credentials;
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

/// The value of `WWW-Authenticate` in a response that denies a request for `reason` (RFC 6750).
pub fn challenge(reason: &str) -> HeaderValue {
    // The header must not end the quoted text early.
    let reason = reason.replace(['"', '\\'], "'");
    HeaderValue::try_from(format!(
        "Bearer realm=\"dualpath\", error=\"invalid_token\", error_description=\"{reason}\""
    ))
    .unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"dualpath\""))
}
