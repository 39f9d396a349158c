//! How to reach MongoDB: its URI, which also names the files for TLS, and the password of this client.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use mongodb::options::{AuthMechanism, ConnectionString, Tls, TlsOptions};
use secret::{PasswordSource, SecretUrl};
use tls::{PemFile, authorities, certificates, private_key};

/// Options of the login.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct MongodbLoginArgs {
    /// File with the password of the user in the URI of MongoDB; without it, the variable MONGODB_PASSWORD has the password
    #[arg(long, env = "MONGODB_PASSWORD_FILE", value_name = "FILE")]
    pub mongodb_password_file: Option<PathBuf>,
}

/// The URI with the password, after a check of the URI and of the files that it names. `option` is the option of the URI.
/// Errors contain no secret.
pub fn validated_uri(
    option: &'static str,
    uri: &SecretUrl,
    login: &MongodbLoginArgs,
) -> anyhow::Result<SecretUrl> {
    uri.validate(option, &["mongodb", "mongodb+srv"])?;
    let parse =
        |uri: &SecretUrl| ConnectionString::parse(uri.expose()).map_err(|error| uri.invalid(option, &error));
    let parsed = parse(uri)?;
    if let Some(Tls::Enabled(files)) = &parsed.tls {
        check_files(files).context(option)?;
    }
    let credential = parsed.credential.as_ref();
    let mechanism = credential.and_then(|credential| credential.mechanism.as_ref());
    if !mechanism.is_none_or(needs_password) {
        ensure!(
            login.mongodb_password_file.is_none(),
            "the authMechanism in {option} needs no password: remove --mongodb-password-file"
        );
        return Ok(uri.clone());
    }
    let source = PasswordSource::new(
        login.mongodb_password_file.as_deref(),
        "--mongodb-password-file",
        "MONGODB_PASSWORD",
    );
    let uri = uri.with_password(option, &source, false)?;
    ensure!(
        !uri.lacks_password(),
        "{option} names a user without a password: use {}",
        source.advice()
    );
    parse(&uri)?;
    Ok(uri)
}

fn needs_password(mechanism: &AuthMechanism) -> bool {
    matches!(
        mechanism,
        AuthMechanism::ScramSha1 | AuthMechanism::ScramSha256 | AuthMechanism::Plain
    )
}

/// The driver reads the files when it connects, skips invalid CAs, and names no option.
fn check_files(files: &TlsOptions) -> anyhow::Result<()> {
    if let Some(path) = &files.ca_file_path {
        let pem = PemFile::new(path, "tlsCAFile").read()?;
        authorities(&pem).context("tlsCAFile has no valid certificate of a CA")?;
    }
    if let Some(path) = &files.cert_key_file_path {
        let pem = PemFile::new(path, "tlsCertificateKeyFile").read()?;
        certificates(&pem).context("tlsCertificateKeyFile has no valid certificate")?;
        private_key(&pem).context("tlsCertificateKeyFile has no valid private key")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTION: &str = "--mongodb-uri";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn validated(uri: &str, password: Option<&tempfile::NamedTempFile>) -> Result<String, String> {
        let login = MongodbLoginArgs {
            mongodb_password_file: password.map(|file| file.path().to_owned()),
        };
        match validated_uri(OPTION, &uri.into(), &login) {
            Ok(uri) => Ok(uri.expose().to_owned()),
            Err(error) => Err(format!("{error:#} {error:?}")),
        }
    }

    #[test]
    fn password_of_the_file_is_added_to_the_user() {
        let password = file("p@ss/word\n");
        let uri = validated("mongodb://me@h:1/?replicaSet=rs0", Some(&password)).unwrap();
        assert_eq!(uri, "mongodb://me:p%40ss%2Fword@h:1/?replicaSet=rs0");
        let uri = "mongodb://CN=me@h:1/?authMechanism=MONGODB-X509&tls=true";
        assert_eq!(validated(uri, None).unwrap(), uri);
    }

    #[test]
    fn errors_name_the_option_and_no_secret() {
        let password = file("s3cret");
        let no_pem = file("s3cret");
        let no_ca = format!("mongodb://h/?tls=true&tlsCAFile={}", no_pem.path().display());
        for (uri, password, text) in [
            (
                "mongodb://me@h",
                None,
                "--mongodb-uri names a user without a password",
            ),
            ("mongodb://h", Some(&password), "--mongodb-uri names no user"),
            (
                "mongodb://me:s3cret@h",
                Some(&password),
                "or remove --mongodb-password-file",
            ),
            (
                "mongodb://me@h/?authMechanism=MONGODB-X509&tls=true",
                Some(&password),
                "needs no password",
            ),
            (
                "mongodb://h/?tls=true&tlsCAFile=/no/such",
                None,
                "/no/such (tlsCAFile)",
            ),
            (
                "mongodb://h/?tls=true&tlsCertificateKeyFile=/no/such",
                None,
                "/no/such (tlsCertificateKeyFile)",
            ),
            (&no_ca, None, "tlsCAFile has no valid certificate of a CA"),
        ] {
            let error = validated(uri, password).unwrap_err();
            assert!(
                error.contains(text) && !error.contains("s3cret"),
                "{uri}: {error}"
            );
        }
    }
}
