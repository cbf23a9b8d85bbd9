//! The plan of one operation: the request of the client, with the additions and limits of the rule.

use std::time::Duration;

use super::attachment::{attachment, file_name};
use super::authorized_request::AuthorizedRequest;
use crate::operation::{Action, CLIENT_SETTABLE, OBJECT_SIZE, Operation, uses_kms_key};
use crate::plan::{AUDIT, ObjectLocation, PresignPlan};
use crate::policy::{Constraints, Disposition, Grant, MIN_LIFETIME};
use crate::rejection::{MAX_OBJECT_BYTES, MAX_PUT_BYTES, MIN_PART_BYTES, Rejection};
use crate::request::{BodyLength, ObjectRequest, Pairs, ResponseFormat, parse_length};

/// The plan to sign for an authorized request.
pub(super) fn plan(
    object_request: ObjectRequest,
    authorized: AuthorizedRequest<'_>,
    request_id: &str,
) -> Result<PresignPlan<ObjectLocation>, Rejection> {
    let AuthorizedRequest {
        grant,
        scope,
        location,
        link_use,
    } = authorized;
    check_client_settings(&object_request, grant)?;
    let expires = lifetime(object_request.expires, grant.constraints.expires)?;
    let mut builder = PlanBuilder {
        query_headers: object_request.query_headers.clone(),
        headers: object_request.headers.clone(),
        query: object_request.query.clone(),
    };
    builder.add_operation(&object_request, grant, &location)?;
    builder.check_size()?;
    let reuse_url_for = reuse_window(&object_request, expires, grant.constraints).filter(|_| link_use.is_none());
    // A reused URL cannot contain the id of one request.
    let request_id = reuse_url_for.map_or(request_id, |_| "-");
    let audit = format!("{request_id}.{}.{}", scope.user_id, scope.rule);
    builder.query.push((AUDIT.into(), audit));
    let (headers, query) = builder.finish(object_request.format);
    Ok(PresignPlan {
        operation: object_request.operation,
        key: location,
        public_key: object_request.key,
        headers,
        query,
        expires,
        reuse_url_for,
        scope,
        link_use,
    })
}

/// How long the URL is reused. `None` if the client requests a lifetime that is too short for it.
fn reuse_window(object_request: &ObjectRequest, expires: Duration, constraints: &Constraints) -> Option<Duration> {
    let fits = |window: &Duration| *window + MIN_LIFETIME <= expires;
    constraints
        .reuse_url_for
        .filter(fits)
        .filter(|_| object_request.operation.action() == Action::Read)
}

/// The headers that describe an uploaded object: those of the client and those of the rule.
pub(super) fn object_headers(object_request: &ObjectRequest, grant: Grant<'_>) -> Result<Pairs, Rejection> {
    check_client_settings(object_request, grant)?;
    let mut builder = PlanBuilder {
        query_headers: object_request.query_headers.clone(),
        headers: Vec::new(),
        query: Vec::new(),
    };
    builder.rule_settings(grant.constraints)?;
    builder.check_size()?;
    Ok(builder.query_headers)
}

/// Rejects parameters and headers that the rule does not allow the client to set.
fn check_client_settings(object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
    let settings = object_request
        .headers
        .iter()
        .chain(&object_request.query_headers)
        .chain(&object_request.query);
    for (name, _) in settings {
        let restricted = CLIENT_SETTABLE.iter().find(|settable| **settable == name);
        if let Some(name) = restricted.filter(|name| !grant.constraints.client_may_set(name)) {
            return Err(Rejection::NotClientSettable { name });
        }
    }
    Ok(())
}

/// The lifetime of the signature: the requested one, or the maximum of the rule.
pub(super) fn lifetime(requested: Option<Duration>, allowed: Duration) -> Result<Duration, Rejection> {
    match requested {
        Some(requested) if requested > allowed => Err(Rejection::BadValue {
            name: "expires".into(),
            problem: format!("the rule allows at most {}", humantime::format_duration(allowed)),
        }),
        Some(requested) => Ok(requested),
        None => Ok(allowed),
    }
}

/// S3's limit on user metadata
/// ([object metadata](https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html)).
const MAX_METADATA_BYTES: usize = 2048;

/// The maximum size of all signed values: more than requests need, and less than gateways, clients and S3 accept in a
/// URL.
const MAX_SIGNED_BYTES: usize = 4096;

/// Builds a plan. The format of the response decides whether `query_headers` become signed headers or query parameters.
struct PlanBuilder {
    query_headers: Pairs,
    headers: Pairs,
    query: Pairs,
}

impl PlanBuilder {
    /// Applies the rule to the headers and the query of the operation.
    fn add_operation(
        &mut self,
        request: &ObjectRequest,
        grant: Grant<'_>,
        location: &ObjectLocation,
    ) -> Result<(), Rejection> {
        match request.operation {
            Operation::PutObject => self.upload(request, grant),
            Operation::GetObject => self.download(request, grant, location),
            Operation::CreateMultipartUpload => self.start_multipart(request, grant),
            Operation::UploadPart => self.upload_part(request, grant),
            Operation::CompleteMultipartUpload => self.complete_multipart(grant),
            Operation::HeadObject
            | Operation::DeleteObject
            | Operation::ListParts
            | Operation::AbortMultipartUpload => Ok(()),
        }
    }

