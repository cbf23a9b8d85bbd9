//! The only module that names an AWS crate: the endpoint, the credentials, the signature.

mod call;
mod credentials;
mod form;
mod json;
mod rules_source;
mod lister;
mod listing_xml;
mod session;
pub mod session_policy;
mod signer;
mod sts;
mod table;

pub use credentials::{CredentialSource, SigningCredentials};
pub use lister::Lister;
pub(crate) use rules_source::{FetchError, Fetched, RemoteRules};
pub use signer::Signer;

pub(crate) use table::DynamoTable;
