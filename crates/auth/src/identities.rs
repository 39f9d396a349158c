//! The file of identities: one table that maps tokens, subjects of JWT and names of certificates to identities.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use reload::Files;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::Identity;

const DIGEST_BYTES: usize = 32;
const MAX_NAME_CHARACTERS: usize = 64;

type Digest = [u8; DIGEST_BYTES];

/// The file of the option `--identities`.
#[derive(Clone, Debug)]
pub(crate) struct IdentitiesFile(pub(crate) PathBuf);

/// Those who may vote.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    tokens: Vec<(Digest, Arc<Identity>)>,
    subjects: HashMap<String, Arc<Identity>>,
    certificates: HashMap<String, Arc<Identity>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    identity: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// For logs and errors.
    name: String,
    /// SHA-256 of each bearer token, in hexadecimal digits.
    #[serde(default)]
    token_sha256: Vec<String>,
    /// The `sub` of each JWT.
    #[serde(default)]
    jwt_subject: Vec<String>,
    /// A name in each client certificate: common name, DNS name or URI.
    #[serde(default)]
    certificate: Vec<String>,
    /// No limit if it is absent.
    votes_per_second: Option<NonZeroU32>,
    /// Whether it is a bridge.
    #[serde(default)]
    may_forward: bool,
}

impl Files for IdentitiesFile {
    type Contents = String;
    type Value = Identities;

    fn name(&self) -> String {
        format!("file of identities ({})", self.0.display())
    }

    fn read(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(&self.0)
            .with_context(|| format!("cannot read {} (--identities)", self.0.display()))
    }

    fn build(&self, contents: &String) -> anyhow::Result<Identities> {
        Identities::parse(contents).with_context(|| format!("{} (--identities) is invalid", self.0.display()))
    }
}

impl Identities {
    fn parse(text: &str) -> anyhow::Result<Self> {
        // The message of the parser can quote a line of the file, and somebody could write a token into it.
        let table: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or_default();
                before.matches('\n').count() + 1
            });
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            anyhow::anyhow!("{place}{}", first_line(error.message()))
        })?;
        let mut identities = Self::default();
        for entry in table.identity {
            let name = entry.name.clone();
            identities
                .add(entry)
                .with_context(|| format!("identity {}", name.escape_debug()))?;
        }
        Ok(identities)
    }

    fn add(&mut self, entry: Entry) -> anyhow::Result<()> {
        let characters = entry.name.chars().count();
        ensure!(
            (1..=MAX_NAME_CHARACTERS).contains(&characters) && !entry.name.chars().any(char::is_control),
            "name must have 1 to {MAX_NAME_CHARACTERS} printable characters"
        );
        ensure!(
            !(entry.token_sha256.is_empty() && entry.jwt_subject.is_empty() && entry.certificate.is_empty()),
            "give it a credential: token_sha256, jwt_subject or certificate"
        );
        let identity = Arc::new(Identity::new(
            entry.name,
            entry.may_forward,
            entry.votes_per_second,
        ));
        for text in &entry.token_sha256 {
            let digest = parse_digest(text).context(
                "token_sha256 must be the SHA-256 of a token, 64 hexadecimal digits (printf %s TOKEN | sha256sum)",
            )?;
            if let Some((_, other)) = self.tokens.iter().find(|(known, _)| *known == digest) {
                bail!("a token_sha256 also belongs to {}", other.name().escape_debug());
            }
            self.tokens.push((digest, Arc::clone(&identity)));
        }
        insert_all(&mut self.subjects, "jwt_subject", entry.jwt_subject, &identity)?;
        insert_all(
            &mut self.certificates,
            "certificate",
            entry.certificate,
            &identity,
        )
    }

    /// The identity of a bearer token. The time depends neither on the token nor on the identity: the digest is compared with
    /// all digests, and each byte of it.
    pub(crate) fn by_token(&self, token: &[u8]) -> Option<Arc<Identity>> {
        let token = digest(&SHA256, token);
        let mut found = None;
        for (digest, identity) in &self.tokens {
            if bool::from(digest.as_slice().ct_eq(token.as_ref())) {
                found = Some(identity);
            }
        }
        found.cloned()
    }

    /// The identity of the subject of a JWT.
    pub(crate) fn by_subject(&self, subject: &str) -> Option<Arc<Identity>> {
        self.subjects.get(subject).cloned()
    }

    /// The identity of a certificate with these names.
    pub(crate) fn by_certificate(&self, names: &[String]) -> Option<Arc<Identity>> {
        names.iter().find_map(|name| self.certificates.get(name)).cloned()
    }
}

