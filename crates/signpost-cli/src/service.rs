//! Signpost: asks it for instructions, many at a time where many are wanted, and reads its refusals.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use futures::{StreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::credential::Credential;
use crate::http::{self, Http};
use crate::instruction::Instruction;
use crate::place::Place;
use crate::problem::{Problem, Retry};
use crate::report::Ending;
use crate::secret::Secret;

/// What stands unescaped in a query: the unreserved characters of RFC 3986.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The most instructions that `/-/sign` gives at once.
const BULK: usize = 100;

/// How many requests for instructions are under way at once. What is wanted meanwhile waits, and goes together.
const ASKING: usize = 2;

/// How many places that can't be asked for together are asked for at once.
const ALONE: usize = 8;

/// A service, and as whom it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    counter: Arc<Counter>,
    queue: mpsc::UnboundedSender<Waiting>,
}

/// Where a service is asked.
#[derive(Debug)]
struct Counter {
    http: Http,
    credential: Option<Credential>,
    /// The URL of the service, once it is known.
    base: OnceLock<String>,
}

/// Somebody who waits for an instruction.
struct Waiting {
    wish: Wish,
    answer: oneshot::Sender<Result<Instruction, Problem>>,
}

/// What is wanted of the service.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) method: Method,
    pub(crate) place: Place,
    pub(crate) query: Query,
}

/// Parameters of a request.
pub(crate) type Query = Vec<(String, String)>;

/// [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), with Signpost's own members.
#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    status: u16,
    code: String,
    detail: String,
    #[serde(default)]
    remedy: Option<String>,
}

/// One answer of many.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Refused { error: Refusal },
    Instruction(Instruction),
}

impl Service {
    /// A service at `base`, where that is known. It must be called where the runtime is.
    pub(crate) fn new(http: Http, credential: Option<Credential>, base: Option<String>) -> Self {
        let counter = Arc::new(Counter {
            http,
            credential,
            base: base.map_or_else(OnceLock::new, OnceLock::from),
        });
        let (queue, waiting) = mpsc::unbounded_channel();
        tokio::spawn(serve(Arc::clone(&counter), waiting));
        Self { counter, queue }
    }

    /// Asks how to do what is wished.
    pub(crate) async fn instruction(&self, wish: Wish) -> Result<Instruction, Problem> {
        let (answer, told) = oneshot::channel();
        let gone = || Problem::temporary("the command is ending");
        self.queue.send(Waiting { wish, answer }).map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }

    /// Asks how to have the headers of an object.
    pub(crate) async fn metadata(&self, place: &Place, query: &Query) -> Result<Instruction, Problem> {
        // The answer to a HEAD has no body, so that it could not tell the key: `/-/sign` must be asked. Where it can't be,
        // a GET has the same headers, and its body is left alone.
        let by_itself = place.share.is_some() || place.key(&self.base(place).await?).is_none();
        self.instruction(Wish {
            method: if by_itself { Method::GET } else { Method::HEAD },
            place: place.clone(),
            query: query.clone(),
        })
        .await
    }

    /// The URL of the service, without a slash at its end. Where nobody has told it, the service itself does, by the
    /// key that it takes `place` for.
    pub(crate) async fn base(&self, place: &Place) -> Result<String, Problem> {
        if self.counter.base.get().is_none() && !place.is_prefix() {
            let wish = Wish {
                method: Method::GET,
                place: place.clone(),
                query: Vec::new(),
            };
            self.instruction(wish).await?;
        }
        Ok(self
            .counter
            .base
            .get()
            .map_or(place.origin(), String::as_str)
            .to_owned())
    }

    /// Whether this prefix can be all that a service has. Where nobody has said what stands before keys, an escape tells
    /// that it is a key: an HTTP API cuts paths at `%3F`, and would have everything listed.
    pub(crate) fn is_whole(&self, prefix: &Place) -> bool {
        match self.counter.base.get() {
            Some(base) => prefix.url().strip_prefix(base.as_str()) == Some("/"),
            None => !prefix.url().contains('%'),
        }
    }

    /// Asks for JSON that is no instruction.
    pub(crate) async fn json(&self, place: &Place, query: &Query) -> Result<Vec<u8>, Problem> {
        let response = self.counter.ask(Method::GET, place, query).await?;
        Ok(http::body(response).await?.to_vec())
    }

