//! Parsers and checks for the values of parameters, headers and JSON bodies.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::Pairs;
use crate::rejection::Rejection;

/// The maximum number of parameters in one request. S3 itself stores 2 KB of metadata.
const MAX_PARAMETERS: usize = 100;

/// Rejects a query with a repeated parameter, because programs differ in which of the two they use. Also rejects a
/// query with too many parameters. Anonymous callers reach this check, before the rules.
pub(crate) fn check_names(query: &Pairs) -> Result<(), Rejection> {
    if query.len() > MAX_PARAMETERS {
        let problem = format!("has {} parameters, and the limit is {MAX_PARAMETERS}", query.len());
        return Err(bad_value("query", &problem));
    }
    let repeated = query
        .iter()
        .enumerate()
        .find(|(index, (name, _))| query[..*index].iter().any(|(earlier, _)| earlier == name));
    match repeated {
        Some((_, (name, _))) => Err(Rejection::RepeatedParameter { name: name.clone() }),
        None => Ok(()),
    }
}

/// Returns true if `path` is a path of this service, after any number of decodings: without `.` and `..` segments, and
/// without characters that browsers change. The base URL in front of it must not be left.
pub(crate) fn is_service_path(path: &str) -> bool {
    let is_visible = path.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
    let resource = path.split(['?', '#']).next().unwrap_or_default();
    is_visible && path.starts_with('/') && !path.starts_with("//") && !has_dot_segment(resource)
}

/// Returns true if the path has a segment `.` or `..`, however often its characters are percent-encoded.
fn has_dot_segment(path: &str) -> bool {
    let has_dots = path.split(['/', '\\']).any(|segment| segment == "." || segment == "..");
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    has_dots || decoded != path && has_dot_segment(&decoded)
}

/// Parses a length in bytes.
pub(crate) fn parse_length(name: &str, value: &str) -> Result<u64, Rejection> {
    let length = whole_number(value);
    length.ok_or_else(|| bad_value(name, "must be a whole number of bytes"))
}

pub(super) fn check_number(name: &str, value: &str, min: u32, max: u32) -> Result<(), Rejection> {
    if whole_number(value).is_some_and(|number| (min.into()..=max.into()).contains(&number)) {
        return Ok(());
    }
    Err(bad_value(name, &format!("must be a whole number from {min} to {max}")))
}

pub(super) fn check_no_value(name: &str, value: &str) -> Result<(), Rejection> {
    if value.is_empty() {
        return Ok(());
    }
    Err(bad_value(name, "must not have a value"))
}

fn whole_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The rejection of an invalid value. `problem` says what is wrong.
pub(crate) fn bad_value(name: &str, problem: &str) -> Rejection {
    Rejection::BadValue {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}

/// Rejects a body with more than `max` bytes.
pub(crate) fn check_body_length(body: &[u8], max: usize) -> Result<(), Rejection> {
    if body.len() <= max {
        return Ok(());
    }
    let problem = format!("has {} bytes, and the limit is {max}", body.len());
    Err(bad_value("body", &problem))
}

/// Parses a JSON object. Unlike serde, this rejects an array of the values in order.
pub(crate) fn json_object<'a, T: Deserialize<'a>>(name: &str, text: &'a [u8]) -> Result<T, Rejection> {
    let invalid = |problem: &dyn fmt::Display| bad_value(name, &format!("is invalid: {problem}"));
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid(&"it must be a JSON object"));
    }
    serde_json::from_slice(text).map_err(|error| invalid(&error))
}

/// Parses a lifetime: whole seconds, or a duration such as `5m`.
pub(crate) fn parse_expires(value: &str) -> Result<Duration, Rejection> {
    let seconds = value
        .parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(value));
    seconds
        .ok()
        .filter(|expires| expires.as_secs() > 0 && expires.subsec_nanos() == 0)
        .ok_or_else(|| {
            bad_value(
                "expires",
                "must be whole seconds above 0, or a duration such as 90s or 5m",
            )
        })
}

/// Rejects a value that cannot be a header, or that would change in transit: S3 signs trimmed values with single spaces.
pub(crate) fn check_signable(parameter: &str, header: &str, value: &str) -> Result<(), Rejection> {
    let invalid = |problem: &str| Err(bad_value(parameter, problem));
    if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
        return invalid("the name is not a header name");
    }
    if value.is_empty() || value.trim() != value || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return invalid("must be visible ASCII without surrounding spaces (encode other text as in RFC 2047)");
    }
    Ok(())
}
