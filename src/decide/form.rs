//! Forms by which browsers store an object: `GET /{key}?form` and `GET /{prefix}/?form`.

use std::time::SystemTime;

use http::Uri;

use super::generated::fresh;
use super::{Caller, Permit, Refused, draft, with_grant};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{Condition, FormKey, FormPlan, Kept};
use crate::policy::Constraints;
use crate::rejection::{MAX_PUT_BYTES, Rejection};
use crate::request::{
    ApiRequest, BodyLength, Form, ObjectRequest, Pairs, Target, bad_value, check_names, parse_length, preferred,
    signable,
};

/// A file in the folder of a form, by which to decide.
const A_FILE: &str = "file";

/// What S3 puts the name of the file for.
const FILE_NAME: &str = "${filename}";

/// What S3 adds to the URL to which it sends the browser on, when it has stored the file.
const OUTCOME: [&str; 3] = ["bucket", "key", "etag"];

/// The field that says where S3 sends the browser on.
const SUCCESS_REDIRECT: &str = "success_action_redirect";

/// A form that is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadForm {
    /// What to sign.
    pub plan: FormPlan<Kept>,
    /// Whether to tell it as a page, and not as JSON.
    pub page: bool,
    /// The key of the file that the form before this one has stored, as S3 tells it.
    pub stored: Option<String>,
}

/// What the query of a form asks for.
struct Asked {
    content_type: Option<String>,
    length: Option<(u64, u64)>,
    success: Option<(String, String)>,
}

/// Whether `request` asks for a form.
pub(super) fn is_asked_for(request: &ApiRequest) -> bool {
    request.method == "GET" && request.query.iter().any(|(name, _)| name == "form")
}

/// The form for `target`, if the rules let its caller store there.
pub(super) fn decide(caller: &Caller<'_>, target: &Target, now: SystemTime) -> Result<UploadForm, Refused> {
    let request = caller.request;
    let (name, decided) = place(request, target, now)?;
    let page = preferred(&request.headers, &["application/json"]).is_none();
    let (mut asked, wanted) = Asked::read(&request.query, decided)?;
    if page {
        asked.come_back(request)?;
    }
    let plan = with_grant(caller, wanted, |wanted, permit| asked.plan(&wanted, name, page, permit))?;
    let stored = request.query.iter().find(|(name, _)| name == "key");
    let stored = stored.map(|(_, told)| match &plan.name {
        FormKey::Exactly(name) => name.as_str().to_owned(),
        FormKey::Below(_) => told.clone(),
    });
    Ok(UploadForm { plan, page, stored })
}

/// Where the form stores, and a key there by which to decide. Below a prefix each form has a folder of its own, so that
/// it replaces nothing and meets no rule for a single key.
fn place(request: &ApiRequest, target: &Target, now: SystemTime) -> Result<(FormKey, ObjectKey), Rejection> {
    let (form_key, key) = match target {
        Target::Object(key) => (FormKey::Exactly(key.clone()), key.clone()),
        Target::Prefix(prefix) => {
            let prefix = prefix.as_ref().map_or("", ObjectKey::as_str);
            let folder = ObjectKey::new(format!("{prefix}{}/", fresh(request, now)))?;
            let key = ObjectKey::new(format!("{folder}{A_FILE}"))?;
            (FormKey::Below(folder), key)
        }
        Target::Presign(_) => return Err(bad_value("form", "is asked for at the path of the key itself")),
        Target::Service(_) => {
            let allow = target.allow(&request.query);
            return Err(Rejection::MethodNotAllowed { allow });
        }
    };
    literal("form", key.as_str())?;
    Ok((form_key, key))
}

/// Refuses what S3 would not keep as it is.
fn literal(name: &str, value: &str) -> Result<(), Rejection> {
    if value.contains(FILE_NAME) {
        let problem = "S3 puts the name of the file for `${filename}`, so no form can say it";
        return Err(bad_value(name, problem));
    }
    Ok(())
}

