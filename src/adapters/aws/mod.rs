//! The only module that names an AWS crate: the endpoint, the credentials, the signature.

mod call;
mod credentials;
mod form;
mod session;
pub mod session_policy;
mod signer;
mod sts;

pub use credentials::{CredentialSource, SigningCredentials};
pub use signer::Signer;
