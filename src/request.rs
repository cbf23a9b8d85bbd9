//! What a front delivered, and the object request parsed from it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};

use crate::key::{KeyError, ObjectKey, PathEncoding, decode_path};
use crate::operation::{Carrier, Operation};
use crate::rejection::Rejection;

/// Names with their values, in order.
pub type Pairs = Vec<(String, String)>;

/// One HTTP request as a front delivered it, with the front's own additions to the path removed.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method, as sent.
    pub method: String,
    /// The path below the front's stage and base path, with its leading `/`.
    pub path: String,
    /// How `path` is spelled.
    pub encoding: PathEncoding,
    /// The query, decoded, in the order in which the front tells it.
    pub query: Pairs,
    /// The headers that reached the function.
    pub headers: HeaderMap,
    /// The length of the upload, as far as the front lets one know.
    pub length: BodyLength,
    /// The body of a POST, decoded; empty otherwise, since uploads are for S3.
    pub body: Bytes,
    /// Scheme, host and whatever stands before the key, without a trailing `/`, when the front tells them.
    pub base_url: String,
    /// The front's id of this request.
    pub request_id: String,
    /// Lambda's own id of this request, as in the platform's log lines.
    pub invocation: String,
    /// What the front has verified of the caller.
    pub gateway: Option<GatewayIdentity>,
    /// What made the delivery unreadable, if anything; such a request is refused with it.
    pub defect: Option<Rejection>,
}

/// What is known of the length of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// No body, from a front that tells no lengths.
    Untold,
    /// No body, and no `Content-Length` from a front that would have told it.
    Undeclared,
    /// A `Content-Length`, or on a REST API the length of the body that it delivered.
    Declared(u64),
    /// A body that came in chunks.
    Chunked,
}

/// Whom the front has verified, in its own words; nothing follows from it unless the rules name its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayIdentity {
    /// What verified it.
    pub authorizer: GatewayAuthorizer,
    /// The claims, by name; only texts, numbers and booleans, as texts.
    pub claims: BTreeMap<String, String>,
}

/// The kinds of authorizer of the gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayAuthorizer {
    /// A JWT authorizer of an HTTP API, or a Cognito authorizer of a REST API.
    Jwt,
    /// A Lambda authorizer.
    Lambda,
    /// IAM.
    Iam,
}

/// What a client with credentials of its own adds to the request that it signs.
const SIGV4_HEADERS: [&str; 3] = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An object.
    Object(ObjectKey),
    /// A path that ends in `/`: a prefix, `None` at the root.
    Prefix(Option<ObjectKey>),
    /// `/-/presign/{key}`.
    Presign(ObjectKey),
    /// `/-/health`.
    Health,
    /// `/-/share`.
    Share,
}

/// The form in which an instruction is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A redirect.
    Redirect,
    /// JSON with method, URL and headers.
    Json,
    /// The URL alone.
    Text,
    /// The JSON of the AWS SDK for Go's presign example.
    GoExample,
}

/// A request for one operation on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// What to do.
    pub operation: Operation,
    /// To what.
    pub key: ObjectKey,
    /// How to tell it.
    pub form: Form,
    /// The length of the upload.
    pub length: BodyLength,
    /// Headers that the client sends and that are to be signed, by lower-case name, without `content-length`.
    pub headers: Pairs,
    /// Headers that S3 applies from the signed query, asked for by parameters.
    pub applied: Pairs,
    /// S3's own parameters.
    pub query: Pairs,
    /// `?download` with the file name that was asked for, if any.
    pub download: Option<Option<String>>,
    /// The lifetime that was asked for.
    pub expires: Option<Duration>,
    /// The share link by which it is asked for.
    pub share: Option<String>,
    /// The media type that the client will send, by header or parameter.
    pub content_type: Option<String>,
}

impl Target {
    /// Reads what a path names. The decision rests on the decoded path, since one front decodes it.
    pub fn from_path(path: &str, encoding: PathEncoding) -> Result<Self, Rejection> {
        let path = decode_path(path, encoding)?;
        if let Some(reserved) = path.strip_prefix("-/") {
            return Self::reserved(reserved);
        }
        if path.is_empty() {
            return Ok(Self::Prefix(None));
        }
        let is_prefix = path.ends_with('/');
        let key = ObjectKey::new(path)?;
        Ok(if is_prefix {
            Self::Prefix(Some(key))
        } else {
            Self::Object(key)
        })
    }

    fn reserved(path: &str) -> Result<Self, Rejection> {
        if let Some(key) = path.strip_prefix("presign/") {
            return Ok(Self::Presign(ObjectKey::new(key)?));
        }
        match path {
            "health" => Ok(Self::Health),
            "share" => Ok(Self::Share),
            _ => Err(Rejection::UnknownReservedPath),
        }
    }

