//! The Lambda function: the runtime that calls the handler, and the setup of its log.
//!
//! [`crate::fronts`] parses the events, not `lambda_http::Request`: its URI is lossy, and its construction panics on a
//! malformed host or query. Only the runtime of `lambda_http` is used.

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
use crate::fronts::{EventResponse, Front};
use crate::outbound::aws::CredentialSource;
use crate::response;
use crate::service::handler::Handler;

/// The reason why the function ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the Lambda runtime failed")]
    Runtime(#[source] lambda_http::Error),
}

/// Runs the function until its environment ends. An error that stops the start-up is logged.
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
    set_up_log(settings.log);
    let handler = Arc::new(Handler::start(settings, CredentialSource::environment().await).await?);
    handler.prepare(SystemTime::now()).await;
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move {
            let now = SystemTime::now();
            Ok::<_, Infallible>(handle_event(&handler, event.payload.get(), &event.context.request_id, now).await)
        }
    });
    // `lambda_runtime::run` would add a span to each event, which takes more time than the log line itself.
    Runtime::new(service).run().await.map_err(RunError::Runtime)
}

/// Returns the environment. No setting accepts a value that is not Unicode, so the parser of the setting rejects it.
fn environment() -> impl Iterator<Item = (String, String)> {
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (lossy(name), lossy(value)))
}

/// Sets up the log: one JSON line for each event on standard output.
fn set_up_log(level: LevelFilter) {
    json_log(std::io::stdout, level).init();
}

/// Other crates may log only errors. At level `trace`, the runtime logs complete requests with their credentials, and the
/// signer logs the requests that it signs.
fn json_log(
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
#[expect(clippy::missing_panics_doc, reason = "strings and numbers are always JSON")]
pub async fn respond(handler: &Handler, event: &str, invocation: &str, now: SystemTime) -> String {
    let response = handle_event(handler, event, invocation, now).await;
    serde_json::to_string(&response).expect("strings and numbers are JSON")
}

async fn handle_event(handler: &Handler, event: &str, invocation: &str, now: SystemTime) -> EventResponse {
    match Front::parse(event, handler.address(), invocation) {
        Ok((front, request)) => EventResponse {
            front,
            response: handler.handle(&request, now).await,
        },
        Err(failure) => {
            tracing::error!(request.invocation = invocation, error = %failure, "could not read the event");
            EventResponse {
                front: Front::Rest,
                response: response::failure(None, invocation, &failure),
            }
        }
    }
}

#[cfg(test)]
mod tests;
