//! Listings: `GET /{prefix}/` and `GET /{prefix}/?uploads`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::caller::CallerContext;
use super::page_actions::PageActions;
use super::rejected_request::{RejectedRequest, RejectionContext};
use crate::auth::{Principal, cursor};
use crate::key::{ObjectKey, RESERVED};
use crate::mount::Mount;
use crate::operation::{Action, Listing};
use crate::plan::{AUDIT, ListingPage, ListingPlan};
use crate::policy::{Grant, GrantScope, ListAccess, Policy};
use crate::rejection::{ListingProblem, Rejection};
use crate::request::{ListingFormat, ListingRequest, SortColumn, SortOrder, bad_value};

/// A listing to return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingDecision {
    /// The request to S3. `None` if the folders follow from the rules alone.
    pub plan: Option<ListingPlan>,
    /// The part that the caller may see.
    pub view: ListingView,
}

/// The part of a page that a caller may see, and its presentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingView {
    /// The request.
    pub request: ListingRequest,
    /// The caller.
    pub principal: Principal,
    /// The actions that a page offers.
    pub actions: PageActions,
    /// The mount of the prefix. `None` if the service has no bucket for it.
    pub mount: Option<Arc<Mount>>,
    /// True if the caller may list the prefix, or folders below it. Otherwise the caller may only upload.
    pub is_listed: bool,
    /// The folders on the way to prefixes that the caller may list, if S3 is not called, and those that lead to other mounts.
    folders: BTreeSet<String>,
    /// The folders on the way to prefixes to which the caller may upload.
    upload_folders: Vec<String>,
}

/// The part of a prefix that a page shows to a caller.
struct VisiblePart<'a> {
    /// The grant to list the whole prefix.
    grant: Option<Grant<'a>>,
    /// True if the caller may list the prefix, or folders below it.
    is_listed: bool,
    folders: Vec<String>,
    upload_folders: Vec<String>,
}

/// The listing of `prefix`, if the rules allow the caller to see anything there.
pub(super) fn decide(
    caller: &CallerContext<'_>,
    listing: Listing,
    prefix: Option<&ObjectKey>,
) -> Result<ListingDecision, RejectedRequest> {
    let request = caller.request;
    // A share link grants access to single objects. Its creator passes on their names.
    if request.query.iter().any(|(name, _)| name == "share") {
        return Err(Rejection::LinkForObjects.into());
    }
    let listing_request = ListingRequest::parse(request, listing, prefix)?;
    let mut context = RejectionContext::from_listing_request(&listing_request);
    check_rules(caller, listing_request, &mut context).map_err(|rejection| RejectedRequest {
        rejection,
        context: Box::new(context),
    })
}

fn check_rules(
    caller: &CallerContext<'_>,
    request: ListingRequest,
    context: &mut RejectionContext,
) -> Result<ListingDecision, Rejection> {
    let principal = caller.principal()?;
    context.user_id = Some(principal.user_id().to_owned());
    let VisiblePart {
        grant,
        is_listed,
        folders: traversed,
        upload_folders,
    } = visible_part(caller.policy, principal, &request).inspect_err(|_| {
        let mut actions = request.listing.actions().iter();
        let denying = actions.find_map(|action| caller.policy.denying_rule_below(principal, *action, &request.prefix));
        context.rule = denying.map(str::to_owned);
    })?;
    let mounts = &caller.policy.mounts;
    let mount = mounts.find(&request.prefix).cloned();
    let plan = grant.zip(mount.as_ref()).map(|(grant, mount)| {
        let scope = grant.scope(principal, mounts, mount);
        plan_for_grant(caller, &request, scope)
    });
    let plan = plan.transpose()?;
    let has_bucket = |folder: &String| mounts.has_keys_below(folder);
    let mut folders = mount_folders(caller.policy, principal, &request);
    folders.extend(traversed.into_iter().filter(has_bucket));
    let upload_folders: Vec<_> = upload_folders.into_iter().filter(has_bucket).collect();
    if mount.is_none() && folders.is_empty() && upload_folders.is_empty() {
        return Err(Rejection::NoMount);
    }
    let actions = match request.format {
        ListingFormat::Page => PageActions::for_prefix(caller, &request.prefix)?,
        ListingFormat::Index | ListingFormat::Json | ListingFormat::Text | ListingFormat::Names => {
            PageActions::default()
        }
    };
    Ok(ListingDecision {
        plan,
        view: ListingView {
            request,
            principal: principal.clone(),
            actions,
            mount,
            is_listed,
            folders,
            upload_folders,
        },
    })
}

