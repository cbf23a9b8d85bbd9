//! `signpost doctor`: checks a deployment or a share link, or explains a presigned URL or an error.

mod clock_skew;
mod check_result;
mod error_document;
mod front_headers;
mod link_check;
mod presigned_details;
mod s3_error_details;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, DATE, HeaderMap, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use signpost::auth::share::ShareLink;
use signpost::wire::{HealthBody, IdentityBody, ProblemDocument};

use self::check_result::{CheckResult, CheckStatus};
use self::error_document::ErrorDocument;
use self::presigned_details::PresignedDetails;
use self::s3_error_details::S3ErrorDetails;
use crate::SystemAccess;
use crate::command_context::{CommandContext, SourcedCredential};
use crate::command_report::{CommandError, CommandReport};
use crate::credential::is_secure_origin;
use crate::exit_status::ExitStatus;
use crate::http_client::{self, HttpClients};
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::DoctorOptions;
use crate::signing_service::{SigningService, credential_remedy, login_remedy};
use crate::transfer_state::StateFolder;
use crate::{gateway_error, platform};

pub(crate) fn run(options: &DoctorOptions, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| OperationError::io("failed to start the runtime", &error))?;
    let mut context = CommandContext::new(StateFolder::of_user(), system)?;
    let results = runtime.block_on(examine(options, &mut context))?;
    Ok(report(&results, options.connection.json))
}

fn report(results: &[CheckResult], as_json: bool) -> CommandReport {
    let mut out = String::new();
    for check_result in results {
        let CheckResult {
            status,
            message,
            remedy,
            exit_status: _,
        } = check_result;
        let line = if as_json {
            json!({"status": status.name(), "message": message, "remedy": remedy}).to_string()
        } else {
            check_result.to_string()
        };
        writeln!(out, "{line}").expect("writing to a String cannot fail");
    }
    let failed = results
        .iter()
        .find(|check_result| check_result.status == CheckStatus::Failed);
    CommandReport {
        exit_status: failed.map_or(ExitStatus::Success, |check_result| check_result.exit_status),
        ..CommandReport::success(out)
    }
}

async fn examine(
    options: &DoctorOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<Vec<CheckResult>, OperationError> {
    let now = SystemTime::now();
    let subject = read_subject(options, context)?;
    let error = match &options.error {
        Some(file) => Some(parse_error(&read_text(file, context)?)?),
        None => subject.as_deref().and_then(ErrorDocument::parse),
    };
    let url = subject.as_deref().and_then(PresignedDetails::parse);
    if url.is_some() || error.is_some() {
        let mut results = url.as_ref().map_or_else(Vec::new, |url| url.findings(now));
        results.extend(error.iter().flat_map(|error| error.findings(url.as_ref())));
        return Ok(results);
    }
    let base = match subject {
        Some(subject) if is_url(&subject) => subject,
        Some(text) => return Err(unknown_text(&text)),
        None => context.base_url(&options.connection)?.ok_or_else(|| {
            OperationError::usage("no service, URL or error document given")
                .with_remedy("Give the URL of a service, a presigned URL, a share link, or an error document.")
        })?,
    };
    let service_url = ObjectUrl::parse(&base, None)?;
    if let Some(link) = service_url.share_link() {
        return examine_link(&service_url, &link, context, now).await;
    }
    let credential = context.credential(&options.connection, service_url.origin())?;
    let service = ServiceCheck {
        http: HttpClients::new(context.system.variable)?,
        url: service_url.url().trim_end_matches('/').to_owned(),
        origin: service_url.origin().to_owned(),
        credential,
        nonce: nonce(context)?,
    };
    service.examine(now).await
}

/// The text to examine: the argument, or standard input if it is a file or a pipe that is not empty.
fn read_subject(
    options: &DoctorOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<Option<String>, OperationError> {
    let reads_token = options.connection.token_file.as_deref() == Some(Path::new("-"));
    match options.subject.as_deref() {
        Some("-") => read_text(Path::new("-"), context).map(Some),
        Some(subject) => Ok(Some(subject.to_owned())),
        None if options.error.is_some() || reads_token || !platform::has_piped_input() => Ok(None),
        None => Ok(Some(read_text(Path::new("-"), context)?).filter(|text| !text.is_empty())),
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn parse_error(text: &str) -> Result<ErrorDocument, OperationError> {
    ErrorDocument::parse(text).ok_or_else(|| unknown_text(text))
}

fn unknown_text(text: &str) -> OperationError {
    let problem = if text.is_empty() {
        "the text is empty"
    } else {
        "the text is neither a URL nor an error response of Signpost, S3 or a gateway"
    };
    OperationError::usage(problem)
        .with_remedy("Give a complete URL, or the complete body of an error response, such as that of `curl -s URL`.")
}

/// Checks a share link.
async fn examine_link(
    object_url: &ObjectUrl,
    link: &ShareLink,
    context: &CommandContext<'_, '_>,
    now: SystemTime,
) -> Result<Vec<CheckResult>, OperationError> {
    let mut results = link_check::describe(link, now);
    if results.iter().all(|result| result.status != CheckStatus::Failed) {
        let service = SigningService::new(HttpClients::new(context.system.variable)?, None, None);
        let probe = format!("signpost-doctor-{}", nonce(context)?);
        results.push(link_check::verify(&service, object_url, link, &probe).await?);
    }
    Ok(results)
}

/// Reads a file, or standard input.
fn read_text(file: &Path, context: &mut CommandContext<'_, '_>) -> Result<String, OperationError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        context.system.stdin.read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text))
    };
    read.map_err(|error| OperationError::io(format_args!("failed to read {}", file.display()), &error))?;
    Ok(text.trim().to_owned())
}

