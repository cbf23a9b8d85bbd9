//! An S3 server inside this process, which behaves towards presigned requests as AWS does.
//!
//! ```text
//! TCP ─ server ─ service ─ strict ─────────── s3s ─────────── backend ───── store
//!                   │      who may ask,       HTTP to typed   what S3 does  index (redb)
//!                   cors   lengths, what      operations                    and blob files
//!                   errors the query signs
//! ```
//!
//! - `strict` refuses what AWS refuses and the `s3s` crate lets pass, and applies signed query parameters.
//! - `backend` implements the operations on the `S3` trait of `s3s`.
//! - `store` keeps buckets, versions, tags and uploads on disk, and survives a kill at any moment.
//!
//! Knowingly different from AWS: one region, one account, path-style addresses, no ACLs, no object lock, no
//! copies, no customer-provided keys (each refused with `NotImplemented`); a form upload is held in memory while
//! it is checked; encryption and storage class are recorded and repeated, not carried out.

mod backend;
mod config;
mod cors;
mod document;
mod errors;
mod fault;
mod form;
mod lingering;
mod server;
mod service;
mod store;
mod strict;

pub use self::config::{EmbeddedS3Config, S3Credentials, SecretAccessKey};
pub use self::server::{EmbeddedS3, StartError};
