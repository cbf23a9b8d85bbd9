//! Signed HTML forms, as JSON and as a page that works without the script.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, json};

use super::http::{ApiResponse, with_json};
use super::page::{PageShell, html_page};
use super::text::rfc3339;
use crate::decide::PageActions;
use crate::encoding::escape_invisible;
use crate::plan::{PolicyCondition, PostFormKey, SignedPostForm};
use crate::request::{ApiRequest, Pairs};

/// Returns a form as JSON: its URL and its fields.
pub fn post_form_json(form: &SignedPostForm) -> ApiResponse {
    let fields: Map<_, _> = form
        .fields
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    with_json(&json!({
        "url": form.url,
        "fields": fields,
        "expires_in": form.expires_in.as_secs(),
        "expires_at": rfc3339(form.expires_at),
    }))
}

#[derive(Template)]
#[template(path = "form.html")]
struct UploadPage<'a> {
    shell: PageShell,
    target: String,
    stored: Option<String>,
    url: &'a str,
    fields: &'a Pairs,
    limit: String,
    expires_at: String,
    /// True if the user may open the folder of the form.
    has_folder: bool,
    /// True if the form stores its file in a new folder.
    in_new_folder: bool,
}

/// Returns a form as a page. `stored` is the key of the file that the user uploaded with the previous form.
pub fn post_form_page(
    request: &ApiRequest,
    form: &SignedPostForm,
    stored: Option<&str>,
    actions: PageActions,
) -> ApiResponse {
    let target = escape_invisible(target_key(form));
    let template = UploadPage {
        has_folder: !actions.can.is_empty(),
        in_new_folder: matches!(form.plan.public_key, PostFormKey::InFolder(_)),
        shell: PageShell::with_title(request, "form", &format!("Upload to {target}"), actions.sign_in),
        target,
        stored: stored.map(escape_invisible),
        url: &form.url,
        fields: &form.fields,
        limit: limit_text(form),
        expires_at: rfc3339(form.expires_at),
    };
    let directives = format!("img-src 'self'; form-action 'self' {}", form_origins(form));
    html_page(StatusCode::OK, &template, &directives)
}

fn target_key(form: &SignedPostForm) -> &str {
    let (PostFormKey::Exact(key) | PostFormKey::InFolder(key)) = &form.plan.public_key;
    key.as_str()
}

fn limit_text(form: &SignedPostForm) -> String {
    let max = form.plan.conditions.iter().find_map(|condition| match condition {
        PolicyCondition::ContentLengthRange { max, .. } => Some(*max),
        PolicyCondition::StartsWith { .. } => None,
    });
    max.map_or_else(String::new, |max| format!(", up to {}", bytesize::ByteSize(max)))
}

/// Returns the origin to which the browser sends the form, and the origin to which S3 then redirects.
fn form_origins(form: &SignedPostForm) -> String {
    let redirect = form.fields.iter().find(|(name, _)| name == "success_action_redirect");
    let urls = [Some(form.url.as_str()), redirect.map(|(_, url)| url.as_str())];
    let origins: Vec<_> = urls.into_iter().flatten().filter_map(directive_origin).collect();
    origins.join(" ")
}

/// Returns the origin of a URL, unless it contains a character that would end the directive.
fn directive_origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    host.bytes().all(is_safe).then(|| &url[..scheme.len() + 3 + host.len()])
}