    /// Posts JSON to a path of the service's own, and gives back the answer.
    pub(crate) async fn post(&self, base: &str, path: &str, body: &Value) -> Result<Vec<u8>, Problem> {
        self.counter.post(&format!("{base}{path}"), body).await
    }
}

impl Counter {
    /// Asks at the URL of a place, for JSON.
    async fn ask(&self, method: Method, place: &Place, query: &Query) -> Result<Response, Problem> {
        let url = Secret::new(format!("{}{}", place.url(), written(query, place.share.as_ref())));
        let request = self
            .http
            .request(method, url.expose())
            .header(ACCEPT, "application/json");
        // A link is the one credential of its request.
        let request = if place.share.is_some() {
            request
        } else {
            self.as_caller(request)
        };
        answered(request, place.origin()).await
    }

    async fn post(&self, url: &str, body: &Value) -> Result<Vec<u8>, Problem> {
        let origin = url.split("/-/").next().unwrap_or(url);
        let request = self
            .http
            .request(Method::POST, url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let response = answered(self.as_caller(request), origin).await?;
        Ok(http::body(response).await?.to_vec())
    }

    fn as_caller(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Some(credential) => request.header(AUTHORIZATION, credential.header().expose()),
            None => request,
        }
    }

    /// Asks for one instruction, and learns from its key what stands before keys.
    async fn one(&self, wish: &Wish) -> Result<Instruction, Problem> {
        let place = &wish.place;
        let response = self.ask(wish.method.clone(), place, &wish.query).await?;
        let body = http::body(response).await?;
        let instruction: Instruction = serde_json::from_slice(&body).map_err(|_| no_signpost(place))?;
        check(&instruction, wish)?;
        // An HTTP API cuts a path at a `%3F` before Signpost sees it, and would have another object deleted.
        let base = place.base(&instruction.key).ok_or_else(|| another_place(place))?;
        let _ = self.base.set(base.to_owned());
        Ok(instruction)
    }

    /// Asks for many instructions at once.
    async fn many(&self, base: &str, wishes: &[Wish]) -> Result<Vec<Result<Instruction, Problem>>, Problem> {
        let body = wishes.iter().map(|wish| element(wish, base)).collect();
        let answer = self.post(&format!("{base}/-/sign"), &body).await?;
        let told: Vec<Told> = serde_json::from_slice(&answer).map_err(|_| no_signpost(&wishes[0].place))?;
        if told.len() != wishes.len() {
            return Err(no_signpost(&wishes[0].place));
        }
        Ok(told
            .into_iter()
            .zip(wishes)
            .map(|(told, wish)| checked(told, wish, base))
            .collect())
    }

    /// Answers those who wait.
    async fn answer(&self, waiting: Vec<Waiting>) {
        let mut waiting = waiting.into_iter();
        while self.base.get().is_none()
            && let Some(first) = waiting.next()
        {
            self.answer_alone(first).await;
        }
        let Some(base) = self.base.get() else { return };
        let (mut together, mut alone): (Vec<_>, Vec<_>) =
            waiting.partition(|waiting| waiting.wish.goes_with_others(base));
        if together.len() == 1 && together[0].wish.method != Method::HEAD {
            alone.append(&mut together);
        }
        let alone: Vec<_> = alone.into_iter().map(|waiting| self.answer_alone(waiting)).collect();
        let alone = stream::iter(alone).buffer_unordered(ALONE).collect::<Vec<()>>();
        tokio::join!(alone, self.answer_together(base, together));
    }

    async fn answer_alone(&self, Waiting { wish, answer }: Waiting) {
        let _ = answer.send(self.one(&wish).await);
    }

    async fn answer_together(&self, base: &str, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let pairs = waiting.into_iter().map(|waiting| (waiting.wish, waiting.answer));
        let (wishes, answers): (Vec<_>, Vec<_>) = pairs.unzip();
        match self.many(base, &wishes).await {
            Ok(told) => answers
                .into_iter()
                .zip(told)
                .for_each(|(answer, told)| drop(answer.send(told))),
            Err(problem) => answers
                .into_iter()
                .for_each(|answer| drop(answer.send(Err(problem.clone())))),
        }
    }
}

impl Wish {
    /// Whether `/-/sign` of the service at `base` can be asked: it knows of places below, and of no link beside the
    /// caller's own credential.
    fn goes_with_others(&self, base: &str) -> bool {
        self.place.share.is_none() && self.place.key(base).is_some()
    }
}

