//! The page of an object, and the page that deletes it.

use askama::Template;
use http::{StatusCode, header};

use super::actions::ActionNames;
use super::shell::{PageShell, html_page, script_directives};
use crate::decide::{PageActions, PreviewKind};
use crate::encoding::escape_invisible;
use crate::key::{ObjectKey, to_relative};
use crate::plan::Instruction;
use crate::request::ApiRequest;
use crate::response::http::{ApiResponse, TEXT, set_header, with_body};
use crate::response::links::root_url;

#[derive(Template)]
#[template(path = "object.html")]
struct ObjectView<'a> {
    shell: PageShell,
    can: ActionNames,
    key: &'a str,
    name: String,
    /// The relative URL of the object.
    href: String,
    preview: Option<SignedPreview<'a>>,
    curl: String,
}

/// A preview, and the presigned URL of the object.
struct SignedPreview<'a> {
    kind: PreviewKind,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "delete.html")]
struct DeleteConfirmation {
    shell: PageShell,
    key: String,
    /// The relative URL of the folder that contains the object.
    folder: String,
}

/// Returns the page of an object, with a preview if one is available. `s3` is the origin of the bucket.
pub fn object_page(
    request: &ApiRequest,
    key: &ObjectKey,
    preview: Option<(PreviewKind, &Instruction)>,
    actions: &PageActions,
    s3: &str,
) -> ApiResponse {
    let template = ObjectView {
        shell: PageShell::of_key(request, "object", key.as_str(), actions.sign_in.clone()),
        can: ActionNames::new(actions),
        key: key.as_str(),
        name: escape_invisible(file_name(key)),
        href: format!("{}{}", root_url(request), to_relative(key.as_str())),
        preview: preview.map(|(kind, instruction)| SignedPreview {
            kind,
            url: instruction.url.expose(),
        }),
        curl: format!("curl -fL -O '{}'", request.url()),
    };
    html_page(StatusCode::OK, &template, &script_directives(s3))
}

/// Returns the page on which the user confirms the deletion of an object.
pub fn delete_page(request: &ApiRequest, key: &ObjectKey, actions: &PageActions) -> ApiResponse {
    let template = DeleteConfirmation {
        shell: PageShell::of_key(request, "delete", key.as_str(), actions.sign_in.clone()),
        key: escape_invisible(key.as_str()),
        folder: folder_url(request, key),
    };
    html_page(StatusCode::OK, &template, "img-src 'self'; form-action 'self'")
}

/// Redirects to the folder that contained a deleted object. After a form, a browser follows status 303 with GET.
pub fn deleted(request: &ApiRequest, key: &ObjectKey) -> ApiResponse {
    let mut response = with_body(StatusCode::SEE_OTHER, TEXT, "The file is deleted.\n");
    set_header(&mut response, header::LOCATION, &folder_url(request, key));
    response
}

fn file_name(key: &ObjectKey) -> &str {
    key.as_str().rsplit('/').next().unwrap_or_default()
}

fn folder_url(request: &ApiRequest, key: &ObjectKey) -> String {
    let folder = key.as_str().strip_suffix(file_name(key)).unwrap_or_default();
    format!("{}{}", root_url(request), to_relative(folder))
}
