//! HTML forms that upload an object: `GET /{key}?form` and `GET /{prefix}/?form`.

use std::time::SystemTime;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::authorize::authorize;
use super::authorized_request::AuthorizedRequest;
use super::caller::CallerContext;
use super::generated_key::generate_id;
use super::page_actions::PageActions;
use super::plan_builder;
use super::rejected_request::RejectedRequest;
use crate::auth::Keyring;
use crate::auth::keyring::{Purpose, SignedToken};
use crate::key::ObjectKey;
use crate::mount::Mount;
use crate::operation::Operation;
use crate::plan::{ObjectLocation, PolicyCondition, PostFormKey, PostPolicyPlan};
use crate::policy::{Constraints, Policy};
use crate::rejection::{MAX_PUT_BYTES, Rejection};
use crate::request::{
    ApiRequest, BodyLength, ObjectRequest, Pairs, PostFormTarget, ResponseFormat, bad_value, check_names,
    check_signable, is_service_path, parse_length, preferred_type,
};

/// The rules are checked against a file with this name in the folder of a form.
const EXAMPLE_FILE: &str = "file";

/// The placeholder that S3 replaces with the name of the file.
const FILE_NAME: &str = "${filename}";

/// The parameters of the redirect after an upload: those that S3 adds, and the signed one.
const RESULT_PARAMETERS: [&str; 4] = ["bucket", "key", "etag", STORED];

/// The parameter of the redirect after an upload that proves where the form stored the file. Without it, a link to the
/// page could show any text as the key of a stored file.
const STORED: &str = "stored";

/// The field with the URL to which S3 redirects the browser after an upload.
const SUCCESS_REDIRECT: &str = "success_action_redirect";

/// A form to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostFormDecision {
    /// The plan to sign.
    pub plan: PostPolicyPlan<ObjectLocation>,
    /// The actions that the HTML page offers in the folder of the form. `None` if the response is JSON.
    pub page: Option<PageActions>,
    /// The public key of the file that was uploaded with the previous form.
    pub uploaded_key: Option<String>,
}

/// The options of a form, from its query.
struct FormOptions {
    content_type: Option<String>,
    length: Option<(u64, u64)>,
    success: Option<(String, String)>,
}

/// The place where a form page stores its file. The page signs it into the redirect after the upload.
#[derive(Serialize, Deserialize)]
struct UploadPlace {
    user_id: String,
    /// The public key, or the public folder.
    public: String,
    /// The folder in the bucket. `None` if the form is for one key.
    folder: Option<String>,
}

/// The form for `target`, if the rules allow the caller to upload there.
pub(super) fn decide(caller: &CallerContext<'_>, target: PostFormTarget) -> Result<PostFormDecision, RejectedRequest> {
    let request = caller.request;
    let prefix = target.folder();
    let (form_key, example) = form_key(request, target, caller.now)?;
    let as_page = preferred_type(&request.headers, &["text/html", "application/json"]) == "text/html";
    let (options, object_request) = FormOptions::parse(&request.query, example)?;
    if as_page {
        options.check_redirect(request)?;
    }
    let mut plan = authorize(caller, object_request, |object_request, authorized| {
        options.plan(&object_request, form_key, as_page, caller.policy, authorized)
    })?;
    let keys = caller.policy.cursor_keys();
    if as_page && options.success.is_none() {
        let place = keys.sign(Purpose::UploadedFile, &UploadPlace::from_plan(&plan));
        let url = this_page(request, place.as_ref());
        check_literal("form", &url)?;
        plan.fields.push((SUCCESS_REDIRECT.into(), url));
    }
    let uploaded_key = uploaded_key(keys, &request.query, &plan.scope.user_id);
    let page = as_page.then(|| PageActions::for_prefix(caller, &prefix)).transpose()?;
    Ok(PostFormDecision {
        plan,
        page,
        uploaded_key,
    })
}