fn insert_all(
    map: &mut HashMap<String, Arc<Identity>>,
    field: &str,
    keys: Vec<String>,
    identity: &Arc<Identity>,
) -> anyhow::Result<()> {
    for key in keys {
        ensure!(!key.is_empty(), "{field} is empty");
        match map.entry(key) {
            MapEntry::Vacant(vacant) => drop(vacant.insert(Arc::clone(identity))),
            MapEntry::Occupied(occupied) => bail!(
                "{field} {} also belongs to {}",
                occupied.key().escape_debug(),
                occupied.get().name().escape_debug()
            ),
        }
    }
    Ok(())
}

fn parse_digest(text: &str) -> Option<Digest> {
    if text.len() != 2 * DIGEST_BYTES {
        return None;
    }
    let mut digest = Digest::default();
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).ok()?;
        // `from_str_radix` also accepts a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(digest)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    // SHA-256 of "one" and "two".
    const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    const TWO: &str = "3FC4CCFE745870E2C0D99F71F30FF0656C8DEDD41CC1D7D3D376B0DBE685E2F3";

    #[test]
    fn each_credential_leads_to_its_identity() {
        let identities = Identities::parse(&format!(
            "[[identity]]\nname = 'a'\ntoken_sha256 = ['{ONE}', '{TWO}']\nmay_forward = true\n\
             [[identity]]\nname = 'b'\njwt_subject = ['s']\ncertificate = ['spiffe://x/y', 'b.example']\nvotes_per_second = 5\n"
        ))
        .unwrap();
        let name = |identity: Option<Arc<Identity>>| identity.map(|identity| identity.name().to_owned());
        assert_eq!(name(identities.by_token(b"one")).as_deref(), Some("a"));
        assert_eq!(name(identities.by_token(b"two")).as_deref(), Some("a"));
        assert!(identities.by_token(b"one").unwrap().may_forward());
        assert_eq!(name(identities.by_token(ONE.as_bytes())), None);
        assert_eq!(name(identities.by_token(b"")), None);
        assert_eq!(name(identities.by_subject("s")).as_deref(), Some("b"));
        assert_eq!(name(identities.by_subject("a")), None);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            name(identities.by_certificate(&names(&["other", "b.example"]))).as_deref(),
            Some("b")
        );
        assert_eq!(name(identities.by_certificate(&names(&["B.example"]))), None);
        let b = identities.by_subject("s").unwrap();
        assert!(!b.may_forward() && b.spend(6).is_err());
    }

    #[test]
    fn errors_name_the_identity_and_never_quote_a_secret() {
        for (text, expected) in [
            ("[[identity]]\nname = 'a'", "give it a credential"),
            ("[[identity]]\nname = ''\njwt_subject = ['s']", "name must have"),
            (
                "[[identity]]\nname = 'a'\ntoken_sha256 = ['s3cret']",
                "identity a: token_sha256 must be the SHA-256",
            ),
            (
                "[[identity]]\nname = 'a'\ntoken = 's3cret'",
                "line 3: unknown field",
            ),
            (
                "[[identity]]\nname = 'a'\njwt_subject = ['s']\n[[identity]]\nname = 'b'\njwt_subject = ['s']",
                "identity b: jwt_subject s also belongs to a",
            ),
            (
                "[[identity]]\nname = 'a'\njwt_subject = ['s']\nvotes_per_second = 0",
                "line 4",
            ),
            (
                "[[identity]]\nname = 'a'\ncertificate = ['']",
                "certificate is empty",
            ),
            ("[[identity]]\ntoken_sha256 = s3cret", "line 2"),
        ] {
            let error = format!("{:#}", Identities::parse(text).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
        let twice = format!(
            "[[identity]]\nname = 'a'\ntoken_sha256 = ['{ONE}']\n[[identity]]\nname = 'b'\ntoken_sha256 = ['{ONE}']"
        );
        let error = format!("{:#}", Identities::parse(&twice).unwrap_err());
        assert!(error.contains("also belongs to a"), "{error}");
    }

    #[test]
    fn an_empty_file_lets_nobody_vote() {
        let identities = Identities::parse("").unwrap();
        assert!(identities.by_token(b"").is_none());
    }
}
