//! A request for one operation on one object, parsed from its parameters and headers.

use std::fmt;
use std::time::Duration;

use http::header;

use super::value::{check_no_value, check_number, check_signable, parse_expires, parse_length};
use super::{ApiRequest, BodyLength, Pairs, ResponseFormat, bad_value, check_names};
use crate::key::ObjectKey;
use crate::operation::{Action, Operation, OwnParameter, ParameterKind, check_value};
use crate::rejection::Rejection;

/// The text of a share link. It is a secret, so `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareToken(String);

impl ShareToken {
    /// The text, for the verification only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ShareToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareToken(redacted)")
    }
}

/// A request for one operation on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The operation.
    pub operation: Operation,
    /// The public key of the object.
    pub key: ObjectKey,
    /// The format of the response.
    pub format: ResponseFormat,
    /// The length of the upload.
    pub length: BodyLength,
    /// The headers that the client sends and that are signed, by lower-case name, without `content-length`.
    pub headers: Pairs,
    /// The headers that the client requests by parameters and that S3 accepts as signed query parameters.
    pub query_headers: Pairs,
    /// The query parameters of S3.
    pub query: Pairs,
    /// Set by `?download`, with the file name if the client gives one.
    pub download: Option<Option<String>>,
    /// The requested lifetime.
    pub expires: Option<Duration>,
    /// The share link that authorizes the request.
    pub share: Option<ShareToken>,
    /// The media type that the client will send, from the header or the parameter.
    pub content_type: Option<String>,
    /// The length of the whole object, declared at the start of a multipart upload.
    pub object_size: Option<u64>,
}

/// The headers that a client with AWS credentials of its own adds to a request that it signs.
const SIGV4_HEADERS: [&str; 3] = ["x-amz-date", "x-amz-security-token", PAYLOAD_HASH];

/// The only `x-amz-` header that S3 accepts without a signature, with this value: a presigned URL has the same meaning.
const PAYLOAD_HASH: &str = "x-amz-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Headers that are not copied as the client sends them: the rule decides how they are signed.
const RULE_HEADERS: [&str; 2] = ["content-length", "content-type"];

impl ObjectRequest {
    /// Parses a request for `operation` from the headers and the query.
    pub fn parse(request: &ApiRequest, operation: Operation, key: ObjectKey) -> Result<Self, Rejection> {
        let format = ResponseFormat::select(request)?;
        // A request for an instruction has no body, so its length is not that of the upload.
        let length = if operation.stores_body() && format == ResponseFormat::Redirect {
            request.length
        } else {
            BodyLength::Unknown
        };
        Self::with_headers(request, operation, key, format, length)
    }

    /// Parses an upload of `length` from the headers and the query.
    pub fn with_headers(
        request: &ApiRequest,
        operation: Operation,
        key: ObjectKey,
        format: ResponseFormat,
        length: BodyLength,
    ) -> Result<Self, Rejection> {
        let mut parsed = Self::new(operation, key, format);
        parsed.length = length;
        parsed.copy_headers(request)?;
        parsed.read_parameters(&request.query)?;
        Ok(parsed)
    }

    /// Parses a request from `query` only. The headers of the HTTP request do not belong to the upload.
    pub fn from_query(
        operation: Operation,
        key: ObjectKey,
        format: ResponseFormat,
        query: &Pairs,
    ) -> Result<Self, Rejection> {
        let mut parsed = Self::new(operation, key, format);
        parsed.read_parameters(query)?;
        Ok(parsed)
    }

    /// The `If-Match` of a write, from the header or the parameter. The condition of a GET is not signed.
    pub fn if_match(&self) -> Option<&str> {
        let mut headers = self.headers.iter().chain(&self.query_headers);
        let (_, value) = headers.find(|(name, _)| name == "if-match")?;
        Some(value)
    }

    const fn new(operation: Operation, key: ObjectKey, format: ResponseFormat) -> Self {
        Self {
            operation,
            key,
            format,
            length: BodyLength::Unknown,
            headers: Vec::new(),
            query_headers: Vec::new(),
            query: Vec::new(),
            download: None,
            expires: None,
            share: None,
            content_type: None,
            object_size: None,
        }
    }

