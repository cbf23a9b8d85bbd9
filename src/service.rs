//! The application: it decides about each request, carries out the decision, and logs the result.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`request_log`]: the log line of a request.
//! 2. [`metrics`]: the metrics of a request.
//! 3. [`active_policy`]: the policy that decides about requests.
//! 4. [`handler`]: the handler of requests.
//! 5. [`listing`]: requests for listings.
//! 6. [`object_page`]: pages about one object.
//! 7. [`sign_in`]: sign-in and sign-out.

mod active_policy;
pub mod handler;
mod listing;
mod metrics;
mod object_page;
mod request_log;
mod sign_in;
