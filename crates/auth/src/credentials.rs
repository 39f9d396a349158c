//! How a request says who sent it.

use tls::ClientCertificate;

/// The values of the header `Authorization`, and the certificate of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    pub(crate) authorization: Authorization<'a>,
    pub(crate) certificate: Option<&'a ClientCertificate>,
}

/// The header `Authorization`.
#[derive(Clone, Copy)]
pub(crate) enum Authorization<'a> {
    None,
    One(&'a [u8]),
    /// Proxies and servers could choose different ones.
    Many,
}

impl<'a> Credentials<'a> {
    /// `authorization` are all values of the header.
    pub fn new(
        mut authorization: impl Iterator<Item = &'a [u8]>,
        certificate: Option<&'a ClientCertificate>,
    ) -> Self {
        let authorization = match (authorization.next(), authorization.next()) {
            (None, _) => Authorization::None,
            (Some(value), None) => Authorization::One(value),
            (Some(_), Some(_)) => Authorization::Many,
        };
        Self {
            authorization,
            certificate,
        }
    }
}

impl std::fmt::Debug for Authorization<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The value is a secret.
        formatter.write_str(match self {
            Self::None => "None",
            Self::One(_) => "One(***)",
            Self::Many => "Many",
        })
    }
}
