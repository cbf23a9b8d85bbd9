//! The ids of rules, tokens and issuers.

use std::collections::BTreeSet;

/// Checks the characters of an id. Ids occur in signed URLs and logs, so they must not need escaping.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || id.len() > 64 || !id.bytes().all(is_plain) {
        return Err("an id has 1 to 64 letters, digits, `-` or `_`".into());
    }
    Ok(())
}

/// Checks that `id` is not in `ids` yet, and adds it.
pub(super) fn check_unique(ids: &mut BTreeSet<String>, id: &str) -> Result<(), String> {
    if ids.insert(id.to_owned()) {
        Ok(())
    } else {
        Err("this id occurs twice".into())
    }
}
