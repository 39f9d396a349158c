//! The URL of a store, which may contain a password.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::password::PasswordSource;
use crate::redact::redact;

/// The delimiters of a URL that a password may contain only percent-encoded.
const DELIMITERS: [char; 3] = ['/', '?', '#'];

/// A URL that shows no secret: `Debug` and `Display` print it redacted. Every text can be parsed, because an option parser
/// would repeat an invalid value in its error; so the user of the URL calls [`Self::validate`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretUrl(String);

/// Why a URL cannot be used. It names the option and shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} is invalid: {reason}")]
pub struct InvalidUrl {
    option: &'static str,
    reason: String,
}

impl SecretUrl {
    /// The URL with its secrets. Never show it or an error that may repeat a part of it: see [`Self::invalid`].
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Checks that the URL starts with one of `schemes`, and that drivers agree on where its password ends.
    pub fn validate(&self, option: &'static str, schemes: &[&str]) -> Result<(), InvalidUrl> {
        let rest = self
            .0
            .split_once("://")
            .and_then(|(scheme, rest)| schemes.contains(&scheme).then_some(rest));
        let Some(rest) = rest else {
            let expected: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://…")).collect();
            let reason = format!("expected {}", expected.join(" or "));
            return Err(InvalidUrl { option, reason });
        };
        match rest.rsplit_once('@') {
            Some((credentials, _)) if credentials.contains(DELIMITERS) => Err(self.invalid(option, &"")),
            _ => Ok(()),
        }
    }

    /// This URL with the password from `source`. If the URL has a password, `source` must not name a file. `may_lack_user` is
    /// for stores with a default user.
    pub fn with_password(
        &self,
        option: &'static str,
        source: &PasswordSource,
        may_lack_user: bool,
    ) -> anyhow::Result<Self> {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let (user, location) = rest.rsplit_once('@').unwrap_or(("", rest));
        if user.contains(':') {
            anyhow::ensure!(
                !source.has_file(),
                "{option} has a password already: remove it, or remove {}",
                source.option()
            );
            return Ok(self.clone());
        }
        let Some(password) = source.read()? else {
            return Ok(self.clone());
        };
        anyhow::ensure!(
            may_lack_user || !user.is_empty(),
            "there is a password ({}), but {option} names no user",
            source.advice()
        );
        let password = utf8_percent_encode(password.expose(), NON_ALPHANUMERIC);
        Ok(Self(format!("{scheme}://{user}:{password}@{location}")))
    }

    /// Whether the URL names a user without a password.
    pub fn lacks_password(&self) -> bool {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.rsplit_once('@')
            .is_some_and(|(user, _)| !user.is_empty() && !user.contains(':'))
    }

    /// The error of a driver that rejects this URL. It contains the reason of the driver only if the URL has no secret that
    /// the driver could repeat.
    pub fn invalid(&self, option: &'static str, reason: &dyn fmt::Display) -> InvalidUrl {
        let reason = if redact(&self.0) == self.0 {
            reason.to_string()
        } else {
            "special characters in the user, the password and the options must be percent-encoded, such as / as %2F, \
             ? as %3F, # as %23, @ as %40, : as %3A and % as %25"
                .to_owned()
        };
        InvalidUrl { option, reason }
    }
}

impl From<&str> for SecretUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl FromStr for SecretUrl {
    type Err = Infallible;

    fn from_str(url: &str) -> Result<Self, Infallible> {
        Ok(url.into())
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [&str; 2] = ["redis", "rediss"];

    #[test]
    fn secret_is_never_formatted() {
        let url = SecretUrl::from("redis://me:secret@h:1");
        assert_eq!(format!("{url} {url:?}"), "redis://me:***@h:1 redis://me:***@h:1");
        let invalid = url.invalid("--redis-url", &"cannot use secret");
        assert!(!format!("{invalid} {invalid:?}").contains("secret"));
    }

    #[test]
    fn reason_is_shown_for_a_url_without_secrets() {
        let invalid = SecretUrl::from("redis://h:1/x").invalid("--redis-url", &"x is not a number");
        assert_eq!(invalid.to_string(), "--redis-url is invalid: x is not a number");
    }

    #[test]
    fn password_is_added_encoded_after_the_user() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a/b:c@d\n").unwrap();
        let source = PasswordSource::new(Some(file.path()), "--password-file", "NOT_SET");
        let add = |url: &str, may_lack_user| {
            let with_password = SecretUrl::from(url).with_password("--url", &source, may_lack_user);
            with_password
                .map(|url| url.expose().to_owned())
                .map_err(|error| error.to_string())
        };
        for (url, expected) in [
            ("rediss://me@h:1/0", "rediss://me:a%2Fb%3Ac%40d@h:1/0"),
            ("rediss://h:1", "rediss://:a%2Fb%3Ac%40d@h:1"),
        ] {
            assert_eq!(add(url, true).unwrap(), expected);
        }
        let error = add("mongodb://h:1", false).unwrap_err();
        assert!(
            error.contains("--url names no user") && !error.contains("a/b"),
            "{error}"
        );
        let error = add("rediss://me:x@h:1", true).unwrap_err();
        assert!(
            error.contains("--password-file") && !error.contains('x'),
            "{error}"
        );
        assert!(SecretUrl::from("rediss://me@h").lacks_password());
        for url in ["rediss://me:x@h", "rediss://h", "rediss://@h", "rediss://:x@h"] {
            assert!(!SecretUrl::from(url).lacks_password(), "{url}");
        }
    }

    #[test]
    fn scheme_and_encoding_are_validated() {
        let validate = |url| SecretUrl::from(url).validate("--redis-url", &SCHEMES);
        for url in ["redis://h", "rediss://me:x@h:1/0", "redis://me:a%2Fb@h"] {
            assert_eq!(validate(url), Ok(()), "{url}");
        }
        for (url, reason) in [
            ("http://h", "expected redis://… or rediss://…"),
            ("hunter2", "expected redis://… or rediss://…"),
            ("redis://me:a/b@h", "percent-encoded"),
            ("redis://me:1?b@h", "percent-encoded"),
            ("redis://me:1#b@h", "percent-encoded"),
        ] {
            let error = validate(url).unwrap_err().to_string();
            assert!(
                error.starts_with("--redis-url is invalid") && error.contains(reason),
                "{error}"
            );
        }
    }
}
