//! The access token of a login with OAUTHBEARER. Another program renews the file: Kubernetes (a projected service account
//! token), or an agent of the identity provider.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;

/// The file of an access token.
#[derive(Clone, Debug)]
pub(crate) struct TokenFile(PathBuf);

/// An access token (JWT), and what it says about itself. The broker checks its signature.
#[derive(Clone)]
pub(crate) struct AccessToken {
    pub(crate) text: String,
    pub(crate) subject: String,
    /// Milliseconds since 1970.
    pub(crate) expires_at_ms: i64,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    /// Seconds since 1970, possibly with a fraction (RFC 7519).
    exp: f64,
}

impl TokenFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Reads the token that the file has now. The error names the file, not its content.
    pub(crate) fn read(&self) -> Result<AccessToken, String> {
        let error = |reason: &str| format!("{} (--kafka-token-file): {reason}", self.0.display());
        let text = std::fs::read_to_string(&self.0).map_err(|cause| error(&cause.to_string()))?;
        let token =
            AccessToken::parse(text.trim()).ok_or_else(|| error("expected a JWT with an expiry (exp)"))?;
        if token.expires_at_ms <= now_ms() {
            return Err(error("the token has expired"));
        }
        Ok(token)
    }
}

impl AccessToken {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        let claims: Claims = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
        Some(Self {
            text: text.to_owned(),
            subject: claims.sub,
            expires_at_ms: (claims.exp * 1_000.0) as i64,
        })
    }
}

fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(claims: &str) -> (tempfile::NamedTempFile, TokenFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let token = format!("e30.{}.signature\n", BASE64.encode(claims));
        std::fs::write(file.path(), token).unwrap();
        let token_file = TokenFile::new(file.path());
        (file, token_file)
    }

    #[test]
    fn subject_and_expiry_are_those_of_the_token() {
        let (_file, tokens) = file(r#"{"sub": "ingest", "exp": 4102444800.5, "iat": 1}"#);
        let token = tokens.read().unwrap();
        assert_eq!(
            (token.subject.as_str(), token.expires_at_ms),
            ("ingest", 4_102_444_800_500)
        );
        assert!(token.text.ends_with(".signature"));
    }

    #[test]
    fn token_that_cannot_be_used_is_an_error_without_its_text() {
        for (claims, reason) in [
            (r#"{"sub": "ingest", "exp": 1}"#, "the token has expired"),
            (r#"{"sub": "ingest"}"#, "expected a JWT with an expiry (exp)"),
            ("no JSON", "expected a JWT with an expiry (exp)"),
        ] {
            let (file, tokens) = file(claims);
            let error = tokens.read().err().unwrap();
            assert_eq!(
                error,
                format!("{} (--kafka-token-file): {reason}", file.path().display())
            );
        }
        let missing = TokenFile::new(Path::new("/nonexistent/token"));
        assert!(missing.read().err().unwrap().contains("No such file"));
    }
}
