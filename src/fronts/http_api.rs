//! Events of an HTTP API of API Gateway, payload format 2.0.

use super::event::FrontEvent;
use super::key_path::{KeyPath, is_below, required};
use crate::key::PathEncoding;
use crate::response::ServiceFailure;

/// Returns the path of the key. An HTTP API decodes the path and puts a named stage in front of it.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>, base_path: &str) -> Result<KeyPath<'a>, ServiceFailure> {
    let stage = match event.request_context.stage.as_deref() {
        None | Some("$default") => String::new(),
        Some(stage) => format!("/{stage}"),
    };
    let path = required(event.raw_path.as_ref())?;
    let Some(path) = path.strip_prefix(&stage).filter(|path| is_below(path, "")) else {
        return Err(ServiceFailure::UnknownFront {
            problem: "the path does not begin with the stage",
        });
    };
    Ok(KeyPath::below_base(path, PathEncoding::Decoded, stage, base_path))
}