/// The key of the form, and an example key to check the rules against. Below a prefix, each form has its own folder, so
/// that it overwrites nothing and no rule for a single key applies.
fn form_key(
    request: &ApiRequest,
    target: PostFormTarget,
    now: SystemTime,
) -> Result<(PostFormKey, ObjectKey), Rejection> {
    let (form_key, key) = match target {
        PostFormTarget::Key(key) => (PostFormKey::Exact(key.clone()), key),
        PostFormTarget::Prefix(prefix) => {
            let prefix = prefix.as_ref().map_or("", ObjectKey::as_str);
            let folder = ObjectKey::new(format!("{prefix}{}/", generate_id(request, now)))?;
            let key = ObjectKey::new(format!("{folder}{EXAMPLE_FILE}"))?;
            (PostFormKey::InFolder(folder), key)
        }
    };
    check_literal("form", key.as_str())?;
    Ok((form_key, key))
}

/// Rejects a value that S3 would change.
fn check_literal(name: &str, value: &str) -> Result<(), Rejection> {
    if value.contains(FILE_NAME) {
        let problem = "must not contain `${filename}`: S3 replaces it with the name of the file";
        return Err(bad_value(name, problem));
    }
    Ok(())
}

/// The storage key of the form. `location` is the location of the example key.
fn storage_key(form_key: &PostFormKey, location: ObjectLocation) -> Result<PostFormKey<ObjectLocation>, Rejection> {
    Ok(match (form_key, location) {
        (PostFormKey::Exact(_), location) => PostFormKey::Exact(location),
        (PostFormKey::InFolder(_), ObjectLocation::Key(file)) => {
            PostFormKey::InFolder(ObjectKey::new(file.as_str().trim_end_matches(EXAMPLE_FILE))?)
        }
        (PostFormKey::InFolder(_), ObjectLocation::Lookup(_)) => {
            let problem = "the rule stores each object under its own id, so the form needs the name of the file. \
                           Request the form at the path of the file, or POST to this path";
            return Err(bad_value("form", problem));
        }
    })
}

/// Rejects settings that a form cannot have. The form field for tags contains XML, unlike the header.
fn check_form_fields(object_request: &ObjectRequest) -> Result<(), Rejection> {
    let is_unsupported = |name: &str| name.starts_with("if-") || name == "x-amz-tagging";
    let mut headers = object_request.query_headers.iter();
    let header = object_request
        .headers
        .first()
        .or_else(|| headers.find(|(name, _)| is_unsupported(name)));
    let has_length = object_request.length != BodyLength::Unknown;
    let name = header
        .map(|(name, _)| name.as_str())
        .or(has_length.then_some("contentLength"));
    let problem = "is not supported in a form; `content-length-range=MIN,MAX` limits the length";
    name.map_or(Ok(()), |name| Err(bad_value(name, problem)))
}

impl UploadPlace {
    fn from_plan(plan: &PostPolicyPlan<ObjectLocation>) -> Self {
        let (PostFormKey::Exact(public) | PostFormKey::InFolder(public)) = &plan.public_key;
        Self {
            user_id: plan.scope.user_id.clone(),
            public: public.as_str().to_owned(),
            folder: match &plan.key {
                PostFormKey::Exact(_) => None,
                PostFormKey::InFolder(folder) => Some(folder.as_str().to_owned()),
            },
        }
    }
}

/// The public key of the file that this user has uploaded with the previous form, if the redirect proves it.
fn uploaded_key(keys: &Keyring, query: &Pairs, user_id: &str) -> Option<String> {
    let parameter = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let place: UploadPlace = keys.verify(Purpose::UploadedFile, parameter(STORED)?)?;
    if place.user_id != user_id {
        return None;
    }
    let Some(folder) = place.folder else {
        return Some(place.public);
    };
    let file = parameter("key")?.strip_prefix(&folder)?;
    let key = ObjectKey::new(format!("{}{file}", place.public)).ok()?;
    (!file.is_empty() && !file.contains('/')).then(|| key.as_str().to_owned())
}

