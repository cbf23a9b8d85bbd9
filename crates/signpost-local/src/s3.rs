//! An embedded S3 server, which treats presigned requests as AWS does.
//!
//! ```text
//! TCP ─ server ─ http_service ─ verification ─ s3s ─────────── backend ──── store
//!                     │         signatures,    HTTP to typed   S3           index (redb)
//!                   cors,       lengths,       operations      operations   and blob files
//!                   errors      parameters
//! ```
//!
//! - `verification` rejects requests that AWS rejects but the `s3s` crate accepts, and applies signed query parameters.
//! - `backend` implements the operations on the `S3` trait of `s3s`.
//! - `store` stores buckets, versions, tags and uploads on disk. The data stays consistent if the process is killed.
//!
//! Known differences from AWS:
//!
//! - There is one region and one account, and addresses are path-style.
//! - ACLs, object lock, copies and customer-provided keys are rejected with `NotImplemented`.
//! - A form upload is buffered in memory while it is checked.
//! - Encryption and storage class are recorded and returned, but have no effect.

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
pub use self::server::{EmbeddedS3, EmbeddedS3Error};
