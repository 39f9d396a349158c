//! Passwords and URLs with passwords: where they come from, and how they are not shown.

mod password;
mod redact;
mod secret_url;

pub use password::{Password, PasswordSource};
pub use redact::{redact, redact_hosts, redact_values};
pub use secret_url::{InvalidUrl, SecretUrl};
