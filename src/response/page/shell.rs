//! The parts that all pages have: the title, the breadcrumbs, the assets, and the content security policy.

use askama::Template;
use http::{HeaderValue, StatusCode, header};

use crate::decide::SignInState;
use crate::encoding::escape_invisible;
use crate::key::to_relative;
use crate::request::ApiRequest;
use crate::response::assets::asset_segment;
use crate::response::http::{ApiResponse, HTML, with_body};
use crate::response::links::{login_url, page_path, root_url};

/// The values of the template that all pages extend.
pub(in crate::response) struct PageShell {
    /// The kind of page. The script reads it.
    pub(in crate::response) page: &'static str,
    pub(in crate::response) title: String,
    /// The relative URL of the root of the service.
    pub(in crate::response) api: String,
    pub(in crate::response) breadcrumbs: Vec<Breadcrumb>,
    pub(in crate::response) style: String,
    pub(in crate::response) script: String,
    pub(in crate::response) icon: String,
    pub(in crate::response) login: Option<String>,
    /// The name of the user, if the user is signed in.
    pub(in crate::response) user: Option<String>,
}

/// A link to the root, or to a folder that contains the page.
pub(in crate::response) struct Breadcrumb {
    pub(in crate::response) href: String,
    pub(in crate::response) name: String,
}

impl PageShell {
    /// The shell of a page about `key`, which may be a prefix.
    pub(super) fn of_key(request: &ApiRequest, page: &'static str, key: &str, account: SignInState) -> Self {
        let title = if key.is_empty() {
            "files".into()
        } else {
            escape_invisible(key)
        };
        let api = root_url(request);
        Self {
            page,
            title: format!("{title} – Signpost"),
            breadcrumbs: breadcrumbs(&api, key),
            style: asset_segment("style"),
            script: asset_segment("script"),
            icon: asset_segment("icon"),
            login: (account != SignInState::Disabled).then(|| login_url(request, &page_path(request))),
            user: match account {
                SignInState::Disabled | SignInState::SignedOut => None,
                SignInState::SignedIn { name } => Some(escape_invisible(&name)),
            },
            api,
        }
    }

    /// The shell of a page that is not about a key.
    pub(in crate::response) fn with_title(
        request: &ApiRequest,
        page: &'static str,
        title: &str,
        account: SignInState,
    ) -> Self {
        Self {
            title: format!("{title} – Signpost"),
            ..Self::of_key(request, page, "", account)
        }
    }
}

fn breadcrumbs(api: &str, key: &str) -> Vec<Breadcrumb> {
    let root = Breadcrumb {
        href: api.to_owned(),
        name: "files".into(),
    };
    let mut end = 0;
    let folders = key.split_inclusive('/').map(|segment| {
        end += segment.len();
        Breadcrumb {
            href: format!("{api}{}", to_relative(&key[..end])),
            name: escape_invisible(segment),
        }
    });
    std::iter::once(root).chain(folders).collect()
}

/// Returns an HTML page. Its content security policy allows the style sheet of the service, and `directives`.
pub(in crate::response) fn html_page(status: StatusCode, template: &impl Template, directives: &str) -> ApiResponse {
    let body = template.render().expect("writing to a String cannot fail");
    let mut response = with_body(status, HTML, body);
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; {directives}"
    );
    let policy = HeaderValue::try_from(policy).expect("origins are ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// The directives of a page with the script, which sends requests to the service and to S3, and shows objects. `s3` is
/// the origin of the bucket.
pub(super) fn script_directives(s3: &str) -> String {
    format!(
        "script-src 'self'; connect-src 'self' {s3}; img-src 'self' {s3}; media-src {s3}; frame-src {s3}; object-src {s3}; \
         form-action 'self' {s3}"
    )
}