    /// The methods that mean something here, `OPTIONS` always among them.
    pub fn allow(&self) -> Vec<Method> {
        let mut allow = match self {
            Self::Object(_) => Operation::ALL.iter().map(|operation| operation.method()).collect(),
            Self::Prefix(Some(_)) => vec![Method::PUT, Method::DELETE],
            Self::Prefix(None) => vec![],
            Self::Presign(_) => vec![Method::GET],
            Self::Health => vec![Method::GET, Method::HEAD],
            Self::Share => vec![Method::POST],
        };
        allow.push(Method::OPTIONS);
        allow
    }
}

impl ApiRequest {
    /// The URL of this request without its query, in the spelling that every client sends alike.
    pub fn url(&self) -> String {
        let path = decode_path(&self.path, self.encoding).unwrap_or_default();
        let path = ObjectKey::new(path).map_or_else(|_| "/".into(), |key| key.to_path());
        format!("{}{path}", self.base_url)
    }

    /// The only value of a header; one that was sent twice is refused.
    fn header(&self, name: &str) -> Result<Option<&str>, Rejection> {
        let bad = |problem: &str| Rejection::BadValue {
            name: name.to_owned(),
            problem: problem.to_owned(),
        };
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(bad("the header is sent twice"));
        }
        let value = value.to_str().ok().filter(|value| !value.contains('\t'));
        let value = value.ok_or_else(|| bad("only visible ASCII can be signed (RFC 2047 encodes the rest)"))?;
        Ok(Some(value.trim()))
    }
}

impl ObjectRequest {
    /// Parses a request for `target`; paths that name no object have no operation.
    pub fn parse(request: &ApiRequest, target: &Target) -> Result<Self, Rejection> {
        let refused = || Rejection::MethodNotAllowed { allow: target.allow() };
        if *target == Target::Prefix(None) && Operation::from_method(&request.method).is_some() {
            return Err(KeyError::Empty.into());
        }
        if !target.allow().iter().any(|method| *method == request.method.as_str()) {
            return Err(refused());
        }
        let (key, operation, form) = match target {
            Target::Object(key) | Target::Prefix(Some(key)) => {
                let operation = Operation::from_method(&request.method).ok_or_else(refused)?;
                (key, operation, Form::negotiate(request))
            }
            Target::Presign(key) => (key, presigned_operation(&request.query)?, Form::GoExample),
            Target::Prefix(None) | Target::Health | Target::Share => return Err(refused()),
        };
        let mut parsed = Self {
            operation,
            key: key.clone(),
            form,
            length: request.length,
            headers: Vec::new(),
            applied: Vec::new(),
            query: Vec::new(),
            download: None,
            expires: None,
            share: None,
            content_type: None,
        };
        if form == Form::GoExample {
            // Here the request is not the upload, so only its query speaks of the upload.
            parsed.length = BodyLength::Untold;
        } else {
            parsed.mirror_headers(request)?;
        }
        parsed.read_parameters(request)?;
        Ok(parsed)
    }

