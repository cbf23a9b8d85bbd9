//! The shell around the core: AWS, the Lambda fronts, and the handler that wires the parts.

pub mod aws;
pub mod handler;
pub(crate) mod https;
mod metrics;
mod providers;
mod record;
mod rules;
mod sign_in;
mod table;
#[cfg(feature = "lambda")]
mod answer;
#[cfg(feature = "lambda")]
pub mod event;
#[cfg(feature = "lambda")]
mod identity;
#[cfg(feature = "lambda")]
pub mod lambda;