/// The URL of this page, to which S3 redirects the browser.
fn this_page(request: &ApiRequest, place: Option<&SignedToken>) -> String {
    let query = request
        .query
        .iter()
        .filter(|(name, _)| !RESULT_PARAMETERS.contains(&name.as_str()));
    let escape = |text| percent_encoding::utf8_percent_encode(text, crate::key::QUERY);
    let pairs = query.map(|(name, value)| match value.as_str() {
        "" => escape(name).to_string(),
        value => format!("{}={}", escape(name), escape(value)),
    });
    let place = place.map(|place| format!("{STORED}={}", place.expose()));
    format!("{}?{}", request.url(), pairs.chain(place).collect::<Vec<_>>().join("&"))
}

impl FormOptions {
    fn parse(query: &Pairs, key: ObjectKey) -> Result<(Self, ObjectRequest), Rejection> {
        let mut rest = Pairs::new();
        let (mut content_type, mut length, mut success) = (None, None, None);
        check_names(query)?;
        for (name, value) in query {
            match name.as_str() {
                "form" if value.is_empty() => {}
                "form" => return Err(bad_value(name, "must not have a value")),
                "contentType" => {
                    check_signable(name, "content-type", value)?;
                    content_type = Some(value.clone());
                }
                "content-length-range" => length = Some(parse_range(name, value)?),
                SUCCESS_REDIRECT | "success_action_status" if success.is_some() => {
                    return Err(Rejection::ExclusiveParameters {
                        first: SUCCESS_REDIRECT,
                        second: "success_action_status",
                    });
                }
                SUCCESS_REDIRECT => success = Some((name.clone(), parse_absolute_url(name, value)?)),
                "success_action_status" => success = Some((name.clone(), parse_status(name, value)?)),
                _ if RESULT_PARAMETERS.contains(&name.as_str()) => {}
                _ => rest.push((name.clone(), value.clone())),
            }
        }
        let object_request = ObjectRequest::from_query(Operation::PutObject, key, ResponseFormat::Json, &rest)
            .map_err(with_form_parameters)?;
        check_form_fields(&object_request)?;
        let options = Self {
            content_type,
            length,
            success,
        };
        Ok((options, object_request))
    }

