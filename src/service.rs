//! The application: it decides about each request, carries out the decision, and logs the result.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`request_log`]: the log line of a request.
//! 2. [`metrics`]: the metrics of a request.
//! 3. [`active_secret`]: secrets that are stored outside the function.
//! 4. [`active_policy`]: the policy that decides about requests.
//! 5. [`handler`]: the handler of requests.
//! 6. [`listing`]: requests for listings.
//! 7. [`object_page`]: pages about one object.
//! 8. [`sign_in`]: sign-in and sign-out.
//! 9. [`lfs_batch`]: batches of git-lfs.
//! 10. [`lfs_locks`]: locks of git-lfs.
//! 11. [`dialect`]: requests of dialects.

mod active_policy;
mod active_secret;
mod dialect;
pub mod handler;
mod lfs_batch;
mod lfs_locks;
mod listing;
mod metrics;
mod object_page;
mod request_log;
mod sign_in;
