//! Tests of the embedded S3 over real connections, with requests signed by AWS's own signer.

mod authorization_header;
mod connections;
mod delete_objects;
mod durability;
mod fidelity;
mod form_uploads;
#[path = "../shared/helpers.rs"]
mod helpers;
mod multipart_uploads;
mod objects;
mod support;
mod versions;
