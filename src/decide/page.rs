//! Pages for people: what they may offer their reader, the page of an object, and the one that deletes it.

use http::Method;

use super::{Caller, Refused, instruct};
use crate::auth::Principal;
use crate::auth::session::check_same_origin;
use crate::key::ObjectKey;
use crate::operation::{Action, ObjectPage, Operation};
use crate::plan::{Kept, PresignPlan};
use crate::policy::ListAccess;
use crate::rejection::Rejection;
use crate::request::{Form, ObjectRequest, Pairs, bad_value};

/// What a page may offer its reader. A hint: each thing is decided again when it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// What the rules let the reader do there.
    pub can: Vec<Action>,
    /// Whether the reader may make share links.
    pub share: bool,
    /// Whether one can sign in here, and whether the reader has.
    pub account: Account,
}

/// How the reader of a page stands to signing in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// There is no way to sign in.
    #[default]
    Off,
    /// Nobody is signed in.
    Nobody,
    /// Somebody is.
    Somebody,
}

/// A page about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfObject {
    /// Show it.
    Show {
        /// How to get at its content within the page, if that can be shown.
        preview: Option<(Preview, PresignPlan<Kept>)>,
        /// The key.
        key: ObjectKey,
        /// What to offer.
        offers: Offers,
    },
    /// Ask whether to delete it.
    AskToDelete {
        /// The key.
        key: ObjectKey,
        /// What to offer.
        offers: Offers,
    },
    /// Delete it, and go to its folder.
    Delete(PresignPlan<Kept>),
}

/// How the content of an object is shown, by the ending of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// As an image, in which no script runs.
    Image,
    /// As audio.
    Audio,
    /// As video.
    Video,
    /// As a document that the browser itself knows.
    Document,
    /// As plain text.
    Text,
}

/// The endings that are shown, the kind of preview, and the media type that S3 is to tell.
const SHOWN: &[(&str, Preview, &str)] = &[
    ("avif", Preview::Image, "image/avif"),
    ("bmp", Preview::Image, "image/bmp"),
    ("gif", Preview::Image, "image/gif"),
    ("ico", Preview::Image, "image/x-icon"),
    ("jpeg", Preview::Image, "image/jpeg"),
    ("jpg", Preview::Image, "image/jpeg"),
    ("png", Preview::Image, "image/png"),
    ("svg", Preview::Image, "image/svg+xml"),
    ("webp", Preview::Image, "image/webp"),
    ("aac", Preview::Audio, "audio/aac"),
    ("flac", Preview::Audio, "audio/flac"),
    ("m4a", Preview::Audio, "audio/mp4"),
    ("mp3", Preview::Audio, "audio/mpeg"),
    ("oga", Preview::Audio, "audio/ogg"),
    ("ogg", Preview::Audio, "audio/ogg"),
    ("opus", Preview::Audio, "audio/ogg"),
    ("wav", Preview::Audio, "audio/wav"),
    ("m4v", Preview::Video, "video/mp4"),
    ("mov", Preview::Video, "video/quicktime"),
    ("mp4", Preview::Video, "video/mp4"),
    ("ogv", Preview::Video, "video/ogg"),
    ("webm", Preview::Video, "video/webm"),
    ("pdf", Preview::Document, "application/pdf"),
    ("conf", Preview::Text, TEXT),
    ("css", Preview::Text, TEXT),
    ("csv", Preview::Text, TEXT),
    ("go", Preview::Text, TEXT),
    ("ini", Preview::Text, TEXT),
    ("js", Preview::Text, TEXT),
    ("json", Preview::Text, TEXT),
    ("log", Preview::Text, TEXT),
    ("md", Preview::Text, TEXT),
    ("py", Preview::Text, TEXT),
    ("rs", Preview::Text, TEXT),
    ("sh", Preview::Text, TEXT),
    ("toml", Preview::Text, TEXT),
    ("ts", Preview::Text, TEXT),
    ("tsv", Preview::Text, TEXT),
    ("txt", Preview::Text, TEXT),
    ("xml", Preview::Text, TEXT),
    ("yaml", Preview::Text, TEXT),
    ("yml", Preview::Text, TEXT),
];

const TEXT: &str = "text/plain; charset=utf-8";