    /// Copies the headers that S3 requires to be signed, and rejects the `x-amz-` headers that S3 would reject unsigned
    /// ([Signed headers](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
    fn copy_headers(&mut self, request: &ApiRequest) -> Result<(), Rejection> {
        if self.operation.action() == Action::Write && request.headers.contains_key(header::CONTENT_RANGE) {
            return Err(Rejection::PartialUpload);
        }
        for name in request.headers.keys() {
            let name = name.as_str();
            if name == PAYLOAD_HASH && request.header(name)? == Some(UNSIGNED_PAYLOAD) {
                continue;
            }
            let is_amazon_header = name.starts_with("x-amz-") && !name.starts_with("x-amz-cf-");
            // A client that signs its request to the gateway sends these headers. Only a redirect sends them to S3.
            if self.format != ResponseFormat::Redirect && SIGV4_HEADERS.contains(&name) {
                continue;
            }
            let is_signed = self.operation.signs_header(name);
            if is_amazon_header && !is_signed {
                return Err(Rejection::UnsupportedHeader { name: name.to_owned() });
            }
            if is_signed && !RULE_HEADERS.contains(&name) {
                let value = request.header(name)?.unwrap_or_default();
                self.check_value(name, name, value)?;
                self.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        if self.operation.signs_header(header::CONTENT_TYPE.as_str()) {
            self.content_type = request.header(header::CONTENT_TYPE.as_str())?.map(str::to_owned);
        }
        Ok(())
    }

    fn read_parameters(&mut self, query: &Pairs) -> Result<(), Rejection> {
        check_names(query)?;
        for (name, value) in query {
            // The client of the AWS SDK for Go example sends `contentLength=0` with every method.
            let is_part_of_example = name == "method" || (name == "contentLength" && value == "0");
            if self.format != ResponseFormat::GoExample || !is_part_of_example {
                self.read_parameter(name.clone(), value.clone())?;
            }
        }
        if self.operation == Operation::UploadPart && !self.query.iter().any(|(name, _)| name == "partNumber") {
            return Err(bad_value(
                "partNumber",
                "is missing; the parts of an upload are numbered from 1",
            ));
        }
        Ok(())
    }

    fn read_parameter(&mut self, name: String, value: String) -> Result<(), Rejection> {
        let parameter = self.operation.parameter(&name);
        match parameter.map(|parameter| parameter.kind) {
            None | Some(ParameterKind::Listing(_)) => Err(Rejection::UnknownParameter {
                name,
                operation: self.operation.name(),
                allowed: self.operation.parameters(),
            }),
            Some(ParameterKind::Own(option)) => self.read_option(option, &name, value),
            Some(ParameterKind::SignedQuery) => {
                check_signable(&name, "x", &value)?;
                self.check_value(&name, &name, &value)?;
                self.query.push((name, value));
                Ok(())
            }
            Some(ParameterKind::SubResource) if value.is_empty() => {
                self.query.push((name, value));
                Ok(())
            }
            Some(ParameterKind::SubResource) => Err(bad_value(&name, "must not have a value")),
            Some(ParameterKind::Number(min, max)) => {
                check_number(&name, &value, min, max)?;
                self.query.push((name, value));
                Ok(())
            }
            Some(ParameterKind::SignedHeader("content-length")) => self.read_length(name, &value),
            Some(ParameterKind::SignedHeader("content-type")) => self.read_content_type(name, value),
            Some(ParameterKind::SignedHeader(header)) => self.read_header(header.to_owned(), name, value),
            Some(ParameterKind::SignedQueryHeader(header)) => self.read_query_header(header.to_owned(), name, value),
            Some(ParameterKind::SignedQueryHeaderPrefix(prefix)) => {
                let header = format!("{prefix}{}", name["meta-".len()..].to_ascii_lowercase());
                self.read_query_header(header, name, value)
            }
        }
    }

    fn read_option(&mut self, option: OwnParameter, name: &str, value: String) -> Result<(), Rejection> {
        match option {
            // The response format has been selected from these parameters and `Accept`.
            OwnParameter::Url | OwnParameter::Json => check_no_value(name, &value)?,
            OwnParameter::Expires => self.expires = Some(parse_expires(&value)?),
            OwnParameter::Share => self.share = Some(ShareToken(value)),
            OwnParameter::ObjectSize => self.object_size = Some(parse_length(name, &value)?),
            OwnParameter::Download => self.download = Some(Some(value).filter(|name| !name.is_empty())),
        }
        Ok(())
    }

    fn read_length(&mut self, name: String, value: &str) -> Result<(), Rejection> {
        let length = parse_length(&name, value)?;
        match self.length {
            BodyLength::Declared(sent) if sent > 0 && sent != length => Err(Rejection::DifferentHeader { name }),
            BodyLength::Chunked => Ok(()),
            BodyLength::Declared(_) | BodyLength::Missing | BodyLength::Unknown => {
                self.length = BodyLength::Declared(length);
                Ok(())
            }
        }
    }

    fn read_content_type(&mut self, name: String, value: String) -> Result<(), Rejection> {
        if self.content_type.as_ref().is_some_and(|sent| *sent != value) {
            return Err(Rejection::DifferentHeader { name });
        }
        self.content_type = Some(value.clone());
        self.read_header("content-type".to_owned(), name, value)
    }

    fn read_header(&mut self, header: String, name: String, value: String) -> Result<(), Rejection> {
        check_signable(&name, &header, &value)?;
        self.check_value(&name, &header, &value)?;
        if self.is_new(&header, name, &value)? {
            self.headers.push((header, value));
        }
        Ok(())
    }

    fn read_query_header(&mut self, header: String, name: String, value: String) -> Result<(), Rejection> {
        check_signable(&name, &header, &value)?;
        self.check_value(&name, &header, &value)?;
        if self.is_new(&header, name, &value)? {
            self.query_headers.push((header, value));
        }
        Ok(())
    }

    /// Returns false if the request already has this value for the header, and rejects another value.
    fn is_new(&self, header: &str, name: String, value: &str) -> Result<bool, Rejection> {
        let mut values = self.headers.iter().chain(&self.query_headers);
        match values.find(|(sent, _)| sent == header) {
            Some((_, sent)) if sent != value => Err(Rejection::DifferentHeader { name }),
            sent => Ok(sent.is_none()),
        }
    }

    /// Rejects a value of the header or parameter `name` of S3 that S3 would reject later.
    fn check_value(&self, parameter: &str, name: &str, value: &str) -> Result<(), Rejection> {
        check_value(self.operation, name, value).map_err(|problem| bad_value(parameter, &problem))
    }
}
