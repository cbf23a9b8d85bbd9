//! Requests of Turborepo, Nx and git-lfs, with valid and invalid parts.

use arbitrary::Arbitrary;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// A request at a front.
#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    front: Front,
    method: Method<'a>,
    /// The artifact, object or lock in the path.
    pub target: Target<'a>,
    query: Vec<(Parameter, Name<'a>)>,
    caller: Caller<'a>,
    headers: Vec<(Header, &'a str)>,
    body: Body<'a>,
    is_base64: bool,
}

#[derive(Arbitrary, Debug)]
enum Front {
    Rest,
    FunctionUrl,
    Alb,
}

#[derive(Arbitrary, Debug)]
enum Method<'a> {
    Get,
    Head,
    Put,
    Post,
    /// With this method in the header of a preflight request.
    Options(&'a str),
    OptionsPut,
    Other(&'a str),
}

/// The artifact, object or lock in a path.
#[derive(Arbitrary, Debug)]
pub enum Target<'a> {
    /// An artifact of Turborepo.
    Turborepo {
        /// The hash.
        hash: Name<'a>,
    },
    /// The status of Turborepo.
    TurborepoStatus,
    /// The events of Turborepo.
    TurborepoEvents,
    /// An artifact of Nx.
    Nx {
        /// The hash.
        hash: Name<'a>,
    },
    /// A repository of git-lfs.
    Lfs {
        /// The name.
        repository: Repository<'a>,
        /// The rest of the path.
        resource: Resource<'a>,
    },
    /// Any other path below `/-/`.
    Other(&'a str),
}

/// The name of a repository.
#[derive(Arbitrary, Debug)]
pub enum Repository<'a> {
    /// A repository that the rules allow.
    Game,
    /// Any text.
    Any(Name<'a>),
}

/// A resource of git-lfs.
#[derive(Arbitrary, Debug)]
pub enum Resource<'a> {
    /// `objects/batch`.
    Batch,
    /// `locks`.
    Locks,
    /// `locks/verify`.
    VerifyLocks,
    /// `locks/ID/unlock`.
    Unlock(Name<'a>),
}

/// A name that is valid, or any text.
#[derive(Arbitrary, Debug)]
pub enum Name<'a> {
    /// A valid name.
    Plain(u16),
    /// Any text, which is percent-encoded.
    Encoded(&'a str),
    /// Any text, as it is.
    Raw(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Parameter {
    Slug,
    TeamId,
    Acme,
    Path,
    Id,
    Cursor,
    Limit,
    Other,
}

#[derive(Arbitrary, Debug)]
enum Caller<'a> {
    Bearer,
    Basic,
    Anonymous,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Header {
    ContentLength,
    ContentType,
    ArtifactTag,
    IfNoneMatch,
    Origin,
    Accept,
}

#[derive(Arbitrary, Debug)]
enum Body<'a> {
    Missing,
    Text(&'a str),
    Any(Json<'a>),
    Batch {
        is_upload: bool,
        transfers: Vec<Transfer<'a>>,
        algorithm: Option<Json<'a>>,
        reference: Option<Json<'a>>,
        objects: Vec<Object<'a>>,
    },
    Lock { path: &'a str, reference: Option<Json<'a>> },
    Unlock { force: bool },
    Verify { cursor: Option<Json<'a>>, limit: Option<Json<'a>> },
}

#[derive(Arbitrary, Debug)]
enum Transfer<'a> {
    Basic,
    Agent,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Object<'a> {
    Valid { oid: u32, size: u64 },
    Stored { oid: u8 },
    Invalid { oid: Json<'a>, size: Json<'a> },
    Any(Json<'a>),
}

/// A JSON value of any shape.
#[derive(Arbitrary, Debug)]
enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    Array(Vec<Json<'a>>),
    Object(Vec<(&'a str, Json<'a>)>),
}

impl Name<'_> {
    fn text(&self) -> String {
        match self {
            Self::Plain(number) => format!("n{number:x}"),
            Self::Encoded(text) => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string(),
            Self::Raw(text) => (*text).to_owned(),
        }
    }

    /// The name after the percent-decoding of the path.
    pub fn decoded(&self) -> String {
        decoded(&self.text())
    }
}

impl Repository<'_> {
    fn text(&self) -> String {
        match self {
            Self::Game => "game".to_owned(),
            Self::Any(name) => name.text(),
        }
    }

    /// The name after the percent-decoding of the path.
    pub fn decoded(&self) -> String {
        decoded(&self.text())
    }
}

impl Target<'_> {
    fn path(&self) -> String {
        match self {
            Self::Turborepo { hash } => format!("turbo/v8/artifacts/{}", hash.text()),
            Self::TurborepoStatus => "turbo/v8/artifacts/status".to_owned(),
            Self::TurborepoEvents => "turbo/v8/artifacts/events".to_owned(),
            Self::Nx { hash } => format!("nx/v1/cache/{}", hash.text()),
            Self::Lfs { repository, resource } => format!("lfs/{}/{}", repository.text(), resource.path()),
            Self::Other(text) => (*text).to_owned(),
        }
    }
}

impl Resource<'_> {
    fn path(&self) -> String {
        match self {
            Self::Batch => "objects/batch".to_owned(),
            Self::Locks => "locks".to_owned(),
            Self::VerifyLocks => "locks/verify".to_owned(),
            Self::Unlock(id) => format!("locks/{}/unlock", id.text()),
        }
    }
}

impl Json<'_> {
    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => json!(value),
            Self::Integer(value) => json!(value),
            Self::Float(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::Array(values) => values.iter().map(Self::value).collect(),
            Self::Object(values) => {
                let members = values.iter().map(|(name, value)| ((*name).to_owned(), value.value()));
                Value::Object(members.collect())
            }
        }
    }
}

