//! The client's side of SCRAM (RFC 5802, RFC 7677), without channel binding. The password is not sent, and the server proves
//! that it knows it, too.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use crate::security::{PasswordLogin, SaslMechanism};

/// "No channel binding", which the messages repeat, and its base64 form.
const CHANNEL_BINDING: &str = "n,,";
const CHANNEL_BINDING_BASE64: &str = "biws";
const NONCE_BYTES: usize = 18;
/// The limits of the work that a server may ask for. RFC 7677 requires 4,096 at least.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

/// A login in progress.
pub(super) struct Scram {
    algorithms: Algorithms,
    password: String,
    nonce: String,
    first_bare: String,
}

/// The client's last message, and what the server must answer.
pub(super) struct Final {
    pub(super) message: String,
    server_signature: String,
}

#[derive(Clone, Copy)]
struct Algorithms {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl Scram {
    /// Errors if the system has no random numbers.
    pub(super) fn new(login: &PasswordLogin) -> Result<Self, &'static str> {
        let mut nonce = [0; NONCE_BYTES];
        let random = SystemRandom::new();
        random
            .fill(&mut nonce)
            .map_err(|_| "the system has no random numbers")?;
        Ok(Self::with_nonce(login, BASE64.encode(nonce)))
    }

    fn with_nonce(login: &PasswordLogin, nonce: String) -> Self {
        let algorithms = match login.mechanism {
            SaslMechanism::ScramSha256 => Algorithms {
                digest: &digest::SHA256,
                hmac: hmac::HMAC_SHA256,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
            },
            // The last two are not SCRAM and do not come here.
            SaslMechanism::ScramSha512 | SaslMechanism::Plain | SaslMechanism::Oauthbearer => Algorithms {
                digest: &digest::SHA512,
                hmac: hmac::HMAC_SHA512,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
            },
        };
        let name = login.username.replace('=', "=3D").replace(',', "=2C");
        Self {
            algorithms,
            password: login.password.expose().to_owned(),
            first_bare: format!("n={name},r={nonce}"),
            nonce,
        }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> String {
        format!("{CHANNEL_BINDING}{}", self.first_bare)
    }

    /// The client's answer to the server's first message.
    pub(super) fn last(&self, server_first: &str) -> Result<Final, &'static str> {
        let nonce = attribute(server_first, "r=")?;
        if !nonce.starts_with(&self.nonce) {
            return Err("the server's nonce does not begin with that of the client");
        }
        let salt = BASE64.decode(attribute(server_first, "s=")?);
        let salt = salt.map_err(|_| "the server's salt is not base64")?;
        let iterations = attribute(server_first, "i=")?.parse().ok();
        let iterations = iterations
            .filter(|count| ITERATIONS.contains(count))
            .and_then(NonZeroU32::new)
            .ok_or("the server's number of iterations is outside of 4,096 to 1,000,000")?;

        let mut salted = vec![0; self.algorithms.digest.output_len()];
        pbkdf2::derive(
            self.algorithms.pbkdf2,
            iterations,
            &salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let client_key = self.hmac(&salted, "Client Key");
        let stored_key = digest::digest(self.algorithms.digest, client_key.as_ref());
        let without_proof = format!("c={CHANNEL_BINDING_BASE64},r={nonce}");
        let messages = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_signature = self.hmac(stored_key.as_ref(), &messages);
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(client_signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = self.hmac(&salted, "Server Key");
        let server_signature = self.hmac(server_key.as_ref(), &messages);
        Ok(Final {
            message: format!("{without_proof},p={}", BASE64.encode(proof)),
            server_signature: BASE64.encode(server_signature),
        })
    }

    fn hmac(&self, key: &[u8], message: &str) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.algorithms.hmac, key), message.as_bytes())
    }
}

impl Final {
    /// Checks the server's last message.
    pub(super) fn check(&self, server_last: &str) -> Result<(), &'static str> {
        if attribute(server_last, "v=")? == self.server_signature {
            Ok(())
        } else {
            Err("the server does not know the password")
        }
    }
}

/// The value of an attribute such as `r=`.
fn attribute<'a>(message: &'a str, name: &str) -> Result<&'a str, &'static str> {
    message
        .split(',')
        .find_map(|part| part.strip_prefix(name))
        .ok_or("the server's message lacks an attribute")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(username: &str) -> PasswordLogin {
        PasswordLogin {
            mechanism: SaslMechanism::ScramSha256,
            username: username.to_owned(),
            password: "pencil".into(),
        }
    }

    /// The example of RFC 7677.
    #[test]
    fn messages_are_those_of_the_specification() {
        let scram = Scram::with_nonce(&login("user"), "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let last = scram
            .last(&format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"))
            .unwrap();
        assert_eq!(
            last.message,
            format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        );
        assert_eq!(
            last.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
            Ok(())
        );
        assert!(last.check("v=AAAA").is_err());
        assert!(last.check("e=other-error").is_err());
    }

    #[test]
    fn name_is_escaped() {
        let scram = Scram::with_nonce(&login("a=b,c"), "nonce".to_owned());
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=nonce");
    }

    #[test]
    fn invalid_challenge_is_an_error() {
        let scram = Scram::with_nonce(&login("user"), "nonce".to_owned());
        for challenge in [
            "",
            "r=other,s=AAAA,i=4096",
            "r=nonce2,s=?,i=4096",
            "r=nonce2,s=AAAA",
            "r=nonce2,s=AAAA,i=many",
            "r=nonce2,s=AAAA,i=0",
            "r=nonce2,s=AAAA,i=4000000000",
        ] {
            assert!(scram.last(challenge).is_err(), "{challenge}");
        }
        assert!(scram.last("r=nonce2,s=AAAA,i=4096").is_ok());
    }

    #[test]
    fn nonces_differ() {
        let [one, other] = [(); 2].map(|()| Scram::new(&login("user")).unwrap().nonce);
        assert_ne!(one, other);
    }
}
