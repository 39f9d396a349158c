//! Who may vote. A request names its client by a bearer token, a JWT or the certificate of its connection; the file of
//! identities says which identity that is, whether it may forward votes, and how many votes it may send.

mod args;
mod authenticator;
mod credentials;
mod identities;
mod identity;
mod jwks;
mod jwks_url;
mod jwt;
mod jwt_algorithms;

pub use args::AuthArgs;
pub use authenticator::{Authenticator, Denied};
pub use credentials::Credentials;
pub use identity::{AboveRate, Identity};
