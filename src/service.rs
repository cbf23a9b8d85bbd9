//! The application: it decides about each request, carries out the decision, and logs the result.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`request_log`]: the log line of a request.
//! 2. [`metrics`]: the metrics of a request.
//! 3. [`active_secret`]: secrets that are stored outside the function.
//! 4. [`active_policy`]: the policy that decides about requests.
//! 5. [`buckets`]: the endpoints and credentials of mounts.
//! 6. [`handler`]: the handler of requests.
//! 7. [`listing`]: requests for listings.
//! 8. [`object_page`]: pages about one object.
//! 9. [`sign_in`]: sign-in and sign-out.
//! 10. [`lfs_batch`]: batches of git-lfs.
//! 11. [`lfs_locks`]: locks of git-lfs.
//! 12. [`dialect`]: requests of dialects.

mod active_policy;
mod active_secret;
mod buckets;
mod dialect;
pub mod handler;
mod lfs_batch;
mod lfs_locks;
mod listing;
mod metrics;
mod object_page;
mod request_log;
mod sign_in;

pub use active_policy::local_rules;
