//! The plan of one operation: what the client asked for, and what the rule adds and forbids.

use std::time::Duration;

use super::Permit;
use crate::operation::{Action, CLIENT_SETTABLE, OBJECT_SIZE, Operation};
use crate::plan::{Kept, PresignPlan};
use crate::policy::{Constraints, Disposition, Grant, MIN_LIFETIME};
use crate::rejection::{MAX_OBJECT_BYTES, MAX_PUT_BYTES, Rejection};
use crate::request::{BodyLength, Form, ObjectRequest, Pairs, parse_length};

/// What to sign for `wanted` under `grant`.
pub(super) fn plan(
    wanted: ObjectRequest,
    permit: Permit<'_>,
    request_id: &str,
) -> Result<PresignPlan<Kept>, Rejection> {
    let Permit {
        grant,
        scope,
        kept,
        counted,
    } = permit;
    check_choices(&wanted, grant)?;
    let expires = lifetime(wanted.expires, grant.constraints.expires)?;
    let mut draft = Draft {
        applied: wanted.applied.clone(),
        headers: wanted.headers.clone(),
        query: wanted.query.clone(),
    };
    match wanted.operation {
        Operation::PutObject => draft.upload(&wanted, grant)?,
        Operation::GetObject => draft.download(&wanted, grant, &kept)?,
        Operation::CreateMultipartUpload => draft.begin(&wanted, grant)?,
        Operation::UploadPart => draft.length(&wanted, grant)?,
        Operation::CompleteMultipartUpload => draft.complete(grant)?,
        Operation::HeadObject | Operation::DeleteObject | Operation::ListParts | Operation::AbortMultipartUpload => {}
    }
    draft.check_size()?;
    // S3 ignores parameters that begin with `x-` and writes them to its access log.
    let reuse_url_for = stable_for(&wanted, expires, grant.constraints).filter(|_| counted.is_none());
    // A URL that stays the same can't name one request.
    let request_id = reuse_url_for.map_or(request_id, |_| "-");
    let audit = format!("{request_id}.{}.{}", scope.user_id, scope.rule);
    draft.query.push(("x-signpost".into(), audit));
    let (headers, query) = draft.settle(wanted.form);
    Ok(PresignPlan {
        operation: wanted.operation,
        key: kept,
        name: wanted.key,
        headers,
        query,
        expires,
        reuse_url_for,
        scope,
        counted,
    })
}

/// For how long the URL of `wanted` is to stay the same: not where the client wants one so short that it would end first.
fn stable_for(wanted: &ObjectRequest, expires: Duration, constraints: &Constraints) -> Option<Duration> {
    let outlived = |window: &Duration| *window + MIN_LIFETIME <= expires;
    constraints
        .reuse_url_for
        .filter(outlived)
        .filter(|_| wanted.operation.action() == Action::Read)
}

/// The headers that describe the object of `wanted`: what the client chose, and what the rule sets.
pub(super) fn described_by(wanted: &ObjectRequest, grant: Grant<'_>) -> Result<Pairs, Rejection> {
    check_choices(wanted, grant)?;
    let mut draft = Draft {
        applied: wanted.applied.clone(),
        headers: Vec::new(),
        query: Vec::new(),
    };
    draft.settings(grant.constraints)?;
    draft.check_size()?;
    Ok(draft.applied)
}

/// Refuses what the rule does not let the client choose.
fn check_choices(wanted: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
    let chosen = wanted.headers.iter().chain(&wanted.applied).chain(&wanted.query);
    for (name, _) in chosen {
        let restricted = CLIENT_SETTABLE.iter().find(|acceptable| **acceptable == name);
        if let Some(name) = restricted.filter(|name| !grant.constraints.client_may_set(name)) {
            return Err(Rejection::NotAccepted { name });
        }
    }
    Ok(())
}

/// The lifetime to sign for.
pub(super) fn lifetime(asked: Option<Duration>, allowed: Duration) -> Result<Duration, Rejection> {
    match asked {
        Some(asked) if asked > allowed => Err(Rejection::BadValue {
            name: "expires".into(),
            problem: format!("the rule allows at most {}", humantime::format_duration(allowed)),
        }),
        Some(asked) => Ok(asked),
        None => Ok(allowed),
    }
}

/// S3's limit on user metadata
/// ([object metadata](https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html)).
const MAX_METADATA_BYTES: usize = 2048;

/// Well above what requests hold, and well below what gateways, clients and S3 take as a URL.
const MAX_SIGNED_BYTES: usize = 4096;

/// The longest file name that file systems keep, in characters.
const MAX_FILE_NAME: usize = 255;

