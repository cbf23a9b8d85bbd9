//! The request for one operation on one object, as its parameters and headers say it.

use std::fmt;
use std::time::Duration;

use http::header;
use serde::Deserialize;

use super::{ApiRequest, BodyLength, Form, Pairs, Target, check_names};
use crate::key::{KeyError, ObjectKey};
use crate::operation::{Carrier, Operation};
use crate::rejection::Rejection;

/// The text of a share link: whoever has it may do what it lends, so nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkText(String);

impl LinkText {
    /// The text, to be read and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkText(redacted)")
    }
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
    pub share: Option<LinkText>,
    /// The media type that the client will send, by header or parameter.
    pub content_type: Option<String>,
    /// The length of the whole object, declared when an upload in parts begins.
    pub object_size: Option<u64>,
}

/// What a client with credentials of its own adds to the request that it signs.
const SIGV4_HEADERS: [&str; 3] = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// Headers that are not taken over as they are sent: what is signed of them depends on the rule.
const OWN_HEADERS: [&str; 2] = ["content-length", "content-type"];

impl ObjectRequest {
    /// Parses a request for `target`; paths that name no object have no operation.
    pub fn parse(request: &ApiRequest, target: &Target) -> Result<Self, Rejection> {
        let refused = || Rejection::MethodNotAllowed {
            allow: target.allow(&request.query),
        };
        if *target == Target::Prefix(None) && Operation::from_request(&request.method, &[]).is_some() {
            return Err(KeyError::Empty.into());
        }
        if !target
            .allow(&request.query)
            .iter()
            .any(|method| *method == request.method.as_str())
        {
            return Err(refused());
        }
        match target {
            Target::Object(key) | Target::Prefix(Some(key)) => {
                let operation = Operation::from_request(&request.method, &request.query).ok_or_else(refused)?;
                let form = Form::negotiate(request);
                let length = if operation.stores_body() {
                    request.length
                } else {
                    BodyLength::Untold
                };
                Self::of_object(request, operation, key.clone(), form, length)
            }
            Target::Presign(key) => {
                let operation = presigned_operation(&request.query)?;
                Self::described(operation, key.clone(), Form::GoExample, &request.query)
            }
            Target::Prefix(None) | Target::Service(_) => Err(refused()),
        }
    }

    /// A request of which the headers and the query of `request` speak, for an upload of `length`.
    pub fn of_object(
        request: &ApiRequest,
        operation: Operation,
        key: ObjectKey,
        form: Form,
        length: BodyLength,
    ) -> Result<Self, Rejection> {
        let mut parsed = Self::new(operation, key, form);
        parsed.length = length;
        parsed.mirror_headers(request)?;
        parsed.read_parameters(&request.query)?;
        Ok(parsed)
    }

    /// A request of which only `query` speaks, since the request that carries it is not the upload.
    pub fn described(operation: Operation, key: ObjectKey, form: Form, query: &Pairs) -> Result<Self, Rejection> {
        let mut parsed = Self::new(operation, key, form);
        parsed.read_parameters(query)?;
        Ok(parsed)
    }

    const fn new(operation: Operation, key: ObjectKey, form: Form) -> Self {
        Self {
            operation,
            key,
            form,
            length: BodyLength::Untold,
            headers: Vec::new(),
            applied: Vec::new(),
            query: Vec::new(),
            download: None,
            expires: None,
            share: None,
            content_type: None,
            object_size: None,
        }
    }

