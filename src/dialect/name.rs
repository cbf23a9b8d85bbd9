//! The names in the paths of dialects: hashes, teams and repositories.

use crate::rejection::Rejection;

/// The maximum length of a name.
const MAX_NAME: usize = 128;

/// Rejects a text that is not a single, plain segment of a key.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Rejection> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_valid = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain) && name != "." && name != "..";
    if is_valid {
        return Ok(());
    }
    Err(Rejection::BadValue {
        name: field.to_owned(),
        problem: format!("must have 1 to {MAX_NAME} letters, digits, `.`, `_` or `-`"),
    })
}
