//! The local server: an embedded S3 in this process.

pub mod s3;
