//! The page of an object, and the one that deletes it.

use askama::Template;
use http::{StatusCode, header};

use super::{Can, Shell, page, root, scripted, visible};
use crate::decide::{PageActions, PreviewKind};
use crate::key::{ObjectKey, to_relative};
use crate::plan::Instruction;
use crate::request::ApiRequest;
use crate::response::{ApiResponse, TEXT, answer, set};

#[derive(Template)]
#[template(path = "object.html")]
struct Object<'a> {
    shell: Shell,
    can: Can,
    key: &'a str,
    name: String,
    /// The relative URL of the object.
    href: String,
    preview: Option<Shown<'a>>,
    curl: String,
}

/// A preview, and the signed URL of what it shows.
struct Shown<'a> {
    preview: PreviewKind,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "delete.html")]
struct Delete {
    shell: Shell,
    key: String,
    /// The relative URL of the object's folder.
    folder: String,
}

/// Tells what can be done with an object, and shows it if there is a preview. `s3` is the origin of the bucket.
pub fn object_page(
    request: &ApiRequest,
    key: &ObjectKey,
    preview: Option<(PreviewKind, &Instruction)>,
    actions: &PageActions,
    s3: &str,
) -> ApiResponse {
    let template = Object {
        shell: Shell::new(request, "object", key.as_str(), actions.sign_in),
        can: Can::of(actions),
        key: key.as_str(),
        name: visible(name(key)),
        href: format!("{}{}", root(request), to_relative(key.as_str())),
        preview: preview.map(|(preview, instruction)| Shown {
            preview,
            url: instruction.url.expose(),
        }),
        curl: format!("curl -fL -O '{}'", request.url()),
    };
    page(StatusCode::OK, &template, &scripted(s3))
}

/// Asks whether to delete an object.
pub fn delete_page(request: &ApiRequest, key: &ObjectKey, actions: &PageActions) -> ApiResponse {
    let template = Delete {
        shell: Shell::new(request, "delete", key.as_str(), actions.sign_in),
        key: visible(key.as_str()),
        folder: folder(request, key),
    };
    page(StatusCode::OK, &template, "img-src 'self'; form-action 'self'")
}

/// Leads to the folder of an object that is gone. A browser that comes from a form gets there by GET.
pub fn deleted(request: &ApiRequest, key: &ObjectKey) -> ApiResponse {
    let mut response = answer(StatusCode::SEE_OTHER, TEXT, "Deleted.\n".into());
    set(&mut response, header::LOCATION, &folder(request, key));
    response
}

fn name(key: &ObjectKey) -> &str {
    key.as_str().rsplit('/').next().unwrap_or_default()
}

fn folder(request: &ApiRequest, key: &ObjectKey) -> String {
    let folder = key.as_str().strip_suffix(name(key)).unwrap_or_default();
    format!("{}{}", root(request), to_relative(folder))
}
