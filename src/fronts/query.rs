//! The query of an event without tracking parameters.

use crate::encoding::form_decode;
use crate::rejection::Rejection;
use crate::request::{Pairs, is_tracking_parameter};

/// Decodes names and values. The value of a tracking parameter is not decoded: it can have any encoding.
pub(super) fn decode_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Pairs, Rejection> {
    let mut decoded = Pairs::new();
    for (name, value) in pairs {
        let name = form_decode(name)?;
        if !is_tracking_parameter(&name) {
            decoded.push((name, form_decode(value)?));
        }
    }
    Ok(decoded)
}