/// The page of `key` that the query of the caller's request asks for.
pub(super) fn decide(caller: &Caller<'_>, page: ObjectPage, key: &ObjectKey) -> Result<OfObject, Refused> {
    let request = caller.request;
    check_query(page, &request.query)?;
    let methods = page.methods();
    if !methods.iter().any(|method| *method == request.method.as_str()) {
        let allow = methods.into_iter().chain([Method::OPTIONS]).collect();
        return Err(Rejection::MethodNotAllowed { allow }.into());
    }
    let key = key.clone();
    let preview_wanted = page == ObjectPage::View;
    let operation = if preview_wanted {
        Operation::GetObject
    } else {
        Operation::DeleteObject
    };
    if request.method == Method::POST.as_str() {
        check_same_origin(request)?;
    }
    let plan = instruct(caller, wanted(operation, key.clone())?)?;
    if request.method == Method::POST.as_str() {
        return Ok(OfObject::Delete(plan));
    }
    let offers = Offers::of_object(caller, &key)?;
    Ok(if preview_wanted {
        let preview = Preview::of(&key).map(|(preview, media_type)| (preview, preview.plan(plan, media_type)));
        OfObject::Show { preview, key, offers }
    } else {
        OfObject::AskToDelete { key, offers }
    })
}

fn check_query(page: ObjectPage, query: &Pairs) -> Result<(), Rejection> {
    for (index, (name, value)) in query.iter().enumerate() {
        if !page.parameters().iter().any(|parameter| parameter.name == name) {
            return Err(Rejection::UnknownParameter {
                name: name.clone(),
                operation: page.name(),
                takes: page.parameters(),
            });
        }
        if index > 0 {
            return Err(Rejection::ConflictingParameter { name: name.clone() });
        }
        if !value.is_empty() {
            return Err(bad_value(name, "takes no value"));
        }
    }
    Ok(())
}

fn wanted(operation: Operation, key: ObjectKey) -> Result<ObjectRequest, Rejection> {
    ObjectRequest::described(operation, key, Form::Redirect, &Pairs::new())
}

impl Preview {
    fn of(key: &ObjectKey) -> Option<(Self, &'static str)> {
        let (_, ending) = key.as_str().rsplit_once('.')?;
        let shown = SHOWN.iter().find(|(known, ..)| known.eq_ignore_ascii_case(ending))?;
        Some((shown.1, shown.2))
    }

    /// Has S3 tell the media type of the ending, none of which lets a script run where it is shown: an SVG stays an
    /// attachment, which images may be and documents may not.
    fn plan(self, mut plan: PresignPlan<Kept>, media_type: &str) -> PresignPlan<Kept> {
        plan.query.push(("response-content-type".into(), media_type.into()));
        if matches!(self, Self::Document | Self::Text) {
            plan.query.retain(|(name, _)| name != "response-content-disposition");
            plan.query
                .push(("response-content-disposition".into(), "inline".into()));
        }
        plan
    }
}

impl Offers {
    /// What the caller may do below `prefix`.
    pub(super) fn of_prefix(caller: &Caller<'_>, prefix: &str) -> Result<Self, Rejection> {
        let policy = caller.policy;
        Self::of(caller, |principal, action| {
            match policy.list_access(principal, action, prefix) {
                Ok(ListAccess::Full(grant)) => Some(grant.constraints.share.contains(&action)),
                Ok(ListAccess::Traverse(_)) | Err(_) => None,
            }
        })
    }

    /// What the caller may do with `key`.
    fn of_object(caller: &Caller<'_>, key: &ObjectKey) -> Result<Self, Rejection> {
        let policy = caller.policy;
        Self::of(caller, |principal, action| {
            let grant = policy.decide(principal, action, key).ok()?;
            Some(grant.constraints.share.contains(&action))
        })
    }

    /// `granted` tells of an action whether it is, and whether it may be lent.
    fn of(caller: &Caller<'_>, granted: impl Fn(&Principal, Action) -> Option<bool>) -> Result<Self, Rejection> {
        let principal = caller.principal.as_ref().map_err(Clone::clone)?;
        let known = &caller.policy.authenticators;
        let may = |action: &Action| granted(principal, *action).is_some();
        let lendable = granted(principal, Action::Read) == Some(true);
        Ok(Self {
            can: [Action::List, Action::Read, Action::Write, Action::Delete]
                .into_iter()
                .filter(may)
                .collect(),
            share: lendable && !known.keys.is_empty() && principal.user().is_some(),
            account: match (known.sign_in_method(), principal) {
                (None, _) => Account::Off,
                (Some(_), Principal::Anonymous) => Account::Nobody,
                (Some(_), Principal::User(_)) => Account::Somebody,
            },
        })
    }
}
