//! The log line of a request. It never contains a query, a header or a URL.

use std::time::Duration;

use tracing::Level;

use crate::auth::Principal;
use crate::decide::{LfsLocks, ListingDecision, RejectedRequest, RejectionContext};
use crate::dialect::Dialect;
use crate::error::chain;
use crate::key::ObjectKey;
use crate::plan::{Instruction, SignedPostForm};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{RequestError, ServiceFailure};

/// The fields of the log line of a request, or of one part of a bulk request.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLog {
    /// The message of the line: the result in one word.
    outcome: &'static str,
    user_id: Option<String>,
    rule: Option<String>,
    operation: Option<&'static str>,
    key: Option<String>,
    /// The storage key, or the prefix of storage keys, if it differs from the public key.
    object: Option<String>,
    /// The bucket of the key, if it is not the bucket of the setting `SIGNPOST_BUCKET`.
    bucket: Option<String>,
    /// The error code of a rejection.
    code: Option<&'static str>,
    /// The name of a rejection, which is more exact than the code.
    rejection: Option<&'static str>,
    /// True if the caller sent a secret of a token that is not its newest one.
    older_secret: Option<bool>,
    /// The error of a failure, with all its causes.
    error: Option<String>,
    expires_in: Option<u64>,
    /// The id of the share link that was created.
    link: Option<String>,
    /// The number of parts of a bulk request.
    requests: Option<usize>,
}

/// The status and the duration of a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseStats {
    pub(super) status: u16,
    pub(super) duration: Duration,
    /// True for the first request of this process.
    pub(super) cold: bool,
}

impl RequestLog {
    pub(super) fn new(outcome: &'static str) -> Self {
        Self {
            outcome,
            ..Self::default()
        }
    }

    /// Returns the log of a bulk request.
    pub(super) fn bulk(requests: usize) -> Self {
        Self {
            requests: Some(requests),
            ..Self::new("signed")
        }
    }

    pub(super) fn signed(instruction: &Instruction) -> Self {
        let plan = &instruction.plan;
        Self {
            user_id: Some(plan.scope.user_id.clone()),
            rule: Some(plan.scope.rule.clone()),
            operation: Some(plan.operation.name()),
            key: Some(plan.public_key.as_str().to_owned()),
            object: (plan.key != plan.public_key).then(|| plan.key.as_str().to_owned()),
            expires_in: Some(instruction.expires_in.as_secs()),
            ..Self::new("signed")
        }
    }

    pub(super) fn signed_form(form: &SignedPostForm) -> Self {
        let plan = &form.plan;
        Self {
            user_id: Some(plan.scope.user_id.clone()),
            rule: Some(plan.scope.rule.clone()),
            operation: Some("PostObject"),
            key: Some(plan.public_key.field()),
            object: (plan.key != plan.public_key).then(|| plan.key.field()),
            expires_in: Some(form.expires_in.as_secs()),
            ..Self::new("signed")
        }
    }

    pub(super) fn listed(list: &ListingDecision) -> Self {
        let view = &list.view;
        Self {
            user_id: Some(view.principal.user_id().to_owned()),
            rule: list.plan.as_ref().map(|plan| plan.scope.rule.clone()),
            operation: Some(view.request.listing.name()),
            key: Some(view.request.prefix.clone()),
            object: storage_prefix(list),
            ..Self::new("listed")
        }
    }

    /// Returns the log of a request for the locks of a repository, or for the lock on one file.
    pub(super) fn locks(outcome: &'static str, locks: &LfsLocks, path: Option<&str>) -> Self {
        Self {
            user_id: Some(locks.user_id().to_owned()),
            key: Some(locks.key(path)),
            ..Self::new(outcome)
        }
    }

    /// Returns the log of a page about one object.
    pub(super) fn object_page(key: &ObjectKey) -> Self {
        Self {
            key: Some(key.as_str().to_owned()),
            ..Self::new("shown")
        }
    }

    /// Returns the log of a deletion by Signpost itself.
    pub(super) fn deleted(instruction: &Instruction) -> Self {
        Self {
            outcome: "deleted",
            ..Self::signed(instruction)
        }
    }

    pub(super) fn identified(principal: &Principal) -> Self {
        Self {
            user_id: Some(principal.user_id().to_owned()),
            ..Self::new("identified")
        }
    }