impl Object<'_> {
    fn value(&self) -> Value {
        match self {
            Self::Valid { oid, size } => json!({"oid": format!("{oid:08x}").repeat(8), "size": size}),
            Self::Stored { oid } => json!({"oid": format!("2{oid:07x}").repeat(8), "size": 12}),
            Self::Invalid { oid, size } => json!({"oid": oid.value(), "size": size.value()}),
            Self::Any(value) => value.value(),
        }
    }
}

impl Body<'_> {
    fn text(&self) -> Option<String> {
        let body = match self {
            Self::Missing => return None,
            Self::Text(text) => return Some((*text).to_owned()),
            Self::Any(value) => value.value(),
            Self::Batch {
                is_upload,
                transfers,
                algorithm,
                reference,
                objects,
            } => {
                let mut body = json!({
                    "operation": if *is_upload { "upload" } else { "download" },
                    "objects": objects.iter().map(Object::value).collect::<Vec<_>>(),
                });
                let names = transfers.iter().map(|transfer| match transfer {
                    Transfer::Basic => "basic",
                    Transfer::Agent => "signpost",
                    Transfer::Other(name) => name,
                });
                body["transfers"] = names.collect();
                add(&mut body, "hash_algo", algorithm);
                add(&mut body, "ref", reference);
                body
            }
            Self::Lock { path, reference } => {
                let mut body = json!({"path": path});
                add(&mut body, "ref", reference);
                body
            }
            Self::Unlock { force } => json!({"force": force}),
            Self::Verify { cursor, limit } => {
                let mut body = json!({});
                add(&mut body, "cursor", cursor);
                add(&mut body, "limit", limit);
                body
            }
        };
        Some(body.to_string())
    }
}

fn add(body: &mut Value, name: &str, value: &Option<Json<'_>>) {
    if let Some(value) = value {
        body[name] = value.value();
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Input<'_> {
    /// Returns true if the request has a valid credential.
    pub fn has_credential(&self) -> bool {
        let is_valid = |text: &str| text.contains("secret") || text.contains("OnNlY3JldA") || text.contains("c2VjcmV0");
        match &self.caller {
            Caller::Bearer | Caller::Basic => true,
            Caller::Anonymous => false,
            Caller::Other(text) => is_valid(text),
        }
    }

    /// The event of the front.
    pub fn event(&self) -> Value {
        let path = format!("/-/{}", self.target.path());
        let (method, query, headers) = (self.method(), self.query(), self.headers());
        let body = self.body.text();
        let body = body.map(|text| if self.is_base64 { BASE64_STANDARD.encode(text) } else { text });
        let parameters: Map<_, _> = query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        match self.front {
            Front::Rest => json!({
                "resource": "/{proxy+}", "httpMethod": method, "path": path, "headers": headers, "body": body,
                "isBase64Encoded": self.is_base64, "pathParameters": {"proxy": path.trim_start_matches('/')},
                "queryStringParameters": parameters,
                "requestContext": {"resourceId": "r", "path": format!("/live{path}"), "stage": "live"},
            }),
            Front::FunctionUrl => {
                let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
                json!({
                    "version": "2.0", "rawPath": path, "rawQueryString": pairs.join("&"), "headers": headers, "body": body,
                    "isBase64Encoded": self.is_base64,
                    "requestContext": {"http": {"method": method}, "domainName": "x.lambda-url.y.on.aws", "stage": "$default"},
                })
            }
            Front::Alb => json!({
                "httpMethod": method, "path": path, "headers": headers, "body": body, "isBase64Encoded": self.is_base64,
                "queryStringParameters": parameters, "requestContext": {"elb": {}},
            }),
        }
    }

    fn method(&self) -> &str {
        match &self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Options(_) | Method::OptionsPut => "OPTIONS",
            Method::Other(text) => text,
        }
    }

    fn query(&self) -> Vec<(String, String)> {
        let pair = |(parameter, value): &(Parameter, Name<'_>)| {
            let (name, value) = match parameter {
                Parameter::Acme => ("slug", "acme".to_owned()),
                Parameter::Slug => ("slug", value.text()),
                Parameter::TeamId => ("teamId", value.text()),
                Parameter::Path => ("path", value.text()),
                Parameter::Id => ("id", value.text()),
                Parameter::Cursor => ("cursor", value.text()),
                Parameter::Limit => ("limit", value.text()),
                Parameter::Other => ("other", value.text()),
            };
            (name.to_owned(), value)
        };
        self.query.iter().map(pair).collect()
    }

    fn headers(&self) -> Map<String, Value> {
        let name = |header: &Header| match header {
            Header::ContentLength => "content-length",
            Header::ContentType => "content-type",
            Header::ArtifactTag => "x-artifact-tag",
            Header::IfNoneMatch => "if-none-match",
            Header::Origin => "origin",
            Header::Accept => "accept",
        };
        let given = self.headers.iter().map(|(header, value)| (name(header).to_owned(), json!(value)));
        let mut headers: Map<_, _> = given.collect();
        let credential = match &self.caller {
            Caller::Bearer => Some("Bearer secret"),
            Caller::Basic => Some("Basic dDpzZWNyZXQ="),
            Caller::Anonymous => None,
            Caller::Other(text) => Some(*text),
        };
        headers.extend(credential.map(|text| ("authorization".to_owned(), json!(text))));
        let asked = match &self.method {
            Method::Options(method) => Some(*method),
            Method::OptionsPut => Some("PUT"),
            _ => None,
        };
        headers.extend(asked.map(|method| ("access-control-request-method".to_owned(), json!(method))));
        headers
    }
}