/// Waits for an answer, and refuses one that is no success.
async fn answered(request: RequestBuilder, origin: &str) -> Result<Response, Problem> {
    let sent = tokio::time::timeout(http::SILENCE, request.send()).await;
    let response = sent.map_err(|_| silent(origin))?.map_err(Problem::network)?;
    if response.status() == StatusCode::OK {
        Ok(response)
    } else {
        Err(refusal(response, origin).await)
    }
}

/// Answers wishes until nobody can have any. While all requests are under way, wishes gather.
async fn serve(counter: Arc<Counter>, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    let asking = Arc::new(Semaphore::new(ASKING));
    loop {
        let turn = Arc::clone(&asking).acquire_owned().await.expect("it is never closed");
        let mut together = Vec::new();
        if waiting.recv_many(&mut together, BULK).await == 0 {
            return;
        }
        let counter = Arc::clone(&counter);
        tokio::spawn(async move {
            counter.answer(together).await;
            drop(turn);
        });
    }
}

fn element(wish: &Wish, base: &str) -> Value {
    let query: BTreeMap<_, _> = wish.query.iter().cloned().collect();
    json!({"method": wish.method.as_str(), "key": wish.place.key(base), "query": query})
}

fn checked(told: Told, wish: &Wish, base: &str) -> Result<Instruction, Problem> {
    match told {
        Told::Refused { error } => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
            Err(error.problem(status, http::retry(status, &reqwest::header::HeaderMap::new())))
        }
        Told::Instruction(instruction) if wish.place.key(base).as_ref() != Some(&instruction.key) => {
            Err(another_place(&wish.place))
        }
        Told::Instruction(instruction) => {
            check(&instruction, wish)?;
            Ok(instruction)
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
async fn refusal(response: Response, origin: &str) -> Problem {
    let status = response.status();
    let retry = http::retry(status, response.headers());
    let told = http::body(response).await.ok();
    match told.and_then(|body| serde_json::from_slice::<Refusal>(&body).ok()) {
        Some(told) => told.problem(status, retry),
        None if status.is_redirection() || status.is_success() => foreign(origin),
        None => Problem::new(ending(status, retry), format!("{origin} answered {status}"))
            .retrying(retry.unwrap_or(Retry::Never)),
    }
}

impl Refusal {
    fn problem(self, status: StatusCode, retry: Option<Retry>) -> Problem {
        Problem {
            remedy: self.remedy,
            ..Problem::new(ending(status, retry), self.detail).coded(self.code)
        }
        .retrying(retry.unwrap_or(Retry::Never))
    }
}

fn ending(status: StatusCode, retry: Option<Retry>) -> Ending {
    match status {
        _ if retry.is_some() => Ending::Temporary,
        StatusCode::NOT_FOUND => Ending::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ending::NotAllowed,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Ending::Conflict,
        _ => Ending::Failed,
    }
}

fn silent(origin: &str) -> Problem {
    Problem::temporary(format!("{origin} does not answer"))
}

/// Says that an answer is none of Signpost's.
pub(crate) fn no_signpost(place: &Place) -> Problem {
    foreign(place.origin())
}

fn foreign(origin: &str) -> Problem {
    Problem::new(Ending::Failed, format!("the answer of {origin} is none of Signpost's"))
        .advising("Check the URL: it must be that of a Signpost service. `signpost doctor URL` tells more.")
}

/// Says that the path has been changed on its way.
pub(crate) fn another_place(place: &Place) -> Problem {
    Problem::new(Ending::Failed, format!("the service took {place} for another"))
        .advising("Its front changes the path: use a key without such characters, or tell the operator.")
}

/// Refuses to do what was not wished for, or what was asked for privately in the open.
fn check(instruction: &Instruction, wish: &Wish) -> Result<(), Problem> {
    if instruction.method != wish.method.as_str() {
        return Err(Problem::new(
            Ending::Failed,
            "the service answers for another method than was asked for",
        )
        .advising("Tell its operator, and do not trust it meanwhile."));
    }
    if wish.place.url().starts_with("https:") && !instruction.url.expose().starts_with("https:") {
        return Err(
            Problem::new(Ending::Failed, "the service sends to an unencrypted address")
                .advising("Tell its operator: SIGNPOST_ENDPOINT should begin with https://."),
        );
    }
    Ok(())
}
