//! From the path as a front tells it to the path below the front's stage and base path.

use std::borrow::Cow;

use super::{Event, Front};
use crate::key::PathEncoding;
use crate::response::Failure;

/// A path without what the front put before the key, and what that was.
pub(super) struct KeyPath<'a> {
    /// Absent where the request lies outside the base path.
    pub(super) path: Option<Cow<'a, str>>,
    pub(super) encoding: PathEncoding,
    pub(super) before: Cow<'a, str>,
}

impl Event<'_> {
    /// The path of the key, and what stood before it.
    pub(super) fn key_path(&self, front: Front, base_path: &str) -> Result<KeyPath<'_>, Failure> {
        let no_path = Failure::UnknownFront {
            problem: "the event has no path",
        };
        match front {
            Front::Rest => self.rest_path(),
            Front::HttpApi => {
                let stage = self.request_context.stage.as_deref().unwrap_or("$default");
                let before = if stage == "$default" {
                    String::new()
                } else {
                    format!("/{stage}")
                };
                let path = self.raw_path.as_deref().ok_or(no_path)?;
                let Some(path) = path.strip_prefix(&before).filter(|path| under(path, "")) else {
                    return Err(Failure::UnknownFront {
                        problem: "the path does not begin with the stage",
                    });
                };
                Ok(below(path, PathEncoding::Decoded, before, base_path))
            }
            Front::FunctionUrl => {
                let path = self.raw_path.as_deref().ok_or(no_path)?;
                Ok(below(path, PathEncoding::Percent, String::new(), base_path))
            }
            Front::Alb => {
                let path = self.path.as_deref().ok_or(no_path)?;
                Ok(below(path, PathEncoding::Percent, String::new(), base_path))
            }
        }
    }

    /// A REST API keeps the escapes in `path` but collapses a leading `//` there, which `requestContext.path` keeps;
    /// `pathParameters.proxy` tells where the key begins but loses a trailing `/`.
    fn rest_path(&self) -> Result<KeyPath<'_>, Failure> {
        let path = self.path.as_deref().ok_or(Failure::UnknownFront {
            problem: "the event has no path",
        })?;
        let proxy = self
            .path_parameters
            .as_ref()
            .and_then(|parameters| parameters.proxy.as_deref())
            .unwrap_or_default();
        let found = path.trim_end_matches('/').strip_suffix(proxy.trim_end_matches('/'));
        let Some(before) = found else {
            return Err(Failure::UnknownFront {
                problem: "the path does not end with the proxy parameter",
            });
        };
        // Without a proxy parameter only slashes stand behind the place, and all but the first are the key.
        let key = if proxy.is_empty() { "" } else { &path[before.len()..] };
        let whole = self.request_context.path.as_deref().unwrap_or(path);
        if !whole.ends_with(key) && whole.contains("//") {
            return Err(Failure::UnknownFront {
                problem: "the path of the request context spells the key in another way",
            });
        }
        // An emulator may tell the resource there, and not the path.
        let whole = if whole.ends_with(key) { whole } else { path };
        let before = &whole[..whole.len() - key.len()];
        let place = before.trim_end_matches('/');
        let path = format!("{}{key}", &before[place.len()..]);
        Ok(KeyPath {
            path: under(&path, "").then(|| path.into()),
            encoding: PathEncoding::Percent,
            before: place.into(),
        })
    }
}

/// Whether `path` is `base` or lies below it.
fn under(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Drops the base path.
fn below<'a>(path: &'a str, encoding: PathEncoding, before: String, base_path: &str) -> KeyPath<'a> {
    let inside = under(path, base_path);
    KeyPath {
        path: inside.then(|| path[base_path.len()..].into()),
        encoding,
        before: if inside { before + base_path } else { before }.into(),
    }
}
