//! From the credentials of a request to an identity.

use std::path::Path;
use std::sync::Arc;

use reload::Reloaded;
use tls::ClientCertificate;
use tokio_util::sync::CancellationToken;

use crate::credentials::Authorization;
use crate::identities::{Identities, IdentitiesFile};
use crate::jwt::JwtError;
use crate::{Credentials, Identity, JwtKeys};

/// The longest part of a name from outside that an error repeats.
const MAX_QUOTED_CHARACTERS: usize = 100;

/// Knows who may vote.
#[derive(Debug)]
pub struct Authenticator {
    identities: Arc<Reloaded<IdentitiesFile>>,
    /// None if JWT are not accepted.
    jwt: Option<JwtKeys>,
}

/// Why a request has no identity. The reasons contain no token, so clients and logs may have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The client is not known.
    Unauthenticated(Unauthenticated),
    /// The client is known, and may not vote.
    Forbidden(String),
    /// The client cannot be identified for now.
    Unavailable(String),
}

/// Why the client of a request is not known. RFC 6750 gives each case an own challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    /// The request has no token, and its connection no certificate.
    NoCredentials(String),
    /// The token does not name a client.
    InvalidToken(String),
}

impl Unauthenticated {
    /// The reason, as text for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::NoCredentials(reason) | Self::InvalidToken(reason) => reason,
        }
    }
}

impl Authenticator {
    /// Loads the file of identities; `jwt` are the keys for JWT, if they are accepted. Errors if the file is missing or invalid.
    pub fn open(identities: &Path, jwt: Option<JwtKeys>) -> anyhow::Result<Self> {
        let identities = Reloaded::load(IdentitiesFile(identities.to_owned()))?;
        Ok(Self {
            identities: Arc::new(identities),
            jwt,
        })
    }

    /// Loads changed files until `shutdown`.
    pub fn watch(&self, shutdown: &CancellationToken) {
        tokio::spawn(Arc::clone(&self.identities).watch(shutdown.clone()));
        if let Some(JwtKeys::File(file)) = &self.jwt {
            tokio::spawn(Arc::clone(file).watch(shutdown.clone()));
        }
    }

    /// The identity of a request. A token decides alone, even if the connection has a certificate.
    pub fn identify(&self, credentials: &Credentials<'_>) -> Result<Arc<Identity>, Denied> {
        let identities = self.identities.value();
        match (credentials.authorization, credentials.certificate) {
            (Authorization::One(value), _) => self.by_token(&identities, bearer_token(value)?),
            (Authorization::Many, _) => Err(invalid_token("send one Authorization header")),
            (Authorization::None, Some(certificate)) => by_certificate(&identities, certificate),
            (Authorization::None, None) => Err(no_credentials(
                "send a token (Authorization: Bearer TOKEN) or a client certificate",
            )),
        }
    }

    fn by_token(&self, identities: &Identities, token: &[u8]) -> Result<Arc<Identity>, Denied> {
        if let Some(identity) = identities.by_token(token) {
            return Ok(identity);
        }
        let Some(keys) = self.jwt.as_ref().filter(|_| is_jwt(token)) else {
            return Err(invalid_token("the token is unknown"));
        };
        let subject = keys.subject(token).map_err(|error| match error {
            JwtError::Invalid(reason) => Denied::Unauthenticated(Unauthenticated::InvalidToken(reason)),
            JwtError::NoKeys => Denied::Unavailable("the keys for JWT are not loaded yet".to_owned()),
        })?;
        identities.by_subject(&subject).ok_or_else(|| {
            Denied::Forbidden(format!(
                "the subject {} of the JWT has no identity",
                quoted(&subject)
            ))
        })
    }
}

fn by_certificate(identities: &Identities, certificate: &ClientCertificate) -> Result<Arc<Identity>, Denied> {
    let names = certificate.names();
    identities.by_certificate(names).ok_or_else(|| {
        let name = names.first().map_or("without a name", String::as_str);
        Denied::Forbidden(format!("the client certificate {} has no identity", quoted(name)))
    })
}

/// The token of a header `Authorization: Bearer TOKEN`.
fn bearer_token(value: &[u8]) -> Result<&[u8], Denied> {
    let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(no_credentials("the Authorization header must be: Bearer TOKEN"));
    }
    let token = value.get(scheme.len()..).unwrap_or_default().trim_ascii();
    if token.is_empty() {
        return Err(no_credentials("the Authorization header has no token"));
    }
    Ok(token)
}

/// Whether a token has the form of a JWT: three parts.
fn is_jwt(token: &[u8]) -> bool {
    token.split(|byte| *byte == b'.').count() == 3
}

fn no_credentials(reason: &str) -> Denied {
    Denied::Unauthenticated(Unauthenticated::NoCredentials(reason.to_owned()))
}

fn invalid_token(reason: &str) -> Denied {
    Denied::Unauthenticated(Unauthenticated::InvalidToken(reason.to_owned()))
}

fn quoted(name: &str) -> String {
    let start: String = name.chars().take(MAX_QUOTED_CHARACTERS).collect();
    format!("\"{}\"", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_case_insensitive_and_needs_a_token() {
        for value in ["Bearer t", "bearer t", "BEARER   t "] {
            assert_eq!(bearer_token(value.as_bytes()), Ok(&b"t"[..]), "{value}");
        }
        for value in ["", "t", "Basic t", "Bearert", "Bearer", "Bearer  "] {
            assert!(bearer_token(value.as_bytes()).is_err(), "{value}");
        }
    }
}
