//! Pages for people. Every one works without script, and nothing that a name can hold becomes markup: the templates escape,
//! links begin with `./` or `../`, and the policy lets no script run but the one that is compiled in.

mod listing;
mod object;
mod text;

use askama::Template;
use http::{HeaderValue, StatusCode, header};

use super::assets;
use super::sign_in::login_url;
use super::{ApiResponse, HTML, answer};
use crate::decide::{PageActions, SignInState};
use crate::key::{decode_path, to_relative};
use crate::request::ApiRequest;
pub(super) use listing::listing_page;
pub use object::{delete_page, deleted, object_page};
pub(super) use text::visible;

/// What every page has.
pub(super) struct Shell {
    /// What kind of page it is, for the script.
    pub(super) page: &'static str,
    pub(super) title: String,
    /// The relative URL of Signpost's root.
    pub(super) api: String,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
    pub(super) login: Option<String>,
    pub(super) signed_in: bool,
}

/// A step of the way to where the page is.
pub(super) struct Crumb {
    pub(super) href: String,
    pub(super) name: String,
}

/// What a page may offer, by the names that the script reads.
struct Can(Vec<&'static str>);

impl Shell {
    /// The shell of a page about `key`, or about a prefix.
    fn new(request: &ApiRequest, page: &'static str, key: &str, account: SignInState) -> Self {
        let api = root(request);
        let mut crumbs = vec![Crumb {
            href: api.clone(),
            name: "files".into(),
        }];
        let mut end = 0;
        for segment in key.split_inclusive('/') {
            end += segment.len();
            crumbs.push(Crumb {
                href: format!("{api}{}", to_relative(&key[..end])),
                name: visible(segment),
            });
        }
        let title = if key.is_empty() {
            "files".to_owned()
        } else {
            visible(key)
        };
        let login = login_url(request, &here(request));
        Self {
            page,
            title: format!("{title} – Signpost"),
            crumbs,
            style: assets::name("style"),
            script: assets::name("script"),
            icon: assets::name("icon"),
            login: (account != SignInState::Disabled).then_some(login),
            signed_in: account == SignInState::SignedIn,
            api,
        }
    }

    /// The shell of a page that is about no key.
    pub(super) fn plain(request: &ApiRequest, page: &'static str, title: &str) -> Self {
        Self {
            title: format!("{title} – Signpost"),
            ..Self::new(request, page, "", SignInState::Disabled)
        }
    }
}

impl Can {
    fn of(actions: &PageActions) -> Self {
        let names = actions.can.iter().map(|action| action.name());
        Self(names.chain(actions.share.then_some("share")).collect())
    }

    fn has(&self, what: &str) -> bool {
        self.0.contains(&what)
    }
}

impl std::fmt::Display for Can {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// The relative URL of the root, as many steps up as the path has below it. A browser counts the slashes of the path as it
/// was sent, where an escaped one is none.
pub(super) fn root(request: &ApiRequest) -> String {
    let below = request.path.strip_prefix('/').unwrap_or(&request.path);
    match below.matches('/').count() {
        0 => "./".to_owned(),
        steps => "../".repeat(steps),
    }
}

/// The path of this page below the root, to come back to.
fn here(request: &ApiRequest) -> String {
    let path = decode_path(&request.path, request.encoding).unwrap_or_default();
    format!("/{}", to_relative(&path))
}

/// A page, which may load the two assets of ours, and of S3's origin what `more` says.
pub(super) fn page(status: StatusCode, template: &impl Template, more: &str) -> ApiResponse {
    let body = template.render().expect("a String takes every write");
    let mut response = answer(status, HTML, body);
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; {more}"
    );
    let policy = HeaderValue::try_from(policy).expect("origins are visible ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// What a page with the script may do: ask Signpost and S3, and show what is there.
fn scripted(s3: &str) -> String {
    format!(
        "script-src 'self'; connect-src 'self' {s3}; img-src 'self' {s3}; media-src {s3}; frame-src {s3}; object-src {s3}; \
         form-action 'self' {s3}"
    )
}