/// A plan in the making. What stands in `applied` becomes a signed header or a signed query parameter at the end.
struct Draft {
    applied: Pairs,
    headers: Pairs,
    query: Pairs,
}

impl Draft {
    fn upload(&mut self, wanted: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        self.length(wanted, grant)?;
        self.create_only(grant.constraints.overwrite)?;
        self.describe(wanted, grant)
    }

    fn begin(&mut self, wanted: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        if let Some(length) = wanted.object_size {
            grant.constraints.check_object(length)?;
        }
        self.describe(wanted, grant)
    }

    /// Only here does S3 know how large the object is and that it is about to replace another.
    fn complete(&mut self, grant: Grant<'_>) -> Result<(), Rejection> {
        let max_bytes = grant.constraints.max_bytes;
        match self.value(OBJECT_SIZE).map(|value| parse_length(OBJECT_SIZE, value)) {
            Some(length) => grant.constraints.check_object(length?)?,
            None if max_bytes < MAX_OBJECT_BYTES => return Err(Rejection::ObjectSizeRequired { max_bytes }),
            None => {}
        }
        self.create_only(grant.constraints.overwrite)
    }

    fn length(&mut self, wanted: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        if let Some(length) = signed_length(wanted, grant.constraints)? {
            self.headers.push(("content-length".into(), length.to_string()));
        }
        Ok(())
    }

    /// What the object is to be stored with.
    fn describe(&mut self, wanted: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        self.content_type(wanted, grant)?;
        self.settings(grant.constraints)
    }