    /// Rejects a redirect to another site, which would reveal the key of the file to the creator of the link.
    fn check_redirect(&self, request: &ApiRequest) -> Result<(), Rejection> {
        match &self.success {
            Some((name, url)) if name == SUCCESS_REDIRECT && !is_own(url, request) => {
                let problem = "must be a URL of this service for an HTML page; \
                               request the form as JSON to use another URL";
                Err(bad_value(name, problem))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn plan(
        &self,
        object_request: &ObjectRequest,
        public_key: PostFormKey,
        as_page: bool,
        policy: &Policy,
        authorized: AuthorizedRequest<'_>,
    ) -> Result<PostPolicyPlan<ObjectLocation>, Rejection> {
        let AuthorizedRequest {
            grant,
            scope,
            location,
            link_use,
        } = authorized;
        // A form can be submitted any number of times.
        if link_use.is_some() {
            return Err(Rejection::NotGrantedByLink);
        }
        let constraints = grant.constraints;
        let key = storage_key(&public_key, location)?;
        if matches!(key, PostFormKey::Exact(_)) && !constraints.overwrite {
            return Err(Rejection::FormCanOverwrite);
        }
        let mut fields = plan_builder::object_headers(object_request, grant)?;
        let (min, max) = length_range(self.length, constraints)?;
        let mut conditions = vec![PolicyCondition::ContentLengthRange { min, max }];
        match media_types(self.content_type.as_deref(), constraints)? {
            None => {}
            Some(range) if range.ends_with("/*") => {
                check_not_displayed(policy, &scope.mount, &object_request.key, &key)?;
                conditions.push(media_type_condition(range, as_page)?);
            }
            Some(media_type) => fields.push(("Content-Type".into(), media_type.to_owned())),
        }
        fields.extend(self.success.clone());
        for (name, value) in &fields {
            check_literal(name, value)?;
        }
        Ok(PostPolicyPlan {
            key,
            public_key,
            fields,
            conditions,
            expires: plan_builder::lifetime(object_request.expires, constraints.expires)?,
            scope,
        })
    }
}

/// Rejects a range of media types if browsers may display the stored file. Some S3 servers accept a list such as
/// `video/mp4,text/html` for the range `video/*`, and browsers would run the file as a page.
fn check_not_displayed(
    policy: &Policy,
    mount: &Mount,
    public_key: &ObjectKey,
    storage_key: &PostFormKey<ObjectLocation>,
) -> Result<(), Rejection> {
    let stored_as = match storage_key {
        PostFormKey::Exact(ObjectLocation::Key(key)) => Some(key.as_str().to_owned()),
        PostFormKey::Exact(ObjectLocation::Lookup(_)) => None,
        PostFormKey::InFolder(folder) => Some(format!("{folder}{EXAMPLE_FILE}")),
    };
    let stored_as = stored_as.and_then(|key| mount.plain_key(&key));
    let mut keys = [Some(public_key.as_str()), stored_as.as_deref()].into_iter().flatten();
    if keys.any(|key| policy.may_display(mount, key)) {
        let problem = "must be one media type such as video/mp4, because a rule with `disposition = \"inline\"` lets browsers \
                       display the file";
        return Err(bad_value("contentType", problem));
    }
    Ok(())
}

/// The condition for a range of media types such as `image/*`. A script fills in the media type of the file.
fn media_type_condition(range: &str, as_page: bool) -> Result<PolicyCondition, Rejection> {
    if as_page {
        let problem = "must be one media type for an HTML page, because the page has no script";
        return Err(bad_value("contentType", problem));
    }
    Ok(PolicyCondition::StartsWith {
        field: "Content-Type",
        prefix: range.trim_start_matches("*/").trim_end_matches('*').to_owned(),
    })
}

/// The media type, or range of media types, that the form allows.
fn media_types<'a>(requested: Option<&'a str>, constraints: &'a Constraints) -> Result<Option<&'a str>, Rejection> {
    match (requested, &constraints.content_types[..]) {
        (None, [only]) => Ok(Some(only)),
        (requested, _) => {
            constraints.check_content_type(requested)?;
            Ok(requested)
        }
    }
}

fn length_range(requested: Option<(u64, u64)>, constraints: &Constraints) -> Result<(u64, u64), Rejection> {
    match requested {
        None => Ok((0, constraints.max_bytes.min(MAX_PUT_BYTES))),
        Some((min, max)) => {
            constraints.check_put(max)?;
            Ok((min, max))
        }
    }
}

fn parse_range(name: &str, value: &str) -> Result<(u64, u64), Rejection> {
    let (min, max) = value.split_once(',').unwrap_or(("0", value));
    let (min, max) = (parse_length(name, min)?, parse_length(name, max)?);
    if min > max {
        return Err(bad_value(name, "must be MIN,MAX, and MIN must not be greater than MAX"));
    }
    Ok((min, max))
}

fn parse_absolute_url(name: &str, value: &str) -> Result<String, Rejection> {
    let url = value.parse::<Uri>().ok();
    let absolute = url.filter(|url| url.host().is_some());
    let scheme = absolute.as_ref().and_then(Uri::scheme_str);
    if matches!(scheme, Some("https" | "http")) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(value.to_owned());
    }
    Err(bad_value(
        name,
        "must be an absolute http or https URL, percent-encoded",
    ))
}

/// Returns true if `url` is a URL of this service.
fn is_own(url: &str, request: &ApiRequest) -> bool {
    url.strip_prefix(&request.base_url).is_some_and(is_service_path)
}

fn parse_status(name: &str, value: &str) -> Result<String, Rejection> {
    if ["200", "201", "204"].contains(&value) {
        return Ok(value.to_owned());
    }
    Err(bad_value(name, "must be 200, 201 or 204"))
}

fn with_form_parameters(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::UnknownParameter { name, .. } => bad_value(
            &name,
            "is not a parameter of a form; the parameters are form, content-length-range, contentType, success_action_redirect, \
             success_action_status, expires, share, meta-*, storage-class, server-side-encryption",
        ),
        other => other,
    }
}