    pub(super) fn shared(link: &str) -> Self {
        Self {
            link: Some(link.to_owned()),
            ..Self::new("shared")
        }
    }

    pub(super) fn rejected(refused: &RejectedRequest) -> Self {
        let RejectionContext {
            user_id,
            rule,
            operation,
            key,
        } = (*refused.context).clone();
        Self {
            user_id,
            rule,
            operation,
            key,
            code: Some(refused.rejection.code()),
            rejection: Some(refused.rejection.name()),
            ..Self::new("refused")
        }
    }

    /// The bucket of a mount, if the request was for one.
    pub(super) fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    pub(super) fn not_signed(error: &RequestError) -> Self {
        match error {
            RequestError::Rejected(refused) => Self::rejected(refused),
            RequestError::Failed(failure) => Self::failed(failure),
        }
    }

    /// Adds the bucket of the mount that contains the key.
    pub(super) fn with_bucket(self, policy: &Policy) -> Self {
        let mount = self.key.as_deref().and_then(|key| policy.mounts.find(key));
        let bucket = mount.filter(|mount| !mount.is_root()).map(|mount| mount.bucket.clone());
        Self { bucket, ..self }
    }

    /// Adds that the caller sent a secret of a token that is not its newest one.
    pub(super) fn with_older_secret(self, older_secret: bool) -> Self {
        Self {
            older_secret: older_secret.then_some(true),
            ..self
        }
    }

    pub(super) fn failed(failure: &ServiceFailure) -> Self {
        Self {
            key: failure.unavailable_mount().map(str::to_owned),
            error: Some(chain(failure)),
            ..Self::new("failed")
        }
    }

    /// Returns true if the service failed. A rejection with status 503, such as that of a prefetch, is not a failure.
    pub(super) const fn is_failure(&self) -> bool {
        self.error.is_some()
    }

    /// Writes the line of the complete request.
    pub(super) fn emit(&self, request: &ApiRequest, stats: ResponseStats) {
        self.write_line(request, Some(stats));
    }

    /// Writes a line for one part of a bulk request.
    pub(super) fn emit_part(&self, request: &ApiRequest) {
        self.write_line(request, None);
    }

    fn write_line(&self, request: &ApiRequest, stats: Option<ResponseStats>) {
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    request.id = request.request_id,
                    request.invocation = request.invocation,
                    request.method = %request.method.escape_debug(),
                    trace.id = trace_id(request),
                    trace.xray = xray_root(request),
                    dialect = request.dialect().map(Dialect::name),
                    user_id = self.user_id,
                    rule = self.rule,
                    operation = self.operation,
                    key = self.key,
                    object = self.object,
                    bucket = self.bucket,
                    code = self.code,
                    rejection = self.rejection,
                    older_secret = self.older_secret,
                    error = self.error,
                    expires_in = self.expires_in,
                    link = self.link,
                    requests = self.requests,
                    status = stats.map(|stats| stats.status),
                    duration_ms = stats.map(|stats| milliseconds(stats.duration)),
                    cold = stats.is_some_and(|stats| stats.cold).then_some(true),
                    "{}",
                    self.outcome
                )
            };
        }
        if self.is_failure() {
            line!(Level::ERROR);
        } else {
            line!(Level::INFO);
        }
    }
}

/// Returns the prefix of the storage keys of a listing, if it differs from the prefix of the public keys.
fn storage_prefix(list: &ListingDecision) -> Option<String> {
    let prefix = &list.view.request.prefix;
    let mount = &list.plan.as_ref()?.scope.mount;
    Some(mount.storage_key(prefix)).filter(|stored| stored != prefix)
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Returns the trace id of the client or a front
/// ([W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)).
fn trace_id(request: &ApiRequest) -> Option<&str> {
    let header = request.headers.get("traceparent")?.to_str().ok()?;
    let id = header.split('-').nth(1)?;
    (id.len() == 32 && is_hex(id)).then_some(id)
}

/// Returns the trace id of AWS X-Ray
/// ([tracing header](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader)).
fn xray_root(request: &ApiRequest) -> Option<&str> {
    let header = request.headers.get("x-amzn-trace-id")?.to_str().ok()?;
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    (root.len() == 35 && root.starts_with("1-") && root.split('-').all(is_hex)).then_some(root)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
