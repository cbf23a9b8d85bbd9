//! Signed forms as JSON, and as a page that works without script.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, json};

use super::page::{Shell, page, visible};
use super::{ApiResponse, JSON, answer};
use crate::plan::{PolicyCondition, PostFormKey, SignedPostForm};
use crate::request::{ApiRequest, Pairs};

/// Tells a form as JSON: where to send it, and its fields.
pub fn form_json(form: &SignedPostForm) -> ApiResponse {
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

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage<'a> {
    shell: Shell,
    place: String,
    stored: Option<String>,
    url: &'a str,
    fields: &'a Pairs,
    limit: String,
    until: String,
}

/// Tells a form as a page. `stored` is the key of the file that the form before it has stored.
pub fn form_page(request: &ApiRequest, form: &SignedPostForm, stored: Option<&str>) -> ApiResponse {
    let place = visible(place(form));
    let template = FormPage {
        shell: Shell::plain(request, "form", &format!("Upload to {place}")),
        place,
        stored: stored.map(visible),
        url: &form.url,
        fields: &form.fields,
        limit: limit(form),
        until: humantime::format_rfc3339_seconds(form.expires_at).to_string(),
    };
    page(
        StatusCode::OK,
        &template,
        &format!("img-src 'self'; form-action {}", targets(form)),
    )
}

fn place(form: &SignedPostForm) -> &str {
    let (PostFormKey::Exact(key) | PostFormKey::InFolder(key)) = &form.plan.public_key;
    key.as_str()
}

fn limit(form: &SignedPostForm) -> String {
    let max = form.plan.conditions.iter().find_map(|condition| match condition {
        PolicyCondition::ContentLengthRange { max, .. } => Some(*max),
        PolicyCondition::StartsWith { .. } => None,
    });
    max.map_or_else(String::new, |max| format!(", up to {}", bytesize::ByteSize(max)))
}

/// Where the form is sent, and where S3 then leads.
fn targets(form: &SignedPostForm) -> String {
    let redirect = form.fields.iter().find(|(name, _)| name == "success_action_redirect");
    let targets = [Some(form.url.as_str()), redirect.map(|(_, url)| url.as_str())];
    let targets: Vec<_> = targets.into_iter().flatten().filter_map(origin).collect();
    targets.join(" ")
}

/// The origin of a URL, unless it holds what would end a directive.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    host.bytes().all(plain).then(|| &url[..scheme.len() + 3 + host.len()])
}