    fn upload(&mut self, object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        self.sign_length(object_request, grant)?;
        self.forbid_overwrite(grant.constraints.overwrite)?;
        self.describe(object_request, grant)
    }

    fn upload_part(&mut self, object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        if let BodyLength::Declared(length) = object_request.length {
            check_part(&object_request.query, length, grant.constraints.max_bytes)?;
        }
        self.sign_length(object_request, grant)
    }

    fn start_multipart(&mut self, object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        if let Some(length) = object_request.object_size {
            grant.constraints.check_object(length)?;
        }
        self.describe(object_request, grant)
    }

    /// S3 knows the size of the object, and whether it overwrites another one, only at this step.
    fn complete_multipart(&mut self, grant: Grant<'_>) -> Result<(), Rejection> {
        let max_bytes = grant.constraints.max_bytes;
        match self.value(OBJECT_SIZE).map(|value| parse_length(OBJECT_SIZE, value)) {
            Some(length) => grant.constraints.check_object(length?)?,
            None if max_bytes < MAX_OBJECT_BYTES => return Err(Rejection::ObjectSizeRequired { max_bytes }),
            None => {}
        }
        self.forbid_overwrite(grant.constraints.overwrite)
    }

    fn sign_length(&mut self, object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        if let Some(length) = signed_length(object_request, grant.constraints)? {
            self.headers.push(("content-length".into(), length.to_string()));
        }
        Ok(())
    }

    /// Adds the headers that describe the object.
    fn describe(&mut self, object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        self.content_type(object_request, grant)?;
        self.rule_settings(grant.constraints)
    }

