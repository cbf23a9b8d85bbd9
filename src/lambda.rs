//! The Lambda function: the runtime around the handler, and its log.
//!
//! The events are read field by field (`adapters::event`) and not through `lambda_http::Request`, whose URI is lossy and
//! whose building panics on a malformed host or query. Of `lambda_http` this uses the runtime.

use std::convert::Infallible;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use lambda_http::lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{ConfigError, Settings};
use crate::error::chain;
use crate::fronts::Front;
use crate::outbound::aws::CredentialSource;
use crate::response;
use crate::service::handler::Handler;

/// Why the function ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the Lambda runtime ended")]
    Runtime(#[source] lambda_http::Error),
}

/// Runs the function until the sandbox ends; what stops the start-up is logged.
pub async fn run() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signpost: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), RunError> {
    let settings = Settings::from_env(environment())?;
    log_as(settings.log);
    let handler = Arc::new(Handler::start(settings, CredentialSource::environment().await).await?);
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move {
            let now = SystemTime::now();
            let response = respond(&handler, event.payload.get(), &event.context.request_id, now).await;
            Ok::<_, Infallible>(RawValue::from_string(response).expect("the response is JSON"))
        }
    });
    // Not `lambda_runtime::run`, which puts a span around each event, dearer than the line that it is written into.
    Runtime::new(service).run().await.map_err(RunError::Runtime)
}

/// The environment. What is not Unicode is no value that a setting takes, so its parser may refuse what is left of it.
fn environment() -> impl Iterator<Item = (String, String)> {
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (lossy(name), lossy(value)))
}

/// One JSON line for each log event, on standard output as Lambda wants it.
fn log_as(level: LevelFilter) {
    log_to(std::io::stdout, level).init();
}

/// Of other crates only errors are told: at `trace` the runtime logs whole requests with their credentials, and the
/// signer what it signs.
fn log_to(
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
    level: LevelFilter,
) -> impl Subscriber + Send + Sync {
    let others = level.min(LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
    let filter = Targets::new().with_default(others).with_target("signpost", level);
    tracing_subscriber::registry()
        .with(lines.with_target(false).with_writer(writer))
        .with(filter)
}

/// Handles one event and returns the response as JSON for the front that sent it. `invocation` is Lambda's own id of the
/// request.
pub async fn respond(handler: &Handler, event: &str, invocation: &str, now: SystemTime) -> String {
    match Front::parse(event, handler.address(), invocation) {
        Ok((front, request)) => front.render(&handler.handle(&request, now).await),
        Err(failure) => {
            tracing::error!(request.invocation = invocation, error = %failure, "could not read the event");
            Front::Rest.render(&response::failure(None, invocation, &failure))
        }
    }
}

#[cfg(test)]
mod tests;
