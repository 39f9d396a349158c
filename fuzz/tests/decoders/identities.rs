//! The file of identities.

use auth::{Authenticator, Credentials};
use fuzz::{Input, check};

use crate::issuer::{OPAQUE, token_sha256};

/// What somebody may write into the file by mistake.
const SECRET: &str = "Gm5z9zRvrb2uM9Q0o1yY0bU5SCDmYKdT";

#[test]
fn a_token_needs_its_digest_in_the_file_and_no_error_has_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("identities.toml");
    let digest = token_sha256(OPAQUE);
    let examples = [
        format!("[[identity]]\nname = 'a'\ntoken_sha256 = ['{digest}']\nvotes_per_second = 5\nmay_forward = true\n"),
        "# everybody\n[[identity]]\nname = \"b\"\njwt_subject = ['phone']\ncertificate = ['b.example', 'spiffe://x/y']\n".to_owned(),
        format!("[[identity]]\nname = 'c'\ntoken = '{SECRET}'\n"),
        format!("[[identity]]\nname = 'c'\ntoken_sha256 = ['{SECRET}']\n"),
        format!("[[identity]]\nname = 'c'\ntoken_sha256 = {SECRET}\n"),
    ]
    .map(String::into_bytes);
    let header = format!("Bearer {OPAQUE}");

    check!(Input, |input: &Input| {
        // The standard library refuses other bytes.
        let Ok(text) = String::from_utf8(input.bytes(&examples)) else {
            return;
        };
        // A new file, because some file systems write a truncated one to the disk at once.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &text).unwrap();
        match Authenticator::open(&path, None) {
            Ok(authenticator) => {
                let credentials = Credentials::new([header.as_bytes()].into_iter(), None);
                let accepted = authenticator.identify(&credentials).is_ok();
                // A backslash can write a digit in another way.
                let has_digest = text.to_ascii_lowercase().contains(&digest) || text.contains('\\');
                assert!(!accepted || has_digest);
            }
            Err(error) => {
                let error = format!("{error:#}");
                assert!(error.contains("identities"), "{error}");
                assert!(!error.contains(SECRET) || is_public(&text), "{error}");
            }
        }
    });
}

/// Whether an edit has moved the secret into a field that errors may show.
fn is_public(text: &str) -> bool {
    let in_several_lines = text.contains("'''") || text.contains("\"\"\"");
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    in_several_lines || lines.any(|line| !line.trim_start().starts_with("token"))
}