    /// Adds the headers that the rule sets for every object.
    fn rule_settings(&mut self, constraints: &Constraints) -> Result<(), Rejection> {
        for (name, value) in &constraints.metadata {
            self.enforce(&format!("x-amz-meta-{name}"), value)?;
        }
        let headers = [
            ("x-amz-storage-class", &constraints.storage_class),
            ("x-amz-server-side-encryption", &constraints.sse),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                &constraints.sse_kms_key_id,
            ),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                self.enforce(name, value)?;
            }
        }
        self.check_kms_key()
    }

    /// S3 accepts a KMS key only together with an encryption that uses one.
    fn check_kms_key(&self) -> Result<(), Rejection> {
        const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
        let encryption = self.value("x-amz-server-side-encryption");
        if self.value(KEY).is_some() && !encryption.is_some_and(uses_kms_key) {
            return Err(Rejection::BadValue {
                name: KEY.into(),
                problem: "requires x-amz-server-side-encryption: aws:kms or aws:kms:dsse".into(),
            });
        }
        Ok(())
    }

    fn content_type(&mut self, object_request: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        grant
            .constraints
            .check_content_type(object_request.content_type.as_deref())?;
        let is_missing = !grant.constraints.content_types.is_empty() && self.value("content-type").is_none();
        if let Some(content_type) = object_request.content_type.as_ref().filter(|_| is_missing) {
            self.headers.push(("content-type".into(), content_type.clone()));
        }
        Ok(())
    }

    /// Adds `If-None-Match: *`, with which S3 does not overwrite an object
    /// ([conditional writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)).
    fn forbid_overwrite(&mut self, overwrite: bool) -> Result<(), Rejection> {
        let invalid = |name: &str, problem: &str| {
            Err(Rejection::BadValue {
                name: name.into(),
                problem: problem.into(),
            })
        };
        match (self.value("if-none-match"), self.value("if-match")) {
            (Some(value), _) if value != "*" => invalid("if-none-match", "must be * for an upload"),
            (Some(_), Some(_)) => invalid("if-match", "contradicts if-none-match"),
            (None, Some("*")) => invalid("if-match", "must be the ETag of the object for an upload"),
            (None, Some(_)) if !overwrite => {
                invalid("if-match", "must not be set: the rule does not allow overwriting")
            }
            (None, None) if !overwrite => self.enforce("if-none-match", "*"),
            _ => Ok(()),
        }
    }

    /// Adds a header that the rule sets. Rejects a request with another value.
    fn enforce(&mut self, name: &str, value: &str) -> Result<(), Rejection> {
        match self.value(name) {
            Some(sent) if sent != value => Err(Rejection::BadValue {
                name: name.to_owned(),
                problem: "must not be set: the rule sets another value".into(),
            }),
            Some(_) => Ok(()),
            None => {
                self.query_headers.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .chain(&self.query_headers)
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    fn download(
        &mut self,
        object_request: &ObjectRequest,
        grant: Grant<'_>,
        location: &ObjectLocation,
    ) -> Result<(), Rejection> {
        if let Some(value) = grant
            .constraints
            .cache_control
            .as_ref()
            .filter(|_| !self.overrides("response-cache-control"))
        {
            self.query.push(("response-cache-control".into(), value.clone()));
        }
        let is_set = self.overrides("response-content-disposition");
        let disposition = match (&object_request.download, grant.constraints.disposition) {
            (Some(_), _) if is_set => {
                return Err(Rejection::ExclusiveParameters {
                    first: "download",
                    second: "response-content-disposition",
                });
            }
            _ if is_set => return Ok(()),
            (Some(Some(name)), _) => attachment(name),
            (Some(None), _) => attachment(file_name(object_request.key.as_str())),
            // Without a name, browsers would use the id as the file name.
            (None, Disposition::Attachment) if matches!(location, ObjectLocation::Lookup(_)) => {
                attachment(file_name(object_request.key.as_str()))
            }
            (None, Disposition::Attachment) => "attachment".to_owned(),
            (None, Disposition::Inline) => return Ok(()),
        };
        self.query.push(("response-content-disposition".into(), disposition));
        Ok(())
    }

    /// Returns true if the client sets this header of the response.
    fn overrides(&self, parameter: &str) -> bool {
        self.query.iter().any(|(name, _)| name == parameter)
    }

    /// Rejects requests that are too large for a URL or for S3.
    fn check_size(&self) -> Result<(), Rejection> {
        let pairs = || self.headers.iter().chain(&self.query_headers).chain(&self.query);
        let bytes: usize = pairs().map(|(name, value)| name.len() + value.len()).sum();
        let metadata = pairs().filter_map(|(name, value)| Some(name.strip_prefix("x-amz-meta-")?.len() + value.len()));
        for (sum, max_bytes, name) in [
            (metadata.sum::<usize>(), MAX_METADATA_BYTES, "the user metadata"),
            (bytes, MAX_SIGNED_BYTES, "the signed part of the request"),
        ] {
            if sum > max_bytes {
                return Err(Rejection::BadValue {
                    name: name.to_owned(),
                    problem: format!("has {sum} bytes, and the limit is {max_bytes}"),
                });
            }
        }
        Ok(())
    }

    /// Returns the headers and the query. With a redirect or a bare URL, the client sends no headers, and S3 reads them
    /// from the signed query. JSON contains the headers for the client, and every S3 implementation enforces those.
    fn finish(mut self, format: ResponseFormat) -> (Pairs, Pairs) {
        match format {
            ResponseFormat::Redirect | ResponseFormat::Text | ResponseFormat::KeyAndText => {
                self.query.extend(
                    self.query_headers
                        .drain(..)
                        .map(|(name, value)| (query_spelling(name), value)),
                );
            }
            ResponseFormat::Json | ResponseFormat::GoExample => self.headers.append(&mut self.query_headers),
        }
        (self.headers, self.query)
    }
}

/// The spelling in which S3 accepts a header as a query parameter. Names with `x-amz-` are in lower case.
fn query_spelling(header: String) -> String {
    match header.as_str() {
        "if-match" => "If-Match".to_owned(),
        "if-none-match" => "If-None-Match".to_owned(),
        _ => header,
    }
}

/// Rejects a part that would make the object too large, so that no client can store parts without limit. S3 checks the
/// size of the object only when the upload is completed.
fn check_part(query: &Pairs, length: u64, max_bytes: u64) -> Result<(), Rejection> {
    let number = query.iter().find(|(name, _)| name == "partNumber");
    let number: u64 = number.and_then(|(_, number)| number.parse().ok()).unwrap_or(1);
    let parts_before = number.saturating_sub(1).saturating_mul(MIN_PART_BYTES);
    if parts_before.saturating_add(length) > max_bytes {
        return Err(Rejection::PartTooLarge {
            number,
            length,
            max_bytes,
        });
    }
    Ok(())
}

/// The length to sign. S3 rejects a body with another length.
fn signed_length(object_request: &ObjectRequest, constraints: &Constraints) -> Result<Option<u64>, Rejection> {
    let max_bytes = constraints.max_bytes;
    let is_limited = max_bytes < max_stored_bytes(object_request.operation);
    if let BodyLength::Declared(length) = object_request.length {
        constraints.check_put(length)?;
    }
    match object_request.length {
        // S3 would reject the redirected request.
        BodyLength::Chunked | BodyLength::Missing => Err(Rejection::NoLength),
        // Without a limit, a client need not send the length of an empty file.
        BodyLength::Declared(length) => Ok(Some(length).filter(|length| *length > 0 || is_limited)),
        BodyLength::Unknown if is_limited => Err(Rejection::LengthRequired { max_bytes }),
        BodyLength::Unknown => Ok(None),
    }
}

/// The maximum size of the object that the operation stores or contributes to, without a limit of the rule.
const fn max_stored_bytes(operation: Operation) -> u64 {
    if matches!(operation, Operation::UploadPart) {
        MAX_OBJECT_BYTES
    } else {
        MAX_PUT_BYTES
    }
}
