//! Options of authentication, and the keys for JWT.

mod jwks_url;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;
use auth::{Authenticator, JwtKeys, Rules};
use tokio_util::sync::CancellationToken;

use jwks_url::JwksUrl;

/// Options of authentication, with the same meaning on each route. Without a file of identities, everybody may vote.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AuthArgs {
    /// File with those who may vote (TOML, see docs/security.md). Turns authentication on. The file is read again when it changes
    #[arg(long, env = "IDENTITIES", value_name = "FILE")]
    pub identities: Option<PathBuf>,

    /// The public keys of an issuer of JWT: a file or an https URL with a JSON Web Key Set
    #[arg(long, env = "JWT_KEYS", value_name = "FILE|URL", requires_all = ["identities", "jwt_issuer", "jwt_audience"])]
    pub jwt_keys: Option<String>,

    /// File with the CAs that sign the certificate of the server of --jwt-keys (PEM); without it, the CAs of the system
    #[arg(long, env = "JWT_KEYS_CA", value_name = "FILE", requires = "jwt_keys")]
    pub jwt_keys_ca: Option<PathBuf>,

    /// The issuer that a JWT must name (`iss`)
    #[arg(long, env = "JWT_ISSUER", value_name = "NAME", requires = "jwt_keys")]
    pub jwt_issuer: Option<String>,

    /// The audience that a JWT must name (`aud`)
    #[arg(long, env = "JWT_AUDIENCE", value_name = "NAME", requires = "jwt_keys")]
    pub jwt_audience: Option<String>,
}

impl AuthArgs {
    /// The settings that must be equal on all routes, for the effective configuration.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        [
            ("authentication", self.identities.is_some().to_string()),
            ("jwt", self.jwt_keys.is_some().to_string()),
        ]
    }

    /// Loads the files and loads them again when they change, until `shutdown`. None without a file of identities. Errors if a
    /// file is missing or invalid.
    pub fn open(&self, shutdown: &CancellationToken) -> anyhow::Result<Option<Arc<Authenticator>>> {
        let Some(identities) = &self.identities else {
            return Ok(None);
        };
        let authenticator = Authenticator::open(identities, self.jwt_keys(shutdown)?)?;
        authenticator.watch(shutdown);
        Ok(Some(Arc::new(authenticator)))
    }

    fn jwt_keys(&self, shutdown: &CancellationToken) -> anyhow::Result<Option<JwtKeys>> {
        let (Some(place), Some(issuer), Some(audience)) =
            (&self.jwt_keys, &self.jwt_issuer, &self.jwt_audience)
        else {
            return Ok(None);
        };
        let rules = Rules::new(issuer, audience);
        if place.contains("://") {
            let url = JwksUrl::new(place, self.jwt_keys_ca.as_deref(), rules)?;
            let keys = url.keys();
            tokio::spawn(url.watch(shutdown.clone()));
            return Ok(Some(JwtKeys::Remote(keys)));
        }
        ensure!(
            self.jwt_keys_ca.is_none(),
            "--jwt-keys-ca is for a URL, but --jwt-keys is a file"
        );
        JwtKeys::load(place.into(), rules).map(Some)
    }
}
