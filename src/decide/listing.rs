//! Listings: `GET /{prefix}/` and `GET /{prefix}/?uploads`.

use super::{Caller, Known, Offers, Refused};
use crate::auth::{Principal, cursor};
use crate::key::{ObjectKey, RESERVED};
use crate::operation::{Action, Listing};
use crate::plan::{ListPlan, Marker, Page};
use crate::policy::{GrantScope, ListAccess, Policy};
use crate::rejection::Rejection;
use crate::request::{ListForm, ListRequest, Order, Pairs, Sort, bad_value};

/// A listing that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What to ask S3 for; nothing where the rules alone tell which folders there are.
    pub plan: Option<ListPlan>,
    /// What of it to show.
    pub view: View,
}

/// What a caller sees of a page, and how it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What was asked for.
    pub wanted: ListRequest,
    /// Who asks.
    pub principal: Principal,
    /// What a page may offer.
    pub offers: Offers,
    /// The folders that lead to where the caller may list.
    ways: Vec<String>,
}

/// The listing of `prefix`, if the rules let its caller see anything there.
pub(super) fn decide(caller: &Caller<'_>, prefix: Option<&ObjectKey>) -> Result<List, Refused> {
    let request = caller.request;
    // A link lends single objects: their names are for its maker to tell.
    if request.query.iter().any(|(name, _)| name == "share") {
        return Err(Rejection::NotLent.into());
    }
    let wanted = ListRequest::parse(request, prefix)?;
    let mut known = Known::of_listing(&wanted);
    granted(caller, wanted, &mut known).map_err(|rejection| Refused {
        rejection,
        known: Box::new(known),
    })
}

fn granted(caller: &Caller<'_>, wanted: ListRequest, known: &mut Known) -> Result<List, Rejection> {
    let principal = caller.principal.as_ref().map_err(Clone::clone)?;
    known.user_id = Some(principal.user_id().to_owned());
    let action = wanted.listing.action();
    let (plan, ways) = match (
        caller.policy.list_access(principal, action, &wanted.prefix)?,
        wanted.listing,
    ) {
        (ListAccess::Full(grant), _) => {
            let scope = grant.scope(principal);
            let cursor = wanted.next.as_deref().map(|next| open(caller.policy, &wanted, next));
            let cursor = cursor.transpose()?;
            let plan = plan(&wanted, cursor.as_deref(), scope, &caller.request.request_id)?;
            (Some(plan), Vec::new())
        }
        (ListAccess::Traverse(ways), Listing::Objects) => (None, ways.into_iter().collect()),
        (ListAccess::Traverse(_), Listing::Uploads) => return Err(Rejection::AccessDenied { action: action.name() }),
    };
    let offers = match wanted.form {
        ListForm::Html => Offers::of_prefix(caller, &wanted.prefix)?,
        ListForm::Json | ListForm::Text | ListForm::Names => Offers::default(),
    };
    Ok(List {
        plan,
        view: View {
            wanted,
            principal: principal.clone(),
            offers,
            ways,
        },
    })
}

/// What S3 calls the `next` that a client gives.
fn open(policy: &Policy, wanted: &ListRequest, next: &str) -> Result<String, Rejection> {
    let opened = cursor::decrypt(policy.cursor_keys(), &place(wanted), next);
    opened.ok_or_else(|| bad_value("next", UNKNOWN_NEXT))
}

/// The listing that a `next` belongs to.
fn place(wanted: &ListRequest) -> String {
    format!("{} {}", wanted.listing.name(), wanted.prefix)
}

fn plan(
    wanted: &ListRequest,
    cursor: Option<&str>,
    scope: GrantScope,
    request_id: &str,
) -> Result<ListPlan, Rejection> {
    let mut query = Pairs::new();
    let mut say = |name: &str, value: &str| query.push((name.to_owned(), value.to_owned()));
    match wanted.listing {
        Listing::Objects => {
            say("list-type", "2");
            say("max-keys", &wanted.max_keys.to_string());
            if !wanted.recursive {
                say("delimiter", "/");
            }
            if let Some(next) = cursor {
                say("continuation-token", next);
            }
        }
        Listing::Uploads => {
            say("uploads", "");
            say("max-uploads", &wanted.max_keys.to_string());
            if let Some(next) = cursor {
                let marker = Marker::read(next).ok_or_else(|| bad_value("next", UNKNOWN_NEXT))?;
                say("key-marker", &marker.key);
                if let Some(id) = &marker.upload_id {
                    say("upload-id-marker", id);
                }
            }
        }
    }
    // XML can't hold every key.
    say("encoding-type", "url");
    if !wanted.prefix.is_empty() {
        say("prefix", &wanted.prefix);
    }
    say("x-signpost", &format!("{request_id}.{}.{}", scope.user_id, scope.rule));
    Ok(ListPlan {
        listing: wanted.listing,
        query,
        scope: match wanted.listing {
            Listing::Objects => scope,
            Listing::Uploads => scope.for_pending_uploads(),
        },
    })
}

const UNKNOWN_NEXT: &str = "is no `next` of a listing of ours";

impl List {
    /// Refuses a `next` that S3 does not know, if the client gave one.
    pub fn unknown_next(&self) -> Option<Refused> {
        let View { wanted, principal, .. } = &self.view;
        wanted.next.as_ref().map(|_| Refused {
            rejection: bad_value("next", UNKNOWN_NEXT),
            known: Box::new(Known {
                user_id: Some(principal.user_id().to_owned()),
                ..Known::of_listing(wanted)
            }),
        })
    }
}

impl View {
    /// What the caller sees of `page`: what the rules let it list, what its path can name, and what it asked for.
    pub fn show(&self, policy: &Policy, mut page: Page) -> Page {
        page.folders.extend(self.ways.iter().cloned());
        page.folders
            .retain(|folder| self.finds(folder) && !policy.denies_below(&self.principal, Action::List, folder));
        // An object whose key ends in a slash only marks a folder: its path is that of the listing.
        page.objects
            .retain(|object| self.finds(&object.key) && !object.key.ends_with('/') && self.may(policy, &object.key));
        page.uploads
            .retain(|upload| self.finds(&upload.key) && self.may(policy, &upload.key));
        page.next = page
            .next
            .and_then(|next| cursor::encrypt(policy.cursor_keys(), &place(&self.wanted), &next));
        self.sort(&mut page);
        page
    }

    /// The name of a key on this page.
    pub fn name<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.wanted.prefix).unwrap_or(key)
    }

    fn may(&self, policy: &Policy, key: &str) -> bool {
        policy.allows(&self.principal, self.wanted.listing.action(), key)
    }

    fn finds(&self, key: &str) -> bool {
        let name = self.name(key);
        let asked = self.wanted.q.as_ref().is_none_or(|q| name.to_lowercase().contains(q));
        asked && !name.is_empty() && !key.starts_with(RESERVED)
    }

    /// S3 sorts by name; so do folders, which have neither size nor time.
    fn sort(&self, page: &mut Page) {
        let ListRequest { sort, order, .. } = self.wanted;
        page.folders.sort();
        match sort {
            Sort::Name => page.objects.sort_by(|a, b| a.key.cmp(&b.key)),
            Sort::Size => page.objects.sort_by_key(|object| object.size),
            Sort::Modified => page.objects.sort_by_key(|object| object.modified),
        }
        if order == Order::Descending {
            page.objects.reverse();
            if sort == Sort::Name {
                page.folders.reverse();
            }
        }
    }
}