fn nonce(context: &CommandContext<'_, '_>) -> Result<String, OperationError> {
    let mut bytes = [0; 8];
    (context.system.random)(&mut bytes)
        .map_err(|error| OperationError::io("the system's random number generator failed", &error))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// A service that is being checked.
struct ServiceCheck {
    http: HttpClients,
    url: String,
    origin: String,
    credential: Option<SourcedCredential>,
    /// A random part of a key that does not exist.
    nonce: String,
}

impl ServiceCheck {
    async fn examine(&self, now: SystemTime) -> Result<Vec<CheckResult>, OperationError> {
        let mut results = vec![self.transport()];
        let health = self.ask("/-/health").await?;
        let headers = health.headers().clone();
        let status = health.status();
        let body = http_client::read_body(health).await?;
        let document = serde_json::from_slice::<HealthBody>(&body)
            .ok()
            .filter(|document| document.status == "ok");
        let Some(document) = document.filter(|_| status == StatusCode::OK) else {
            results.push(self.not_signpost("/-/health", status, &String::from_utf8_lossy(&body)));
            return Ok(results);
        };
        results.push(CheckResult::passed(format!("Signpost {} is running", document.version)));
        results.extend(front_headers::findings(&headers, &self.origin));
        results.extend(clock_check("the service", &headers, now));
        let identity = self.check_credential().await?;
        let is_rejected = identity.exit_status == ExitStatus::NotAllowed;
        results.push(identity);
        if !is_rejected {
            results.extend(self.redirect(now).await?);
        }
        Ok(results)
    }

    /// The result for a response to a path of the service that does not come from Signpost.
    fn not_signpost(&self, path: &str, status: StatusCode, body: &str) -> CheckResult {
        let returned = format!(
            "{}{path} returned {status}, which is not a response of Signpost",
            self.url
        );
        match gateway_error::explain(body) {
            Some(error) => CheckResult::failed(format!("{returned}: {}", error.message), error.remedy),
            None => CheckResult::failed(
                returned,
                "Check the URL: it must be the URL of a service, with its stage or base path, and without a key.",
            ),
        }
    }

    /// Sends the credential to the service, and describes the caller.
    async fn check_credential(&self) -> Result<CheckResult, OperationError> {
        let response = self.ask("/-/whoami").await?;
        let status = response.status();
        let body = http_client::read_body(response).await?;
        if status == StatusCode::OK
            && let Ok(identity) = serde_json::from_slice::<IdentityBody>(&body)
        {
            return Ok(CheckResult::passed(match &self.credential {
                Some(sourced) => format!(
                    "the service accepts the credential from {} as {}",
                    sourced.source, identity.caller
                ),
                None => "no credential is configured, so the checks continue without one".to_owned(),
            }));
        }
        let Ok(ProblemDocument { detail: reason, .. }) = serde_json::from_slice(&body) else {
            return Ok(self.not_signpost("/-/whoami", status, &String::from_utf8_lossy(&body)));
        };
        Ok(match &self.credential {
            Some(sourced) => CheckResult::failed(
                format!("the service rejects the credential from {}: {reason}", sourced.source),
                credential_remedy(&self.url),
            ),
            None => CheckResult::failed(
                format!("the service requires a credential: {reason}"),
                login_remedy(&self.url),
            ),
        }
        .with_exit_status(ExitStatus::NotAllowed))
    }

    fn transport(&self) -> CheckResult {
        if self.origin.starts_with("https://") {
            CheckResult::passed("the connection uses TLS and the certificate is valid")
        } else if is_secure_origin(&self.origin) {
            CheckResult::note("the connection does not use TLS, but the service runs on this machine")
        } else {
            CheckResult::failed(
                "the connection does not use TLS: others can read tokens and URLs",
                "Use an https URL.",
            )
        }
    }

    async fn ask(&self, path: &str) -> Result<Response, OperationError> {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(Method::GET, &url).header(ACCEPT, "application/json");
        if let Some(sourced) = &self.credential {
            request = request.header(AUTHORIZATION, sourced.credential.header().expose());
        }
        let sent = tokio::time::timeout(http_client::RESPONSE_TIMEOUT, request.send()).await;
        sent.map_err(|_| OperationError::temporary("the service did not respond"))?
            .map_err(OperationError::network)
    }

    /// Requests a download, and checks the redirect.
    async fn redirect(&self, now: SystemTime) -> Result<Vec<CheckResult>, OperationError> {
        let response = self.ask(&format!("/signpost-doctor-{}", self.nonce)).await?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let (status, location) = (response.status(), text(LOCATION));
        let (StatusCode::TEMPORARY_REDIRECT, Some(location)) = (status, location) else {
            return Ok(vec![match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CheckResult::note(format!(
                    "no rule allows this caller to read the key of the check ({status}), so redirects and S3 were not checked; \
                     use a token with read access to all keys to check them"
                )),
                _ => CheckResult::failed(
                    format!("a download returned {status} instead of 307 with a Location header"),
                    "A proxy between this machine and Signpost follows or changes redirects.",
                ),
            }]);
        };
        let mut results = vec![CheckResult::passed("a download is redirected with 307")];
        if !text(CACHE_CONTROL).is_some_and(|value| value.contains("no-store") || value.contains("private")) {
            results.push(CheckResult::failed(
                "caches may store the redirect, although its URL expires",
                "Configure the front, or the cache before it, to preserve the Cache-Control header.",
            ));
        }
        let Some(url) = PresignedDetails::parse(location) else {
            results.push(CheckResult::failed(
                "the redirect does not contain a presigned URL",
                "Check the URL: it must be the URL of a Signpost service.",
            ));
            return Ok(results);
        };
        results.extend(url.findings(now));
        results.extend(self.store(location, &url, now).await);
        Ok(results)
    }

    /// Sends the presigned URL to S3, for an object that does not exist.
    async fn store(&self, location: &str, url: &PresignedDetails, now: SystemTime) -> Vec<CheckResult> {
        let sent = tokio::time::timeout(
            http_client::RESPONSE_TIMEOUT,
            self.http
                .request(Method::GET, location)
                .header(RANGE, "bytes=0-0")
                .send(),
        )
        .await;
        let response = match sent.map_err(|_| OperationError::temporary("it did not respond")) {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return vec![unreachable(url, &OperationError::network(error))],
            Err(error) => return vec![unreachable(url, &error)],
        };
        let mut results: Vec<_> = clock_check("S3", response.headers(), now).into_iter().collect();
        let status = response.status();
        let body = http_client::read_body(response).await.unwrap_or_default();
        let document = std::str::from_utf8(&body).ok().and_then(S3ErrorDetails::parse);
        results.extend(match (status, document) {
            (StatusCode::NOT_FOUND, _) => {
                vec![CheckResult::passed("S3 accepts the URL and reports that the object does not exist, as expected")]
            }
            (StatusCode::FORBIDDEN, Some(document)) if document.is_generic_denial() => vec![CheckResult::note(
                "S3 returned 403 for an object that does not exist, because the signer may not list the bucket; if downloads \
                 of existing objects fail too, pass their error to `signpost doctor`",
            )],
            (_, Some(document)) => document.findings(Some(url)),
            (status, None) => vec![CheckResult::failed(
                format!("{} returned {status}, which is not a response of S3", url.host()),
                "Check the setting SIGNPOST_ENDPOINT.",
            )],
        });
        results
    }
}

fn unreachable(url: &PresignedDetails, error: &OperationError) -> CheckResult {
    CheckResult::failed(
        format!("cannot connect to {}: {}", url.host(), error.message),
        "Check the network, a proxy, and SIGNPOST_ENDPOINT: clients must be able to reach it, not only the service.",
    )
}

fn clock_check(name: &str, headers: &HeaderMap, now: SystemTime) -> Option<CheckResult> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(clock_skew::compare(name, clock_skew::parse_http_date(date)?, now))
}
