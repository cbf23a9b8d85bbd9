//! The only modules that use AWS crates: endpoints, credentials and signatures.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`signed_call`]: signed calls to AWS services.
//! 2. [`json_protocol`]: calls with the JSON protocols of AWS.
//! 3. [`role_sessions`]: cached sessions of the signer role.
//! 4. [`sts`]: calls of `AssumeRole`.
//! 5. [`credentials`]: the credentials that sign.
//! 6. [`presigner`]: the endpoint of the bucket, and presigned URLs.
//! 7. [`post_policy`]: signed POST policies.
//! 8. [`listing_xml`]: the XML of listings and errors.
//! 9. [`s3_client`]: listings, deletions and sizes.
//! 10. [`dynamodb`]: the id table in `DynamoDB`.
//! 11. [`dynamodb_locks`]: the locks of git-lfs in `DynamoDB`.
//! 12. [`parameter_store`]: parameters of Systems Manager.
//! 13. [`secret_source`]: secrets that are stored outside the function.
//! 14. [`policy_source`]: rules that are stored outside the function.

mod credentials;
mod dynamodb;
mod dynamodb_locks;
mod json_protocol;
mod listing_xml;
mod parameter_store;
mod policy_source;
mod post_policy;
mod presigner;
mod role_sessions;
mod s3_client;
mod secret_source;
mod signed_call;
mod sts;

/// The credentials that sign one URL.
pub use aws_credential_types::Credentials as SignerCredentials;
pub use credentials::{CredentialSource, SessionTarget, SigningCredentials};
pub(crate) use dynamodb::DynamoTable;
pub(crate) use policy_source::{PolicySource, RulesText};
pub use presigner::Presigner;
pub use s3_client::S3Client;
pub(crate) use secret_source::SecretSource;
