//! `signpost doctor`: checks a deployment, or explains a presigned URL or an error of S3's.

mod clock;
mod finding;
mod front;
mod presigned;
mod s3_error;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, DATE, HeaderMap, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use self::finding::{Finding, Verdict};
use self::presigned::Presigned;
use self::s3_error::Told;
use crate::System;
use crate::context::Context;
use crate::credential::{Credential, is_private};
use crate::http::{self, Http};
use crate::options::DoctorOptions;
use crate::place::Place;
use crate::problem::Problem;
use crate::report::{Ending, Error, Report};
use crate::state::State;

/// The answer of `/-/health`.
#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
}

pub(crate) fn run(options: &DoctorOptions, system: &mut System<'_>) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::io("can't start", &error))?;
    let mut context = Context::new(State::of_user(), system)?;
    let found = runtime.block_on(examine(options, &mut context))?;
    Ok(report(&found, options.connection.json))
}

fn report(found: &[Finding], as_json: bool) -> Report {
    let mut out = String::new();
    for finding in found {
        let Finding { verdict, what, remedy } = finding;
        let line = if as_json {
            json!({"verdict": verdict.name(), "what": what, "remedy": remedy}).to_string()
        } else {
            finding.to_string()
        };
        writeln!(out, "{line}").expect("a String takes every write");
    }
    let is_wrong = found.iter().any(|finding| finding.verdict == Verdict::Wrong);
    Report {
        ending: if is_wrong { Ending::Failed } else { Ending::Done },
        ..Report::done(out)
    }
}

async fn examine(options: &DoctorOptions, context: &mut Context<'_, '_>) -> Result<Vec<Finding>, Problem> {
    let now = SystemTime::now();
    let subject = match options.subject.as_deref() {
        Some("-") => Some(text_of(Path::new("-"), context)?),
        Some(subject) => Some(subject.to_owned()),
        None => None,
    };
    let error = match &options.error {
        Some(file) => {
            let text = text_of(file, context)?;
            Some(Told::parse(&text).ok_or_else(|| Problem::usage("the file holds no error document of S3's"))?)
        }
        None => subject.as_deref().and_then(Told::parse),
    };
    let url = subject.as_deref().and_then(Presigned::parse);
    if url.is_some() || error.is_some() {
        let mut found = url.as_ref().map_or_else(Vec::new, |url| url.findings(now));
        found.extend(error.iter().flat_map(|error| error.findings(url.as_ref())));
        return Ok(found);
    }
    let base = match subject {
        Some(subject) => subject,
        None => context.base(&options.connection)?.ok_or_else(|| {
            Problem::usage("there is nothing to look at")
                .advising("Give the URL of a service, a presigned URL, or an error document of S3's.")
        })?,
    };
    let place = Place::parse(&base, None)?;
    let credential = context.credential(&options.connection, place.origin())?;
    let service = Examined {
        http: Http::new(context.system.variable)?,
        url: place.url().trim_end_matches('/').to_owned(),
        origin: place.origin().to_owned(),
        credential: credential.map(|found| found.credential),
        nonce: nonce(context)?,
    };
    service.examine(now).await
}

/// A file, or standard input.
fn text_of(file: &Path, context: &mut Context<'_, '_>) -> Result<String, Problem> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        context.system.stdin.read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text))
    };
    read.map_err(|error| Problem::io(format_args!("can't read {}", file.display()), &error))?;
    Ok(text.trim().to_owned())
}

