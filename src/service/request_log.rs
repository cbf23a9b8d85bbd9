//! What came of one request: a line in the log, and what the metrics count. Never a query, a header or a URL.

use std::time::Duration;

use tracing::Level;

use crate::decide::{Known, List, Refused};
use crate::error::chain;
use crate::key::ObjectKey;
use crate::plan::{Instruction, PostForm};
use crate::request::ApiRequest;
use crate::response::{RequestError, ServiceFailure};

/// What came of a request, or of one of many that it carried.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// In a word.
    outcome: &'static str,
    user_id: Option<String>,
    rule: Option<String>,
    operation: Option<&'static str>,
    key: Option<String>,
    /// The key in the bucket, where it is another.
    object: Option<String>,
    /// Why it was refused.
    code: Option<&'static str>,
    /// Why it failed, with all causes.
    error: Option<String>,
    expires_in: Option<u64>,
    /// The id of the share link that was made.
    link: Option<String>,
    /// How many requests it carried.
    requests: Option<usize>,
}

/// How and how fast a request was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) took: Duration,
    /// Whether it was the first of this process.
    pub(super) cold: bool,
}

impl Record {
    pub(super) fn of(outcome: &'static str) -> Self {
        Self {
            outcome,
            ..Self::default()
        }
    }

    /// Several requests in one.
    pub(super) fn of_many(requests: usize) -> Self {
        Self {
            requests: Some(requests),
            ..Self::of("signed")
        }
    }

    pub(super) fn signed(instruction: &Instruction) -> Self {
        let plan = &instruction.plan;
        Self {
            user_id: Some(plan.scope.user_id.clone()),
            rule: Some(plan.scope.rule.clone()),
            operation: Some(plan.operation.name()),
            key: Some(plan.name.as_str().to_owned()),
            object: (plan.key != plan.name).then(|| plan.key.as_str().to_owned()),
            expires_in: Some(instruction.expires_in.as_secs()),
            ..Self::of("signed")
        }
    }

    pub(super) fn signed_form(form: &PostForm) -> Self {
        let plan = &form.plan;
        Self {
            user_id: Some(plan.scope.user_id.clone()),
            rule: Some(plan.scope.rule.clone()),
            operation: Some("PostObject"),
            key: Some(plan.name.field()),
            object: (plan.key != plan.name).then(|| plan.key.field()),
            expires_in: Some(form.expires_in.as_secs()),
            ..Self::of("signed")
        }
    }

    pub(super) fn listed(list: &List) -> Self {
        let view = &list.view;
        Self {
            user_id: Some(view.principal.user_id().to_owned()),
            rule: list.plan.as_ref().map(|plan| plan.scope.rule.clone()),
            operation: Some(view.wanted.listing.name()),
            key: Some(view.wanted.prefix.clone()),
            ..Self::of("listed")
        }
    }

    /// A page about one object.
    pub(super) fn of_page(key: &ObjectKey) -> Self {
        Self {
            key: Some(key.as_str().to_owned()),
            ..Self::of("shown")
        }
    }

    /// What Signpost itself has deleted.
    pub(super) fn deleted(instruction: &Instruction) -> Self {
        Self {
            outcome: "deleted",
            ..Self::signed(instruction)
        }
    }

    pub(super) fn shared(link: &str) -> Self {
        Self {
            link: Some(link.to_owned()),
            ..Self::of("shared")
        }
    }

    pub(super) fn refused(refused: &Refused) -> Self {
        let Known {
            user_id,
            rule,
            operation,
            key,
        } = (*refused.known).clone();
        Self {
            user_id,
            rule,
            operation,
            key,
            code: Some(refused.rejection.code()),
            ..Self::of("refused")
        }
    }

    pub(super) fn troubled(trouble: &RequestError) -> Self {
        match trouble {
            RequestError::Rejected(refused) => Self::refused(refused),
            RequestError::Failed(failure) => Self::failed(failure),
        }
    }

    pub(super) fn failed(failure: &ServiceFailure) -> Self {
        Self {
            error: Some(chain(failure)),
            ..Self::of("failed")
        }
    }

    /// Writes the line of the whole request.
    pub(super) fn tell(&self, request: &ApiRequest, answered: Answered) {
        self.line(request, Some(answered));
    }

    /// Writes a line of its own for one of many requests.
    pub(super) fn tell_part(&self, request: &ApiRequest) {
        self.line(request, None);
    }

    fn line(&self, request: &ApiRequest, answered: Option<Answered>) {
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    request.id = request.request_id,
                    request.invocation = request.invocation,
                    request.method = %request.method.escape_debug(),
                    trace.id = trace_id(request),
                    trace.xray = xray_root(request),
                    user_id = self.user_id,
                    rule = self.rule,
                    operation = self.operation,
                    key = self.key,
                    object = self.object,
                    code = self.code,
                    error = self.error,
                    expires_in = self.expires_in,
                    link = self.link,
                    requests = self.requests,
                    status = answered.map(|answered| answered.status),
                    duration_ms = answered.map(|answered| milliseconds(answered.took)),
                    cold = answered.is_some_and(|answered| answered.cold).then_some(true),
                    "{}",
                    self.outcome
                )
            };
        }
        if self.error.is_some() || answered.is_some_and(|answered| answered.status >= 500) {
            line!(Level::ERROR);
        } else {
            line!(Level::INFO);
        }
    }
}

pub(super) fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// The trace that the client or a front speaks of
/// ([W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)).
fn trace_id(request: &ApiRequest) -> Option<&str> {
    let header = request.headers.get("traceparent")?.to_str().ok()?;
    let id = header.split('-').nth(1)?;
    (id.len() == 32 && is_hex(id)).then_some(id)
}

/// The trace that AWS speaks of
/// ([tracing header](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader)).
fn xray_root(request: &ApiRequest) -> Option<&str> {
    let header = request.headers.get("x-amzn-trace-id")?.to_str().ok()?;
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    (root.len() == 35 && root.starts_with("1-") && root.split('-').all(is_hex)).then_some(root)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
