//! The path of the object key, separated from the stage and the base path in front of it.

use std::borrow::Cow;

use crate::key::PathEncoding;
use crate::response::ServiceFailure;

/// The path of a request, without the part that the front or the operator put in front of the key.
pub(super) struct KeyPath<'a> {
    /// The path of the key with its leading `/`; `None` if the request is outside the base path.
    pub(super) path: Option<Cow<'a, str>>,
    /// The spelling of `path`.
    pub(super) encoding: PathEncoding,
    /// The part in front of the key: a stage, a base path, or both.
    pub(super) prefix: Cow<'a, str>,
}

impl<'a> KeyPath<'a> {
    /// Removes the base path from `path`. `stage` is the part that the front has put in front of it.
    pub(super) fn below_base(path: &'a str, encoding: PathEncoding, stage: String, base_path: &str) -> Self {
        let inside = is_below(path, base_path);
        Self {
            path: inside.then(|| path[base_path.len()..].into()),
            encoding,
            prefix: if inside { stage + base_path } else { stage }.into(),
        }
    }
}

/// Returns true if `path` is `base` or is below it.
pub(super) fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns a required path field of an event.
pub(super) fn required<'a>(path: Option<&'a Cow<'_, str>>) -> Result<&'a str, ServiceFailure> {
    path.map(|path| &**path).ok_or(ServiceFailure::UnknownFront {
        problem: "the event has no path",
    })
}
