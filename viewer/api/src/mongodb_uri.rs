//! Checks the URI of MongoDB before the driver gets it.

use mongodb::options::ConnectionString;
use service::{InvalidUrl, SecretUrl};

/// Validates the value of an option that is a URI of MongoDB.
pub(crate) fn validated_mongodb_uri<'a>(
    option: &'static str,
    uri: &'a SecretUrl,
) -> Result<&'a str, InvalidUrl> {
    uri.validate(option, &["mongodb", "mongodb+srv"])?;
    match ConnectionString::parse(uri.expose()) {
        Ok(_) => Ok(uri.expose()),
        Err(error) => Err(uri.invalid(option, &error)),
    }
}