    /// Takes over the headers that S3 wants signed, and refuses those that it would refuse unsigned
    /// ([Signed headers](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
    fn mirror_headers(&mut self, request: &ApiRequest) -> Result<(), Rejection> {
        let is_put = self.operation == Operation::PutObject;
        for name in request.headers.keys() {
            let name = name.as_str();
            let of_amazon = name.starts_with("x-amz-") && !name.starts_with("x-amz-cf-");
            let conditional = matches!(name, "content-md5" | "if-match" | "if-none-match");
            // A client that signs its request to the gateway sends these to us; only a redirect takes them on to S3.
            if self.form != Form::Redirect && SIGV4_HEADERS.contains(&name) {
                continue;
            }
            if of_amazon && !self.operation.mirrors(name) {
                return Err(Rejection::UnsupportedHeader { name: name.to_owned() });
            }
            if (of_amazon || conditional) && is_put {
                let value = request.header(name)?.unwrap_or_default();
                self.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        if is_put {
            self.content_type = request.header(header::CONTENT_TYPE.as_str())?.map(str::to_owned);
        }
        Ok(())
    }

    fn read_parameters(&mut self, request: &ApiRequest) -> Result<(), Rejection> {
        for (index, (name, value)) in request.query.iter().enumerate() {
            if request.query[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Rejection::ConflictingParameter { name: name.clone() });
            }
            // The client of the AWS SDK for Go example says `contentLength=0` whatever it asks for.
            let of_example = name == "method" || (name == "contentLength" && value == "0");
            if self.form != Form::GoExample || !of_example {
                self.read_parameter(name.clone(), value.clone())?;
            }
        }
        Ok(())
    }

    fn read_parameter(&mut self, name: String, value: String) -> Result<(), Rejection> {
        let operation = self.operation;
        let Some(parameter) = operation.parameter(&name) else {
            return Err(Rejection::UnknownParameter { name, operation });
        };
        match parameter.carrier {
            Carrier::Signpost => self.read_own_parameter(&name, value),
            Carrier::Query => {
                signable(&name, "x", &value)?;
                self.query.push((name, value));
                Ok(())
            }
            Carrier::Header("content-length") => self.read_length(name, &value),
            Carrier::Header("content-type") => self.read_content_type(name, value),
            Carrier::Header(header) => self.read_header(header.to_owned(), name, value),
            Carrier::Applied(header) => self.read_applied(header.to_owned(), name, value),
            Carrier::AppliedPrefix(prefix) => {
                let header = format!("{prefix}{}", name["meta-".len()..].to_ascii_lowercase());
                self.read_applied(header, name, value)
            }
        }
    }

    fn read_own_parameter(&mut self, name: &str, value: String) -> Result<(), Rejection> {
        match name {
            "expires" => self.expires = Some(parse_expires(&value)?),
            "share" => self.share = Some(value),
            "download" => self.download = Some(Some(value).filter(|name| !name.is_empty())),
            _ => {} // `url` is read with `Accept`.
        }
        Ok(())
    }

    fn read_length(&mut self, name: String, value: &str) -> Result<(), Rejection> {
        let length = parse_length(&name, value)?;
        match self.length {
            BodyLength::Declared(sent) if sent > 0 && sent != length => Err(Rejection::ConflictingParameter { name }),
            BodyLength::Chunked => Ok(()),
            _ if length == 0 => Ok(()),
            _ => {
                self.length = BodyLength::Declared(length);
                Ok(())
            }
        }
    }

    fn read_content_type(&mut self, name: String, value: String) -> Result<(), Rejection> {
        if self.content_type.as_ref().is_some_and(|sent| *sent != value) {
            return Err(Rejection::ConflictingParameter { name });
        }
        self.content_type = Some(value.clone());
        self.read_header("content-type".to_owned(), name, value)
    }

    fn read_header(&mut self, header: String, name: String, value: String) -> Result<(), Rejection> {
        signable(&name, &header, &value)?;
        match self.headers.iter().find(|(sent, _)| *sent == header) {
            Some((_, sent)) if *sent != value => Err(Rejection::ConflictingParameter { name }),
            Some(_) => Ok(()),
            None => {
                self.headers.push((header, value));
                Ok(())
            }
        }
    }

    fn read_applied(&mut self, header: String, name: String, value: String) -> Result<(), Rejection> {
        signable(&name, &header, &value)?;
        if self
            .headers
            .iter()
            .chain(&self.applied)
            .any(|(sent, _)| *sent == header)
        {
            return Err(Rejection::ConflictingParameter { name });
        }
        self.applied.push((header, value));
        Ok(())
    }
}

impl Form {
    /// Picks the form by `?url`, then by `Accept` (RFC 9110, section 12.5.1): JSON and plain text only where they
    /// are named, since an image or video player must be redirected whatever it accepts.
    fn negotiate(request: &ApiRequest) -> Self {
        // The answer to a HEAD has no body that could tell anything else.
        if request.method == Method::HEAD.as_str() {
            return Self::Redirect;
        }
        if request.query.iter().any(|(name, _)| name == "url") {
            return Self::Text;
        }
        match preferred(&request.headers, &["application/json", "text/plain"]) {
            Some("application/json") => Self::Json,
            Some(_) => Self::Text,
            None => Self::Redirect,
        }
    }
}

/// The offer that `Accept` names with the greatest weight, if no other type that it names weighs more.
pub(crate) fn preferred<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let accept = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut best: Option<(&'a str, f32)> = None;
    let mut others: f32 = 0.0;
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        match offers.iter().find(|offer| offer.eq_ignore_ascii_case(media)) {
            Some(offer) if best.is_none_or(|(_, heaviest)| weight > heaviest) => best = Some((offer, weight)),
            Some(_) => {}
            None => others = others.max(weight),
        }
    }
    best.filter(|(_, weight)| *weight > 0.0 && *weight >= others)
        .map(|(offer, _)| offer)
}

fn presigned_operation(query: &[(String, String)]) -> Result<Operation, Rejection> {
    let named = query.iter().find(|(name, _)| name == "method");
    let method = named.map_or("GET", |(_, value)| value);
    Operation::from_method(method).ok_or_else(|| Rejection::BadValue {
        name: "method".into(),
        problem: "must be GET, HEAD, PUT or DELETE".into(),
    })
}

fn parse_length(name: &str, value: &str) -> Result<u64, Rejection> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| Rejection::BadValue {
            name: name.to_owned(),
            problem: "must be a whole number of bytes".into(),
        })
}

pub(crate) fn parse_expires(value: &str) -> Result<Duration, Rejection> {
    let seconds = value
        .parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(value));
    seconds
        .ok()
        .filter(|expires| expires.as_secs() > 0)
        .ok_or_else(|| Rejection::BadValue {
            name: "expires".into(),
            problem: "must be whole seconds above 0, or a duration such as 90s or 5m".into(),
        })
}

/// Refuses what cannot be a header, or would be changed on its way: S3 signs trimmed values with single spaces.
fn signable(parameter: &str, header: &str, value: &str) -> Result<(), Rejection> {
    let bad = |problem: &str| {
        Err(Rejection::BadValue {
            name: parameter.to_owned(),
            problem: problem.to_owned(),
        })
    };
    if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
        return bad("the name is not a header name");
    }
    if value.is_empty() || value.trim() != value || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return bad("must be visible ASCII without space around it (RFC 2047 encodes the rest)");
    }
    Ok(())
}