    /// Takes over the headers that S3 wants signed, and refuses those that it would refuse unsigned
    /// ([Signed headers](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
    fn mirror_headers(&mut self, request: &ApiRequest) -> Result<(), Rejection> {
        for name in request.headers.keys() {
            let name = name.as_str();
            let of_amazon = name.starts_with("x-amz-") && !name.starts_with("x-amz-cf-");
            // A client that signs its request to the gateway sends these to us; only a redirect takes them on to S3.
            if self.form != Form::Redirect && SIGV4_HEADERS.contains(&name) {
                continue;
            }
            let mirrored = self.operation.mirrors(name);
            if of_amazon && !mirrored {
                return Err(Rejection::UnsupportedHeader { name: name.to_owned() });
            }
            if mirrored && !OWN_HEADERS.contains(&name) {
                let value = request.header(name)?.unwrap_or_default();
                self.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        if self.operation.mirrors(header::CONTENT_TYPE.as_str()) {
            self.content_type = request.header(header::CONTENT_TYPE.as_str())?.map(str::to_owned);
        }
        Ok(())
    }

    fn read_parameters(&mut self, query: &Pairs) -> Result<(), Rejection> {
        check_names(query)?;
        for (name, value) in query {
            // The client of the AWS SDK for Go example says `contentLength=0` whatever it asks for.
            let of_example = name == "method" || (name == "contentLength" && value == "0");
            if self.form != Form::GoExample || !of_example {
                self.read_parameter(name.clone(), value.clone())?;
            }
        }
        if self.operation == Operation::UploadPart && !self.query.iter().any(|(name, _)| name == "partNumber") {
            return Err(bad_value(
                "partNumber",
                "is missing: a part of an upload has a number from 1",
            ));
        }
        Ok(())
    }

    fn read_parameter(&mut self, name: String, value: String) -> Result<(), Rejection> {
        let operation = self.operation;
        let Some(parameter) = operation.parameter(&name) else {
            return Err(Rejection::UnknownParameter {
                name,
                operation: operation.name(),
                takes: operation.parameters(),
            });
        };
        match parameter.carrier {
            Carrier::Signpost => self.read_own_parameter(&name, value),
            Carrier::Query => {
                signable(&name, "x", &value)?;
                self.query.push((name, value));
                Ok(())
            }
            Carrier::SubResource if value.is_empty() => {
                self.query.push((name, value));
                Ok(())
            }
            Carrier::SubResource => Err(bad_value(&name, "takes no value")),
            Carrier::Number(min, max) => {
                check_number(&name, &value, min, max)?;
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
            "share" => self.share = Some(LinkText(value)),
            "contentLength" => self.object_size = Some(parse_length(name, &value)?),
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

fn presigned_operation(query: &Pairs) -> Result<Operation, Rejection> {
    let named = query.iter().find(|(name, _)| name == "method");
    let method = named.map_or("GET", |(_, value)| value);
    Operation::from_request(method, query).ok_or_else(|| {
        let methods: Vec<_> = Operation::on(query).map(Operation::method).collect();
        bad_value(
            "method",
            &format!("must be one of {}", crate::rejection::methods(&methods)),
        )
    })
}

/// Reads a length in bytes.
pub(crate) fn parse_length(name: &str, value: &str) -> Result<u64, Rejection> {
    let length = whole_number(value);
    length.ok_or_else(|| bad_value(name, "must be a whole number of bytes"))
}

pub(super) fn check_number(name: &str, value: &str, min: u32, max: u32) -> Result<(), Rejection> {
    if whole_number(value).is_some_and(|number| (min.into()..=max.into()).contains(&number)) {
        return Ok(());
    }
    Err(bad_value(name, &format!("must be a whole number from {min} to {max}")))
}

fn whole_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// A value that cannot be used, and why.
pub(crate) fn bad_value(name: &str, problem: &str) -> Rejection {
    Rejection::BadValue {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}

/// Reads a JSON object; an array of its values in their order is none.
pub(crate) fn json_object<'a, T: Deserialize<'a>>(name: &str, text: &'a [u8]) -> Result<T, Rejection> {
    let wrong = |problem: &dyn fmt::Display| bad_value(name, &format!("is not what it should be: {problem}"));
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong(&"it must be a JSON object"));
    }
    serde_json::from_slice(text).map_err(|error| wrong(&error))
}

pub(crate) fn parse_expires(value: &str) -> Result<Duration, Rejection> {
    let seconds = value
        .parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(value));
    seconds
        .ok()
        .filter(|expires| expires.as_secs() > 0 && expires.subsec_nanos() == 0)
        .ok_or_else(|| {
            bad_value(
                "expires",
                "must be whole seconds above 0, or a duration such as 90s or 5m",
            )
        })
}

/// Refuses what cannot be a header, or would be changed on its way: S3 signs trimmed values with single spaces.
pub(crate) fn signable(parameter: &str, header: &str, value: &str) -> Result<(), Rejection> {
    let bad = |problem: &str| Err(bad_value(parameter, problem));
    if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
        return bad("the name is not a header name");
    }
    if value.is_empty() || value.trim() != value || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return bad("must be visible ASCII without space around it (RFC 2047 encodes the rest)");
    }
    Ok(())
}
