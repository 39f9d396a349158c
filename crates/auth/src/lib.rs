//! Who may vote. A request names its client by a bearer token, a JWT or the certificate of its connection; the file of
//! identities says which identity that is, whether it may forward votes, and how many votes it may send.

mod authenticator;
mod credentials;
mod identities;
mod identity;
mod jwt;
mod jwt_algorithms;
mod jwt_keys;

pub use authenticator::{Authenticator, Denied, Unauthenticated};
pub use credentials::Credentials;
pub use identity::{AboveRate, Identity};
pub use jwt::{KeySet, Rules};
pub use jwt_keys::{JwtKeys, JwtKeysFile, RemoteJwtKeys};
