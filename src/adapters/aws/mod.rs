//! The only module that names an AWS crate: the endpoint, the credentials, the signature.

mod call;
mod credentials;
mod form;
mod json;
mod rules_source;
mod storage;
mod listing_xml;
mod session;
pub mod session_policy;
mod signer;
mod sts;
mod table;

pub use credentials::{CredentialSource, SigningCredentials};
pub(crate) use rules_source::{FetchError, Fetched, RemoteRules};
pub use signer::Signer;
pub use storage::Storage;

pub(crate) use table::DynamoTable;
