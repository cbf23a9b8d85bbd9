//! The only module that names an AWS crate: the endpoint, the credentials, the signature.

mod signed_call;
mod credentials;
mod post_policy;
mod json_protocol;
mod policy_source;
mod s3_client;
mod listing_xml;
mod role_sessions;
pub mod session_policy;
mod presigner;
mod sts;
mod dynamodb;

pub use credentials::{CredentialSource, SigningCredentials};
pub(crate) use policy_source::{FetchError, Fetched, RemoteRules};
pub use presigner::Signer;
pub use s3_client::Storage;

pub(crate) use dynamodb::DynamoTable;
