//! An HTTP API with payload 2.0: it decodes the path once, and cuts it at a `?` that appears then.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use signpost::rejection::Rejection;

use super::delivery::Delivery;
use super::{check_escapes, payload2};

pub(super) fn event(delivery: &Delivery<'_>) -> Result<Value, Rejection> {
    check_escapes(delivery.path())?;
    let decoded = percent_decode_str(delivery.path()).decode_utf8_lossy();
    let front = payload2::Front {
        raw_path: cut(&decoded),
        // The gateway's own name; what the client calls it must not make another front of it.
        domain_name: "local.execute-api.us-east-1.amazonaws.com",
        keeps_cookie_header: false,
    };
    Ok(payload2::event(delivery, &front))
}

/// The decoded path up to its first `?`, which the gateway takes for the beginning of the query.
pub(super) fn cut(decoded: &str) -> &str {
    decoded.split('?').next().unwrap_or_default()
}
