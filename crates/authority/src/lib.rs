//! A certificate authority for stacks on one machine and for tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use time::OffsetDateTime;

/// The clocks of two machines can differ by less than this.
const CLOCK_DIFFERENCE: Duration = Duration::from_hours(1);

/// An authority with its own key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, PEM.
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
}

impl Authority {
    /// Makes a key and a certificate of this name.
    pub fn new(common_name: &str) -> Result<Self, Error> {
        let (params, key) = (ca_params(common_name), KeyPair::generate()?);
        Ok(Self {
            pem: params.self_signed(&key)?.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority of this name whose certificate and key were saved, PEM.
    pub fn load(common_name: &str, cert: &str, key: &str) -> Result<Self, Error> {
        Ok(Self {
            pem: cert.to_owned(),
            issuer: Issuer::new(ca_params(common_name), KeyPair::from_pem(key)?),
        })
    }

    /// The certificate of the authority, PEM.
    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// The private key of the authority, PEM. Everyone who has it can issue certificates.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Like [`Self::issue`], with a certificate that is valid from now for this long.
    pub fn issue_for(&self, names: &[&str], validity: Duration) -> Result<Issued, Error> {
        let mut params = params(names)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = |since_epoch: Duration| {
            let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
            OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::Time)
        };
        params.not_before = at(now.saturating_sub(CLOCK_DIFFERENCE))?;
        params.not_after = at(now + validity)?;
        self.sign(&params)
    }

    /// A certificate for a server and client with these names: host names or IP addresses. The first is the common name, too.
    pub fn issue(&self, names: &[&str]) -> Result<Issued, Error> {
        self.sign(&params(names)?)
    }

    /// Like [`Self::issue`], with a certificate that has expired.
    pub fn issue_expired(&self, names: &[&str]) -> Result<Issued, Error> {
        let mut params = params(names)?;
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Issued, Error> {
        let key = KeyPair::generate()?;
        Ok(Issued {
            cert: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        let mut shown = formatter.debug_struct("Authority");
        shown.field("pem", &self.pem).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        let mut shown = formatter.debug_struct("Issued");
        shown.field("cert", &self.cert).finish_non_exhaustive()
    }
}

fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = name(common_name);
    params
}

fn params(names: &[&str]) -> Result<CertificateParams, Error> {
    let alternative_names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(alternative_names)?;
    params.distinguished_name = name(names.first().copied().unwrap_or_default());
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
