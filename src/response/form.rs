//! Signed forms as JSON, and as a page that works without script.

use std::fmt::Write as _;

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, json};

use super::problem::escape;
use super::{ApiResponse, HTML, JSON, answer};
use crate::plan::{Condition, FormKey, PostForm};

/// Tells a form as JSON: where to send it, and its fields.
pub fn form_json(form: &PostForm) -> ApiResponse {
    let fields: Map<_, _> = form
        .fields
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let body = json!({
        "url": form.url,
        "fields": fields,
        "expires_in": form.expires_in.as_secs(),
        "expires_at": humantime::format_rfc3339_seconds(form.expires_at).to_string(),
    });
    answer(StatusCode::OK, JSON, body.to_string())
}

/// Tells a form as a page. `stored` is the key of the file that the form before it has stored.
pub fn form_page(form: &PostForm, stored: Option<&str>) -> ApiResponse {
    let mut hidden = String::new();
    for (name, value) in &form.fields {
        let (name, value) = (escape(name), escape(value));
        writeln!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
            .expect("a String takes every write");
    }
    let stored = stored.map_or_else(String::new, |key| {
        format!("<p role=\"status\">Stored: <code>{}</code></p>\n", escape(key))
    });
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Upload to {place}</title>\n</head>\n<body>\n<h1>Upload to <code>{place}</code></h1>\n{stored}\
         <form method=\"post\" enctype=\"multipart/form-data\" action=\"{url}\">\n{hidden}\
         <p><label>File{limit}: <input type=\"file\" name=\"file\" required></label></p>\n\
         <p><button>Upload</button></p>\n</form>\n\
         <p>This form is good until {until}; after that, load the page again.</p>\n</body>\n</html>\n",
        place = escape(place(form)),
        url = escape(&form.url),
        limit = limit(form),
        until = humantime::format_rfc3339_seconds(form.expires_at),
    );
    let mut response = answer(StatusCode::OK, HTML, body);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy(form));
    response
}

fn place(form: &PostForm) -> &str {
    let (FormKey::Exactly(key) | FormKey::Below(key)) = &form.plan.key;
    key.as_str()
}

fn limit(form: &PostForm) -> String {
    let max = form.plan.conditions.iter().find_map(|condition| match condition {
        Condition::ContentLengthRange { max, .. } => Some(*max),
        Condition::StartsWith { .. } => None,
    });
    max.map_or_else(String::new, |max| format!(", up to {}", bytesize::ByteSize(max)))
}

/// Nothing but to send the form, and to follow where S3 then leads.
fn policy(form: &PostForm) -> HeaderValue {
    let redirect = form.fields.iter().find(|(name, _)| name == "success_action_redirect");
    let targets = [Some(form.url.as_str()), redirect.map(|(_, url)| url.as_str())];
    let targets: Vec<_> = targets.into_iter().flatten().filter_map(origin).collect();
    let policy = format!(
        "default-src 'none'; form-action {}; base-uri 'none'; frame-ancestors 'none'",
        targets.join(" ")
    );
    HeaderValue::try_from(policy).expect("origins are visible ASCII")
}

/// The origin of a URL, unless it holds what would end a directive.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    host.bytes().all(plain).then(|| &url[..scheme.len() + 3 + host.len()])
}
