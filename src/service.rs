//! The application: answers each request by deciding, signing and logging.

mod active_policy;
pub mod handler;
mod listing;
mod metrics;
mod object_page;
mod request_log;
mod sign_in;
