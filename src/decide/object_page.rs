//! The page of an object, and the page that deletes an object.

use http::Method;

use super::authorize::presign;
use super::caller::CallerContext;
use super::page_actions::PageActions;
use super::preview::PreviewKind;
use super::rejected_request::RejectedRequest;
use crate::auth::session::check_same_origin;
use crate::key::ObjectKey;
use crate::operation::{ObjectPage, Operation};
use crate::plan::{ObjectLocation, PresignPlan};
use crate::rejection::Rejection;
use crate::request::{ObjectRequest, Pairs, ResponseFormat, bad_value};

/// The response to a request for a page about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectPageDecision {
    /// Show the object.
    Show {
        /// The preview and the plan for its content, if the file extension has a preview.
        preview: Option<(PreviewKind, PresignPlan<ObjectLocation>)>,
        /// The public key.
        key: ObjectKey,
        /// The actions to offer.
        actions: PageActions,
    },
    /// Ask the user to confirm the deletion.
    ConfirmDelete {
        /// The public key.
        key: ObjectKey,
        /// The actions to offer.
        actions: PageActions,
    },
    /// Delete the object, and redirect to its folder.
    Delete(PresignPlan<ObjectLocation>),
}

/// The page of `key` that the caller requests.
pub(super) fn decide(
    caller: &CallerContext<'_>,
    page: ObjectPage,
    key: &ObjectKey,
) -> Result<ObjectPageDecision, RejectedRequest> {
    let request = caller.request;
    check_query(page, &request.query)?;
    check_method(page, &request.method)?;
    let is_post = request.method == Method::POST.as_str();
    let operation = match page {
        ObjectPage::View => Operation::GetObject,
        ObjectPage::Delete => Operation::DeleteObject,
    };
    if is_post {
        check_same_origin(request)?;
    }
    let object_request = ObjectRequest::from_query(operation, key.clone(), ResponseFormat::Redirect, &Pairs::new())?;
    let plan = presign(caller, object_request)?;
    if is_post {
        return Ok(ObjectPageDecision::Delete(plan));
    }
    let actions = PageActions::for_object(caller, key)?;
    let key = key.clone();
    Ok(match page {
        ObjectPage::View => {
            let preview = PreviewKind::from_key(&key).map(|(kind, media_type)| (kind, kind.apply(plan, media_type)));
            ObjectPageDecision::Show { preview, key, actions }
        }
        ObjectPage::Delete => ObjectPageDecision::ConfirmDelete { key, actions },
    })
}

fn check_method(page: ObjectPage, method: &str) -> Result<(), Rejection> {
    let methods = page.methods();
    if methods.iter().any(|supported| *supported == method) {
        return Ok(());
    }
    let allow = methods.into_iter().chain([Method::OPTIONS]).collect();
    Err(Rejection::MethodNotAllowed { allow })
}

fn check_query(page: ObjectPage, query: &Pairs) -> Result<(), Rejection> {
    for (index, (name, value)) in query.iter().enumerate() {
        if !page.parameters().iter().any(|parameter| parameter.matches(name)) {
            return Err(Rejection::UnknownParameter {
                name: name.clone(),
                operation: page.name(),
                allowed: page.parameters(),
            });
        }
        if index > 0 {
            return Err(Rejection::RepeatedParameter { name: name.clone() });
        }
        if !value.is_empty() {
            return Err(bad_value(name, "must not have a value"));
        }
    }
    Ok(())
}