/// Where in the bucket the form stores, where the file by which it was decided is `kept`.
fn key(name: &FormKey, kept: Kept) -> Result<FormKey<Kept>, Rejection> {
    Ok(match (name, kept) {
        (FormKey::Exactly(_), kept) => FormKey::Exactly(kept),
        (FormKey::Below(_), Kept::At(file)) => FormKey::Below(ObjectKey::new(file.as_str().trim_end_matches(A_FILE))?),
        (FormKey::Below(_), Kept::By(_)) => {
            let problem = "the rule keeps each object under an id of its own, so the file's name must be known before: \
                           ask for the form at the path of the file, or POST to this path";
            return Err(bad_value("form", problem));
        }
    })
}

/// The URL of this page, to which S3 sends the browser back.
fn this_page(request: &ApiRequest) -> String {
    let query = request
        .query
        .iter()
        .filter(|(name, _)| !OUTCOME.contains(&name.as_str()));
    let escape = |text| percent_encoding::utf8_percent_encode(text, crate::key::QUERY);
    let pairs = query.map(|(name, value)| match value.as_str() {
        "" => escape(name).to_string(),
        value => format!("{}={}", escape(name), escape(value)),
    });
    format!("{}?{}", request.url(), pairs.collect::<Vec<_>>().join("&"))
}

impl Asked {
    fn read(query: &Pairs, key: ObjectKey) -> Result<(Self, ObjectRequest), Rejection> {
        let mut rest = Pairs::new();
        let (mut content_type, mut length, mut success) = (None, None, None);
        check_names(query)?;
        for (name, value) in query {
            match name.as_str() {
                "form" if value.is_empty() => {}
                "form" => return Err(bad_value(name, "takes no value")),
                "contentType" => {
                    signable(name, "content-type", value)?;
                    content_type = Some(value.clone());
                }
                "content-length-range" => length = Some(range(name, value)?),
                SUCCESS_REDIRECT | "success_action_status" if success.is_some() => {
                    return Err(Rejection::ConflictingParameter { name: name.clone() });
                }
                SUCCESS_REDIRECT => success = Some((name.clone(), absolute_url(name, value)?)),
                "success_action_status" => success = Some((name.clone(), status(name, value)?)),
                _ if OUTCOME.contains(&name.as_str()) => {}
                _ => rest.push((name.clone(), value.clone())),
            }
        }
        let wanted = ObjectRequest::described(Operation::PutObject, key, Form::Json, &rest).map_err(of_a_form)?;
        // The field of a form that sets tags holds them as XML.
        let no_field = |name: &str| name.starts_with("if-") || name == "x-amz-tagging";
        let no_field = wanted.applied.iter().find(|(name, _)| no_field(name));
        let unfit = wanted.headers.first().or(no_field);
        let measured = wanted.length != BodyLength::Untold;
        let unfit = unfit
            .map(|(name, _)| name.as_str())
            .or(measured.then_some("contentLength"));
        if let Some(name) = unfit {
            let problem = "no form can say it; `content-length-range=MIN,MAX` limits the length";
            return Err(bad_value(name, problem));
        }
        let asked = Self {
            content_type,
            length,
            success,
        };
        Ok((asked, wanted))
    }

