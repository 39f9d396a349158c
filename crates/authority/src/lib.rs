//! A certificate authority for stacks on one machine and for tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

/// An authority with its own key, which exists only in memory.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

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
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = name(common_name);
        CertifiedIssuer::self_signed(params, KeyPair::generate()?).map(Self)
    }

    /// The certificate of the authority, PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
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
            cert: params.signed_by(&key, &self.0)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        let mut shown = formatter.debug_struct("Issued");
        shown.field("cert", &self.cert).finish_non_exhaustive()
    }
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
