//! Signpost: asks it for instructions, and reads its refusals.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use signpost::plan::PresignedUrl;

use crate::credential::Credential;
use crate::http;
use crate::instruction::Instruction;
use crate::place::Place;
use crate::problem::{Problem, Retry};
use crate::report::Ending;
use crate::secret::Secret;

/// What stands unescaped in a query: the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A service, and as whom it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    client: Client,
    credential: Option<Credential>,
}

/// Parameters of a request.
pub(crate) type Query = Vec<(String, String)>;

/// [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), with Signpost's own members.
#[derive(Debug, Deserialize)]
struct Refusal {
    code: String,
    detail: String,
    #[serde(default)]
    remedy: Option<String>,
}

impl Service {
    pub(crate) const fn new(client: Client, credential: Option<Credential>) -> Self {
        Self { client, credential }
    }

    /// Asks how to do `method` at this place.
    pub(crate) async fn instruction(
        &self,
        method: Method,
        place: &Place,
        query: &Query,
    ) -> Result<Instruction, Problem> {
        let response = self.ask(method, place, query, "application/json").await?;
        let body = http::body(response).await?;
        let instruction: Instruction = serde_json::from_slice(&body).map_err(|_| no_signpost(place))?;
        stays_private(place, &instruction.url)?;
        // An HTTP API cuts a path at a `%3F` before Signpost sees it, and would have another object deleted.
        if place.base(&instruction.key).is_none() {
            return Err(
                Problem::new(Ending::Failed, format!("the service took {place} for another object"))
                    .advising("Its front changes the path: use a key without such characters, or tell the operator."),
            );
        }
        Ok(instruction)
    }

    /// Asks where the metadata of this object is: the answer to a HEAD has no body, so it is always a redirect.
    pub(crate) async fn head(&self, place: &Place, query: &Query) -> Result<PresignedUrl, Problem> {
        let response = self.ask(Method::HEAD, place, query, "*/*").await?;
        let location = response.headers().get(LOCATION).and_then(|url| url.to_str().ok());
        let url = PresignedUrl::new(location.ok_or_else(|| no_signpost(place))?.to_owned());
        stays_private(place, &url)?;
        Ok(url)
    }

    async fn ask(&self, method: Method, place: &Place, query: &Query, accept: &str) -> Result<Response, Problem> {
        let is_head = method == Method::HEAD;
        let url = Secret::new(format!("{}{}", place.url(), written(query, place.share.as_ref())));
        let request = self.request(method, url.expose()).header(ACCEPT, accept);
        let response = request.send().await.map_err(Problem::network)?;
        let expected = if is_head {
            StatusCode::TEMPORARY_REDIRECT
        } else {
            StatusCode::OK
        };
        if response.status() == expected {
            Ok(response)
        } else {
            Err(refusal(response, place).await)
        }
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.credential {
            Some(credential) => request.header(AUTHORIZATION, credential.header().expose()),
            None => request,
        }
    }
}

/// The query with its question mark, escaped so that every front decodes it alike.
fn written(query: &Query, share: Option<&Secret>) -> String {
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let share = share.map(|share| ("share", share.expose()));
    let mut written = String::new();
    for (name, value) in pairs.chain(share) {
        let mark = if written.is_empty() { '?' } else { '&' };
        written.push(mark);
        written.extend(utf8_percent_encode(name, UNRESERVED));
        written.push('=');
        written.extend(utf8_percent_encode(value, UNRESERVED));
    }
    written
}

/// What an answer says that is not the one hoped for.
async fn refusal(response: Response, place: &Place) -> Problem {
    let status = response.status();
    let retry = http::retry(status, response.headers());
    let ending = if retry.is_some() {
        Ending::Temporary
    } else {
        ending(status)
    };
    let told = http::body(response).await.ok();
    let told = told.and_then(|body| serde_json::from_slice::<Refusal>(&body).ok());
    let problem = match told {
        Some(told) => Problem {
            remedy: told.remedy,
            ..Problem::new(ending, told.detail).coded(told.code)
        },
        None if status.is_redirection() || status.is_success() => no_signpost(place),
        None => Problem::new(ending, format!("{} answered {status}", place.origin())),
    };
    problem.retrying(retry.unwrap_or(Retry::Never))
}

fn ending(status: StatusCode) -> Ending {
    match status {
        StatusCode::NOT_FOUND => Ending::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ending::NotAllowed,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Ending::Conflict,
        _ => Ending::Failed,
    }
}

fn no_signpost(place: &Place) -> Problem {
    Problem::new(
        Ending::Failed,
        format!("the answer of {} is none of Signpost's", place.origin()),
    )
    .advising("Check the URL: it must be that of a Signpost service. `signpost doctor URL` tells more.")
}

/// What was asked for privately is not sent in the open.
fn stays_private(place: &Place, url: &PresignedUrl) -> Result<(), Problem> {
    if place.url().starts_with("https:") && !url.expose().starts_with("https:") {
        return Err(
            Problem::new(Ending::Failed, "the service sends to an unencrypted address")
                .advising("Tell its operator: SIGNPOST_ENDPOINT should begin with https://."),
        );
    }
    Ok(())
}