/// The folders that lead to the mounts below the listed prefix, if the caller may list anything there. A recursive listing
/// contains the mounts themselves.
fn mount_folders(policy: &Policy, principal: &Principal, request: &ListingRequest) -> BTreeSet<String> {
    if request.listing == Listing::Uploads {
        return BTreeSet::new();
    }
    let prefix = &request.prefix;
    let mounts = policy.mounts.directly_below(prefix);
    let accessible = mounts.filter(|mount| policy.list_access(principal, Action::List, &mount.at).is_ok());
    let folder = |mount: &Mount| {
        let end = mount.at[prefix.len()..]
            .find('/')
            .map_or(mount.at.len(), |end| prefix.len() + end + 1);
        mount.at[..if request.recursive { mount.at.len() } else { end }].to_owned()
    };
    accessible.map(folder).collect()
}

/// The part of the prefix that the caller may see. A page also shows where the caller may upload, because a form or a link on
/// it is the only way of a browser to an upload.
fn visible_part<'a>(
    policy: &'a Policy,
    principal: &Principal,
    request: &ListingRequest,
) -> Result<VisiblePart<'a>, Rejection> {
    let listed = list_access(policy, principal, request);
    let uploads = match request.format {
        ListingFormat::Page => policy.list_access(principal, Action::Write, &request.prefix).ok(),
        ListingFormat::Index | ListingFormat::Json | ListingFormat::Text | ListingFormat::Names => None,
    };
    let is_listed = listed.is_ok();
    let (grant, folders) = match (listed, &uploads, request.listing) {
        (Ok(ListAccess::Full(grant)), ..) => (Some(grant), Vec::new()),
        (Ok(ListAccess::Traverse(ways)), _, Listing::Objects) => (None, ways.into_iter().collect()),
        (Err(_), Some(_), Listing::Objects) => (None, Vec::new()),
        (Ok(ListAccess::Traverse(_)), _, Listing::Uploads) => {
            return Err(Rejection::AccessDenied {
                action: Action::Write.name(),
            });
        }
        (Err(rejection), ..) => return Err(rejection),
    };
    let upload_folders = match uploads {
        Some(ListAccess::Traverse(ways)) if grant.is_none() => ways.into_iter().collect(),
        Some(ListAccess::Traverse(_) | ListAccess::Full(_)) | None => Vec::new(),
    };
    Ok(VisiblePart {
        grant,
        is_listed,
        folders,
        upload_folders,
    })
}

fn plan_for_grant(
    caller: &CallerContext<'_>,
    request: &ListingRequest,
    scope: GrantScope,
) -> Result<ListingPlan, Rejection> {
    let plan = plan(request, scope, &caller.request.request_id);
    let cursor = request
        .next
        .as_deref()
        .map(|next| decrypt_cursor(caller.policy, (request, &plan.scope.mount), next));
    match cursor.transpose()? {
        Some(cursor) => plan.at_cursor(&cursor).ok_or_else(|| bad_value("next", UNKNOWN_NEXT)),
        None => Ok(plan),
    }
}

/// The part of the prefix for which the rules allow the caller all actions of the listing.
fn list_access<'a>(
    policy: &'a Policy,
    principal: &Principal,
    request: &ListingRequest,
) -> Result<ListAccess<'a>, Rejection> {
    let [action, others @ ..] = request.listing.actions() else {
        unreachable!("every listing requires an action")
    };
    let access = policy.list_access(principal, *action, &request.prefix)?;
    for action in others {
        if let ListAccess::Traverse(_) = policy.list_access(principal, *action, &request.prefix)? {
            return Err(Rejection::AccessDenied { action: action.name() });
        }
    }
    Ok(access)
}

/// Decrypts the `next` of a client to the cursor of S3.
fn decrypt_cursor(
    policy: &Policy,
    (request, mount): (&ListingRequest, &Mount),
    next: &str,
) -> Result<String, Rejection> {
    let decrypted = cursor::decrypt(policy.cursor_keys(), &cursor_scope(request, mount), next);
    decrypted.ok_or_else(|| bad_value("next", UNKNOWN_NEXT))
}

/// The listing that a `next` is valid for.
fn cursor_scope(request: &ListingRequest, mount: &Mount) -> String {
    let scope = format!("{} {}", request.listing.name(), request.prefix);
    if mount.is_root() {
        return scope;
    }
    // No prefix contains a line break.
    format!("{scope}\n{}", mount.location())
}