    /// Has S3 send the browser back here. A link to a page that sends it on elsewhere would tell whoever made the link
    /// where the file went.
    fn come_back(&mut self, request: &ApiRequest) -> Result<(), Rejection> {
        match &self.success {
            None => self.success = Some((SUCCESS_REDIRECT.into(), this_page(request))),
            Some((name, url)) if name == SUCCESS_REDIRECT && !is_own(url, request) => {
                let problem = "the page of a form leads back to this service only; \
                               ask for the form as JSON to send people on elsewhere";
                return Err(bad_value(name, problem));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn plan(
        &self,
        wanted: &ObjectRequest,
        name: FormKey,
        page: bool,
        permit: Permit<'_>,
    ) -> Result<FormPlan<Kept>, Rejection> {
        let Permit {
            grant,
            scope,
            kept,
            counted,
        } = permit;
        // A form stores as often as it is sent.
        if counted.is_some() {
            return Err(Rejection::NotLent);
        }
        let constraints = grant.constraints;
        let key = key(&name, kept)?;
        if matches!(key, FormKey::Exactly(_)) && !constraints.overwrite {
            return Err(Rejection::FormWouldReplace);
        }
        let mut fields = draft::described_by(wanted, grant)?;
        let (min, max) = length_range(self.length, constraints)?;
        let mut conditions = vec![Condition::ContentLengthRange { min, max }];
        match media_types(self.content_type.as_deref(), constraints)? {
            None => {}
            Some(range) if range.ends_with("/*") && page => {
                return Err(bad_value(
                    "contentType",
                    "a form without script has one media type: name it",
                ));
            }
            Some(range) if range.ends_with("/*") => conditions.push(Condition::StartsWith {
                field: "Content-Type",
                prefix: range.trim_start_matches("*/").trim_end_matches('*').to_owned(),
            }),
            Some(media_type) => fields.push(("Content-Type".into(), media_type.to_owned())),
        }
        fields.extend(self.success.clone());
        for (name, value) in &fields {
            literal(name, value)?;
        }
        Ok(FormPlan {
            key,
            name,
            fields,
            conditions,
            expires: draft::lifetime(wanted.expires, constraints.expires)?,
            scope,
        })
    }
}

/// The media type, or the range of them, that the form is to be held to.
fn media_types<'a>(asked: Option<&'a str>, constraints: &'a Constraints) -> Result<Option<&'a str>, Rejection> {
    match (asked, &constraints.content_types[..]) {
        (Some(range), allowed) if range.ends_with("/*") => {
            if allowed.is_empty() || allowed.iter().any(|allowed| allowed == range) {
                return Ok(Some(range));
            }
            constraints.check_content_type(None).map(|()| None)
        }
        (None, [only]) => Ok(Some(only)),
        (asked, _) => {
            constraints.check_content_type(asked)?;
            Ok(asked)
        }
    }
}

fn length_range(asked: Option<(u64, u64)>, constraints: &Constraints) -> Result<(u64, u64), Rejection> {
    match asked {
        None => Ok((0, constraints.max_bytes.min(MAX_PUT_BYTES))),
        Some((min, max)) => {
            constraints.check_put(max)?;
            Ok((min, max))
        }
    }
}

fn range(name: &str, value: &str) -> Result<(u64, u64), Rejection> {
    let (min, max) = value.split_once(',').unwrap_or(("0", value));
    let (min, max) = (parse_length(name, min)?, parse_length(name, max)?);
    if min > max {
        return Err(bad_value(name, "must be MIN,MAX with MIN not above MAX"));
    }
    Ok((min, max))
}

fn absolute_url(name: &str, value: &str) -> Result<String, Rejection> {
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

/// Whether `url` belongs to this service.
fn is_own(url: &str, request: &ApiRequest) -> bool {
    let rest = request.origin().and_then(|origin| url.strip_prefix(origin));
    rest.is_some_and(|rest| rest.starts_with('/'))
}

fn status(name: &str, value: &str) -> Result<String, Rejection> {
    if ["200", "201", "204"].contains(&value) {
        return Ok(value.to_owned());
    }
    Err(bad_value(name, "must be 200, 201 or 204"))
}

fn of_a_form(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::UnknownParameter { name, .. } => bad_value(
            &name,
            "no parameter of a form; those are form, content-length-range, contentType, success_action_redirect, \
             success_action_status, expires, share, meta-*, storage-class, server-side-encryption",
        ),
        other => other,
    }
}
