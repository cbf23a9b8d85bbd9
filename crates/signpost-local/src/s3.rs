//! An embedded S3 server, which treats presigned requests as AWS does.
//!
//! ```text
//! TCP ─ server ─ http_service ─ verification ─ request_adapter ─ s3s ─────────── backend ──── store
//!                     │         signatures,    form_upload       HTTP to typed   S3           index (redb)
//!                   cors,       lengths,                         operations      operations   and blob files
//!                   errors      parameters
//! ```
//!
//! - `verification` rejects requests that AWS rejects but the `s3s` crate accepts, and applies signed query parameters.
//! - `request_adapter` changes what `s3s` parses more strictly than AWS: ranges, text headers and `response-*` parameters.
//! - `form_upload`, `form_policy` and `form_response` handle form uploads and pass them to `s3s` as `PutObject`.
//! - `error_report` and `error_response` add the elements of AWS's error documents, which `s3s` does not have.
//! - `backend` implements the operations on the `S3` trait of `s3s`.
//! - `store` stores buckets, versions, tags and uploads on disk. The data stays consistent if the process is killed.
//!
//! Known differences from AWS:
//!
//! - There is one region and one account, and addresses are path-style.
//! - ACLs, object lock, copies and customer-provided keys are rejected with `NotImplemented`. AWS implements them.
//! - A form upload is buffered in memory while it is checked.
//! - Objects are not encrypted, and every KMS key id is accepted. AWS rejects unknown keys with `KMS.NotFoundException`.
//! - A bucket without a CORS configuration allows loopback origins and the page origin. AWS rejects their preflights with
//!   403 `AccessForbidden`, "`CORSResponse`: CORS is not enabled for this bucket."
//! - The error for two authentication mechanisms does not repeat the `Authorization` header, because it is a credential.
//!   AWS returns it as `ArgumentValue`.
//! - A body of signed chunks (`STREAMING-…`) with a header that `s3s` does not parse, such as `Expires: 0`, is rejected with
//!   400. AWS stores the text.
//! - The checksums SHA-512, MD5 and `XXHash` are verified for objects and parts, but a completion cannot contain them. AWS
//!   also combines them.
//! - A completed upload can be completed again until the first start of the server after 24 hours. AWS documents no limit.
//! - `docs/CONFORMANCE.md` compares recorded answers of AWS; `tests/conformance/differences.json` lists the remaining ones.

mod backend;
mod config;
mod cors;
mod draining_body;
mod error_report;
mod error_response;
mod form_policy;
mod form_response;
mod form_upload;
mod http_service;
mod latin1;
mod request_adapter;
mod request_body;
mod server;
mod store;
mod verification;

pub use self::config::{EmbeddedS3Config, S3Credentials, SecretAccessKey};
pub(crate) use self::server::EmbeddedBuckets;
pub use self::server::{EmbeddedS3, EmbeddedS3Error};