fn plan(request: &ListingRequest, scope: GrantScope, request_id: &str) -> ListingPlan {
    let mut query = match request.listing {
        Listing::Objects => vec![pair("list-type", "2")],
        Listing::Uploads => vec![pair("uploads", "")],
    };
    if request.listing == Listing::Objects && !request.recursive {
        query.push(pair("delimiter", "/"));
    }
    // XML cannot represent every key.
    query.push(pair("encoding-type", "url"));
    let prefix = scope.mount.storage_key(&request.prefix);
    if !prefix.is_empty() {
        query.push(pair("prefix", &prefix));
    }
    let audit = format!("{request_id}.{}.{}", scope.user_id, scope.rule);
    query.push(pair(AUDIT, &audit));
    let plan = ListingPlan {
        listing: request.listing,
        query,
        scope: match request.listing {
            Listing::Objects => scope,
            Listing::Uploads => scope.for_pending_uploads(),
        },
    };
    plan.with_max_keys(request.max_keys)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

const UNKNOWN_NEXT: &str = "is not the `next` of a listing of this service";

impl ListingDecision {
    /// The rejection if S3 does not accept the cursor. `None` if the client sent no `next`.
    pub fn invalid_cursor(&self) -> Option<RejectedRequest> {
        let next = self.view.request.next.as_ref();
        next.map(|_| self.rejected(bad_value("next", UNKNOWN_NEXT)))
    }

    /// The rejection if the listing must be complete, but cannot be.
    pub fn too_large(&self, problem: ListingProblem) -> RejectedRequest {
        self.rejected(Rejection::ListingTooLarge { problem })
    }

    /// The rejection of a listing for which a plan exists already.
    pub fn rejected(&self, rejection: Rejection) -> RejectedRequest {
        let ListingView { request, principal, .. } = &self.view;
        RejectedRequest {
            rejection,
            context: Box::new(RejectionContext {
                user_id: Some(principal.user_id().to_owned()),
                rule: self.plan.as_ref().map(|plan| plan.scope.rule.clone()),
                ..RejectionContext::from_listing_request(request)
            }),
        }
    }
}

impl ListingView {
    /// Replaces storage keys by public keys. Removes the entries that the caller may not list, that no path can name, that
    /// another mount hides, or that the request excludes. Adds the folders of mounts to the page if it is the first one.
    pub fn filter(&self, policy: &Policy, page: ListingPage, is_first: bool) -> ListingPage {
        let mut page = self.with_public_keys(policy, page);
        page.folders.retain(|folder| !self.folders.contains(folder));
        if is_first {
            page.folders.extend(self.folders.iter().cloned());
        }
        page.folders
            .retain(|folder| self.includes(folder) && !policy.denies_below(&self.principal, Action::List, folder));
        let listed: Vec<_> = page.folders.clone();
        let is_new = |folder: &&String| self.includes(folder) && !listed.contains(folder);
        page.folders.extend(self.upload_folders.iter().filter(is_new).cloned());
        // An object with a key that ends in a slash only marks a folder: its path is the path of the listing.
        page.objects.retain(|object| {
            self.includes(&object.key) && !object.key.ends_with('/') && self.may_list(policy, &object.key)
        });
        page.uploads
            .retain(|upload| self.includes(&upload.key) && self.may_list(policy, &upload.key));
        page.next = page.next.zip(self.mount.as_ref()).and_then(|(next, mount)| {
            cursor::encrypt(policy.cursor_keys(), &cursor_scope(&self.request, mount), &next)
        });
        self.sort(&mut page);
        page
    }

    /// Replaces storage keys by public keys, and removes the entries that another mount hides.
    fn with_public_keys(&self, policy: &Policy, mut page: ListingPage) -> ListingPage {
        let mounts = &policy.mounts;
        let Some(mount) = self.mount.as_ref().filter(|_| !mounts.is_empty()) else {
            return page;
        };
        let publish = |key: &mut String| {
            let public = mount.plain_key(key).filter(|public| mounts.contains(mount, public));
            public.is_some_and(|public| {
                *key = public;
                true
            })
        };
        page.folders.retain_mut(publish);
        page.objects.retain_mut(|object| publish(&mut object.key));
        page.uploads.retain_mut(|upload| publish(&mut upload.key));
        page
    }

    /// The key without the prefix of the listing.
    pub fn name<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.request.prefix).unwrap_or(key)
    }

    fn may_list(&self, policy: &Policy, key: &str) -> bool {
        let mut actions = self.request.listing.actions().iter();
        actions.all(|action| policy.allows(&self.principal, *action, key))
    }

    fn includes(&self, key: &str) -> bool {
        let name = self.name(key);
        let search = self.request.search.as_ref();
        let is_found = search.is_none_or(|text| name.to_lowercase().contains(text));
        is_found && !name.is_empty() && !key.starts_with(RESERVED)
    }

    /// Sorts the entries. S3 returns them sorted by name. Folders are always sorted by name: they have no size and no time.
    pub fn sort(&self, page: &mut ListingPage) {
        let ListingRequest { sort, order, .. } = self.request;
        page.folders.sort();
        match sort {
            SortColumn::Name => page.objects.sort_by(|a, b| a.key.cmp(&b.key)),
            SortColumn::Size => page.objects.sort_by_key(|object| object.size),
            SortColumn::Modified => page.objects.sort_by_key(|object| object.modified),
        }
        if order == SortOrder::Descending {
            page.objects.reverse();
            if sort == SortColumn::Name {
                page.folders.reverse();
            }
        }
    }
}
