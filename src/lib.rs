//! Signpost gives private S3 buckets plain URLs. It maps the request path to an object key, decides whether the caller is
//! allowed, and responds with a redirect to a presigned S3 URL.
//!
//! Data flows in one direction. The interface between the core and its shell is a value, the [`plan::PresignPlan`]:
//!
//! ```text
//! event ── fronts ──> ApiRequest ── request ──> ObjectRequest
//!                                                   │
//!                          auth: Principal ── policy: Grant or Rejection
//!                                                   │
//!                                    decide ──> Decision (with a PresignPlan)
//!                                                   │
//!                                  outbound ──> Instruction (with a presigned URL)
//!                                                   │
//!                                  response ──> ApiResponse ── fronts ──> response of the event
//! ```
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`error`]: the text of errors.
//! 2. [`key`]: the object key and its two spellings, raw and as a URL path.
//! 3. [`operation`]: the S3 operations, with their parameters.
//! 4. [`rejection`]: the errors of clients.
//! 5. [`encoding`]: text encodings.
//! 6. [`mount`]: the buckets behind the service, and the public keys that each one stores.
//! 7. [`dialect`]: the paths of tools with their own protocol.
//! 8. [`request`]: the request from a front, and the object request parsed from it.
//! 9. [`auth`]: the identity of the caller.
//! 10. [`policy`]: the rules and their grants.
//! 11. [`plan`]: a request to S3 before it is signed.
//! 12. [`config`]: the settings.
//! 13. [`decide`]: the decision about a request.
//! 14. [`wire`]: the JSON that the service and the `signpost` command exchange.
//! 15. [`response`]: the only module that knows status codes and response headers.
//! 16. [`fronts`]: the events of the AWS services in front of the function.
//! 17. [`outbound`]: calls to other services.
//! 18. [`service`]: the application, which connects all modules above.
//! 19. [`lambda`]: the runtime of the Lambda function.

pub mod error;
pub mod key;
pub mod operation;
pub mod rejection;
pub mod encoding;
pub mod mount;
pub mod dialect;
pub mod request;
pub mod auth;
pub mod policy;
pub mod plan;
pub mod config;
pub mod decide;
pub mod wire;
pub mod response;
#[cfg(feature = "aws")]
pub mod fronts;
#[cfg(feature = "aws")]
pub mod outbound;
#[cfg(feature = "aws")]
pub mod service;
#[cfg(feature = "lambda")]
pub mod lambda;

/// The version of this build. Release builds include the commit, such as `1.2.3 (0123abc)`.
pub const BUILD_VERSION: &str = match option_env!("SIGNPOST_BUILD_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