fn nonce(context: &Context<'_, '_>) -> Result<String, Problem> {
    let mut bytes = [0; 8];
    (context.system.random)(&mut bytes).map_err(|error| Problem::io("the system gives no randomness", &error))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// A service that is being looked at.
struct Examined {
    http: Http,
    url: String,
    origin: String,
    credential: Option<Credential>,
    /// Part of a key that nobody has used.
    nonce: String,
}

impl Examined {
    async fn examine(&self, now: SystemTime) -> Result<Vec<Finding>, Problem> {
        let mut found = vec![self.transport()];
        let health = self.ask("/-/health").await?;
        let headers = health.headers().clone();
        let status = health.status();
        let body = http::body(health).await?;
        let told = serde_json::from_slice::<Health>(&body)
            .ok()
            .filter(|told| told.status == "ok");
        let Some(told) = told.filter(|_| status == StatusCode::OK) else {
            found.push(Finding::wrong(
                format!("{}/-/health answers {status}, and not as Signpost does", self.url),
                "Check the URL: a stage or a base path belongs to it.",
            ));
            return Ok(found);
        };
        found.push(Finding::right(format!("Signpost {} is up", told.version)));
        found.extend(front::findings(&headers, &self.origin));
        found.extend(clock_of("the service", &headers, now));
        found.extend(self.redirect(now).await?);
        Ok(found)
    }

    fn transport(&self) -> Finding {
        if self.origin.starts_with("https://") {
            Finding::right("it is asked over TLS, and its certificate is valid here")
        } else if is_private(&self.origin) {
            Finding::note("it is asked without TLS, on this machine")
        } else {
            Finding::wrong(
                "it is asked without TLS: tokens and URLs can be read on the way",
                "Use https.",
            )
        }
    }

    async fn ask(&self, path: &str) -> Result<Response, Problem> {
        let mut request = self.http.request(Method::GET, &format!("{}{path}", self.url));
        if let Some(credential) = &self.credential {
            request = request.header(AUTHORIZATION, credential.header().expose());
        }
        let sent = tokio::time::timeout(http::SILENCE, request.send()).await;
        sent.map_err(|_| Problem::temporary("the service does not answer"))?
            .map_err(Problem::network)
    }

    /// What the service answers for a download, and where that leads.
    async fn redirect(&self, now: SystemTime) -> Result<Vec<Finding>, Problem> {
        let answer = self.ask(&format!("/signpost-doctor-{}", self.nonce)).await?;
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (status, location) = (answer.status(), text(LOCATION));
        let (StatusCode::TEMPORARY_REDIRECT, Some(location)) = (status, location) else {
            return Ok(vec![match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Finding::note(format!(
                    "the rules refuse a download ({status}), so redirects and S3 were not looked at; a token that may read \
                     shows more"
                )),
                _ => Finding::wrong(
                    format!("a download is answered with {status}, and not with 307 and a Location"),
                    "Something between here and Signpost follows or changes redirects.",
                ),
            }]);
        };
        let mut found = vec![Finding::right("a download is redirected with 307")];
        if !text(CACHE_CONTROL).is_some_and(|value| value.contains("no-store") || value.contains("private")) {
            found.push(Finding::wrong(
                "the redirect may be cached, and with it a URL that expires",
                "Have the front, or the cache before it, leave Cache-Control alone.",
            ));
        }
        let Some(url) = Presigned::parse(location) else {
            found.push(Finding::wrong(
                "the redirect leads to no presigned URL",
                "Check the URL: it must be that of a Signpost service.",
            ));
            return Ok(found);
        };
        found.extend(url.findings(now));
        found.extend(self.store(location, &url, now).await);
        Ok(found)
    }

    /// What S3 says to a URL of the service, for an object that does not exist.
    async fn store(&self, location: &str, url: &Presigned, now: SystemTime) -> Vec<Finding> {
        let sent = tokio::time::timeout(
            http::SILENCE,
            self.http
                .request(Method::GET, location)
                .header(RANGE, "bytes=0-0")
                .send(),
        )
        .await;
        let response = match sent.map_err(|_| Problem::temporary("it does not answer")) {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return vec![unreachable(url, &Problem::network(error))],
            Err(problem) => return vec![unreachable(url, &problem)],
        };
        let mut found: Vec<_> = clock_of("S3", response.headers(), now).into_iter().collect();
        let status = response.status();
        let body = http::body(response).await.unwrap_or_default();
        let told = std::str::from_utf8(&body).ok().and_then(Told::parse);
        found.extend(match (status, told) {
            (StatusCode::NOT_FOUND, _) => {
                vec![Finding::right("S3 takes the URL, and says that there is no such object, as it should")]
            }
            (StatusCode::FORBIDDEN, Some(told)) if told.is_plain_denial() => vec![Finding::note(
                "S3 answers 403: whoever signs may not list, so a missing object can't be told from a forbidden one; or \
                 may not read at all",
            )],
            (_, Some(told)) => told.findings(Some(url)),
            (status, None) => vec![Finding::wrong(
                format!("{} answers {status}, and not as S3 does", url.host()),
                "Check SIGNPOST_ENDPOINT.",
            )],
        });
        found
    }
}

fn unreachable(url: &Presigned, problem: &Problem) -> Finding {
    Finding::wrong(
        format!("{} can't be reached from here: {}", url.host(), problem.why),
        "Check the network, a proxy, and SIGNPOST_ENDPOINT: clients must reach it, and not only the service.",
    )
}

fn clock_of(whose: &str, headers: &HeaderMap, now: SystemTime) -> Option<Finding> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(clock::compare(whose, clock::of_header(date)?, now))
}