    /// What the rule sets for every object.
    fn settings(&mut self, constraints: &Constraints) -> Result<(), Rejection> {
        for (name, value) in &constraints.metadata {
            self.enforce(&format!("x-amz-meta-{name}"), value)?;
        }
        let settled = [
            ("x-amz-storage-class", &constraints.storage_class),
            ("x-amz-server-side-encryption", &constraints.sse),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                &constraints.sse_kms_key_id,
            ),
        ];
        for (name, value) in settled {
            if let Some(value) = value {
                self.enforce(name, value)?;
            }
        }
        Ok(())
    }

    fn content_type(&mut self, wanted: &ObjectRequest, grant: Grant<'_>) -> Result<(), Rejection> {
        grant.constraints.check_content_type(wanted.content_type.as_deref())?;
        let constrained = !grant.constraints.content_types.is_empty() && self.value("content-type").is_none();
        if let Some(content_type) = wanted.content_type.as_ref().filter(|_| constrained) {
            self.headers.push(("content-type".into(), content_type.clone()));
        }
        Ok(())
    }

    /// `If-None-Match: *` makes S3 refuse to replace an object
    /// ([conditional writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)).
    fn create_only(&mut self, overwrite: bool) -> Result<(), Rejection> {
        let bad = |name: &str, problem: &str| {
            Err(Rejection::BadValue {
                name: name.into(),
                problem: problem.into(),
            })
        };
        match (self.value("if-none-match"), self.value("if-match")) {
            (Some(value), _) if value != "*" => bad("if-none-match", "S3 takes only * on uploads"),
            (Some(_), Some(_)) => bad("if-match", "contradicts if-none-match"),
            (None, Some(_)) if !overwrite => bad("if-match", "the rule does not let an object be replaced"),
            (None, None) if !overwrite => self.enforce("if-none-match", "*"),
            _ => Ok(()),
        }
    }

    /// Adds what the operator enforces; a client that asks for something else is refused.
    fn enforce(&mut self, name: &str, value: &str) -> Result<(), Rejection> {
        match self.value(name) {
            Some(sent) if sent != value => Err(Rejection::BadValue {
                name: name.to_owned(),
                problem: "the rule sets another value".into(),
            }),
            Some(_) => Ok(()),
            None => {
                self.applied.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .chain(&self.applied)
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    fn download(&mut self, wanted: &ObjectRequest, grant: Grant<'_>, kept: &Kept) -> Result<(), Rejection> {
        if let Some(value) = grant
            .constraints
            .cache_control
            .as_ref()
            .filter(|_| !self.overrides("response-cache-control"))
        {
            self.query.push(("response-cache-control".into(), value.clone()));
        }
        let chosen = self.overrides("response-content-disposition");
        let disposition = match (&wanted.download, grant.constraints.disposition) {
            (Some(_), _) if chosen => {
                return Err(Rejection::ConflictingParameter {
                    name: "download".into(),
                });
            }
            _ if chosen => return Ok(()),
            (Some(Some(name)), _) => attachment(name),
            (Some(None), _) => attachment(file_name(wanted.key.as_str())),
            // Or the file would be called like the id.
            (None, Disposition::Attachment) if matches!(kept, Kept::By(_)) => {
                attachment(file_name(wanted.key.as_str()))
            }
            (None, Disposition::Attachment) => "attachment".to_owned(),
            (None, Disposition::Inline) => return Ok(()),
        };
        self.query.push(("response-content-disposition".into(), disposition));
        Ok(())
    }

    /// Whether the client has chosen this header of the answer.
    fn overrides(&self, parameter: &str) -> bool {
        self.query.iter().any(|(name, _)| name == parameter)
    }

    /// Refuses more than a URL or S3 can carry.
    fn check_size(&self) -> Result<(), Rejection> {
        let pairs = || self.headers.iter().chain(&self.applied).chain(&self.query);
        let bytes: usize = pairs().map(|(name, value)| name.len() + value.len()).sum();
        let metadata = pairs().filter_map(|(name, value)| Some(name.strip_prefix("x-amz-meta-")?.len() + value.len()));
        for (sum, max_bytes, what) in [
            (metadata.sum::<usize>(), MAX_METADATA_BYTES, "the user metadata"),
            (bytes, MAX_SIGNED_BYTES, "what is to be signed"),
        ] {
            if sum > max_bytes {
                return Err(Rejection::BadValue {
                    name: what.to_owned(),
                    problem: format!("has {sum} bytes, and the limit is {max_bytes}"),
                });
            }
        }
        Ok(())
    }

    /// In a redirect or a bare URL S3 applies what the signed query says although the client sends nothing; in JSON
    /// the client is told the headers, and every S3 implementation enforces those.
    fn settle(mut self, form: Form) -> (Pairs, Pairs) {
        match form {
            Form::Redirect | Form::Text | Form::KeyAndText => {
                self.query.extend(
                    self.applied
                        .drain(..)
                        .map(|(name, value)| (query_spelling(name), value)),
                );
            }
            Form::Json | Form::GoExample => self.headers.append(&mut self.applied),
        }
        (self.headers, self.query)
    }
}

/// S3 is known to apply these from the query in this spelling; `x-amz-` names in lower case.
fn query_spelling(header: String) -> String {
    match header.as_str() {
        "if-match" => "If-Match".to_owned(),
        "if-none-match" => "If-None-Match".to_owned(),
        _ => header,
    }
}

/// The length to sign, so that S3 refuses whatever arrives shorter or longer.
fn signed_length(wanted: &ObjectRequest, constraints: &Constraints) -> Result<Option<u64>, Rejection> {
    let max_bytes = constraints.max_bytes;
    let limited = max_bytes < MAX_PUT_BYTES;
    if let BodyLength::Declared(length) = wanted.length {
        constraints.check_put(length)?;
    }
    match wanted.length {
        BodyLength::Chunked => Err(Rejection::NoLength),
        // S3 would answer the redirected request so.
        BodyLength::Undeclared if wanted.form == Form::Redirect => Err(Rejection::NoLength),
        BodyLength::Declared(length) if length > 0 => Ok(Some(length)),
        // An empty file, sent as such.
        BodyLength::Declared(_) if limited && wanted.form == Form::Redirect => Ok(Some(0)),
        BodyLength::Declared(_) | BodyLength::Undeclared | BodyLength::Untold if limited => {
            Err(Rejection::LengthRequired { max_bytes })
        }
        BodyLength::Declared(_) | BodyLength::Undeclared | BodyLength::Untold => Ok(None),
    }
}

fn file_name(key: &str) -> &str {
    key.trim_end_matches('/').rsplit('/').next().unwrap_or(key)
}

/// `attachment` with a file name, in ASCII for old clients and exactly by RFC 8187
/// ([RFC 6266](https://www.rfc-editor.org/rfc/rfc6266)).
fn attachment(name: &str) -> String {
    // Bidirectional controls would show another ending than the one that the file gets.
    let hidden = |char: char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept = |char: char| !(matches!(char, '/' | '\\') || char.is_control() || hidden(char));
    let name = name.chars().take(MAX_FILE_NAME);
    let name: String = name.map(|char| if kept(char) { char } else { '_' }).collect();
    let plain = |char: char| char == ' ' || char.is_ascii_graphic() && !matches!(char, '"' | '%' | ';');
    let fallback: String = name.chars().map(|char| if plain(char) { char } else { '_' }).collect();
    let exact = percent_encoding::utf8_percent_encode(&name, crate::key::QUERY);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}")
}
