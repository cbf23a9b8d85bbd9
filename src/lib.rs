//! Signpost gives a private S3 bucket plain URLs: it maps the request path to an object key, decides whether
//! the caller may, and answers with a redirect to a presigned S3 URL.
//!
//! Data flows one way, and the port between the core and its shell is a value, the [`plan::PresignPlan`]:
//!
//! ```text
//! front event ─ adapters::lambda ─> ApiRequest ─ request ─> ObjectRequest
//!                                      │                        │
//!                                 auth: Principal ── policy: Grant or Rejection
//!                                                               │
//!                  decide ───────────────────────────> Decision
//!                                                               │
//!                  adapters::aws ────────────────────> Instruction, Page
//!                                                               │
//!                  response ─────────────────────────> http::Response ─> front
//! ```
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`key`]: the object key and its two spellings, raw and as a URL path.
//! 2. [`operation`]: the S3 operations that can be asked for, with what each takes.
//! 3. [`rejection`]: every way in which a request can be the client's fault.
//! 4. [`request`]: what a front delivered, and the object request parsed from it.
//! 5. [`auth`]: who is asking.
//! 6. [`policy`]: the rules, and what they grant.
//! 7. [`plan`]: what is to be signed, as a value.
//! 8. [`config`]: the settings, each declared once.
//! 9. [`decide`]: from request and rules to a decision.
//! 10. [`wire`]: the JSON that the service and the `signpost` command exchange.
//! 11. [`response`]: the only place that knows status codes and response headers.
//! 12. `adapters`: AWS, the Lambda fronts, and the handler that wires the parts.

pub mod error;
pub mod key;
pub mod encoding;
pub mod operation;
pub mod rejection;
pub mod request;
pub mod auth;
pub mod policy;
pub mod plan;
pub mod config;
pub mod decide;
pub mod wire;
pub mod response;
pub mod fronts;
#[cfg(feature = "aws")]
pub mod outbound;
#[cfg(feature = "aws")]
pub mod service;
#[cfg(feature = "lambda")]
pub mod lambda;
