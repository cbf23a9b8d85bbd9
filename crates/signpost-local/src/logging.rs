//! Output to standard error, and the library's log events.

use std::fmt::Display;
use std::io::{Write as _, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::access_log::AccessLayer;

/// Enables log events of Signpost up to `level`.
///
/// Events of other crates stay disabled: they can contain complete requests, and a presigned URL is a secret.
pub(crate) fn init_tracing(level: LevelFilter) {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .without_time()
        .with_target(false);
    let targets = Targets::new()
        .with_target("signpost", level)
        .with_target("signpost_local", level);
    let requests = Targets::new().with_target("signpost::service", LevelFilter::INFO);
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .with(AccessLayer.with_filter(requests))
        .try_init();
}

/// Writes one line. Ignores errors, because the server continues if standard error is closed.
pub(crate) fn print_line(text: impl Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}
