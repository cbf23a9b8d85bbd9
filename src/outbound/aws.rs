//! The only modules that use AWS crates: endpoints, credentials and signatures.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`plain_names`]: names whose endpoints need no resolver.
//! 2. [`sigv4`]: the signatures of AWS.
//! 3. [`signed_call`]: signed calls to AWS services.
//! 4. [`json_protocol`]: calls with the JSON protocols of AWS.
//! 5. [`role_sessions`]: cached sessions of the signer role.
//! 6. [`sts`]: calls of `AssumeRole`.
//! 7. [`credentials`]: the credentials that sign.
//! 8. [`presigner`]: the endpoint of the bucket, and presigned URLs.
//! 9. [`post_policy`]: signed POST policies.
//! 10. [`listing_xml`]: the XML of listings and errors.
//! 11. [`s3_client`]: listings, deletions and sizes.
//! 12. [`dynamodb`]: the id table in `DynamoDB`.
//! 13. [`dynamodb_locks`]: the locks of git-lfs in `DynamoDB`.
//! 14. [`parameter_store`]: parameters of Systems Manager.
//! 15. [`secret_source`]: secrets that are stored outside the function.
//! 16. [`policy_source`]: rules that are stored outside the function.

mod credentials;
mod dynamodb;
mod dynamodb_locks;
mod json_protocol;
mod listing_xml;
mod parameter_store;
mod plain_names;
mod policy_source;
mod post_policy;
mod presigner;
mod role_sessions;
mod s3_client;
mod secret_source;
mod signed_call;
mod sigv4;
mod sts;

/// The credentials that sign one URL.
pub use aws_credential_types::Credentials as SignerCredentials;
pub use credentials::{CredentialSource, SessionTarget, SigningCredentials};
pub(crate) use dynamodb::DynamoTable;
pub(crate) use policy_source::{PolicySource, RulesText};
pub use presigner::Presigner;
pub(crate) use s3_client::S3Client;
pub(crate) use secret_source::SecretSource;

#[cfg(test)]
mod tests;
