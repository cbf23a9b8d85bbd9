//! The HTTP client of the Signpost service.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use futures::{StreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use signpost::wire::BulkResultBody;
use tokio::sync::oneshot;

use super::service_errors::{
    error_from_problem, error_from_response, key_mismatch, timeout_error, unexpected_response, with_command_advice,
};
use crate::credential::ServiceCredential;
use crate::exit_status::ExitStatus;
use crate::http_client::{self, HttpClients};
use crate::instruction::Instruction;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::secret_text::SecretText;

/// The characters that are not escaped in a query: the unreserved characters of RFC 3986.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How many requests that cannot be part of a batch are sent at the same time.
const MAX_CONCURRENT_SINGLES: usize = 8;

/// The HTTP client of one service.
#[derive(Debug)]
pub(super) struct ServiceClient {
    pub(super) http: HttpClients,
    pub(super) credential: Option<ServiceCredential>,
    /// The URL of the service, once it is known.
    pub(super) base: OnceLock<String>,
}

/// The media types of instructions and of listings.
const JSON_TYPES: &str = "application/vnd.signpost+json, application/json";

/// A request that waits for its instruction.
pub(super) struct PendingRequest {
    pub(super) request: InstructionRequest,
    pub(super) reply: oneshot::Sender<Result<Instruction, OperationError>>,
}

/// A request for an instruction.
#[derive(Clone, Debug)]
pub(crate) struct InstructionRequest {
    pub(crate) method: Method,
    pub(crate) object_url: ObjectUrl,
    pub(crate) query: QueryParameters,
}

/// The query parameters of a request.
pub(crate) type QueryParameters = Vec<(String, String)>;

impl ServiceClient {
    /// Sends a request for JSON to the URL of an object or prefix.
    pub(super) async fn send_request(
        &self,
        method: Method,
        object_url: &ObjectUrl,
        query: &QueryParameters,
    ) -> Result<Response, OperationError> {
        let url = SecretText::new(format!(
            "{}{}",
            object_url.url(),
            query_string(query, object_url.share_token.as_ref())
        ));
        let request = self.http.request(method, url.expose()).header(ACCEPT, JSON_TYPES);
        // A share link is the only credential of its request.
        if object_url.share_token.is_some() {
            let sent = send(request, object_url.origin()).await;
            return sent.map_err(|error| self.with_advice(error, object_url.origin(), false));
        }
        self.send_with_credential(request, object_url.origin()).await
    }

    /// Sends a GET request to a path of the service itself.
    pub(super) async fn get(&self, url: &str) -> Result<Vec<u8>, OperationError> {
        let request = self.http.request(Method::GET, url).header(ACCEPT, "application/json");
        let response = self.send_with_credential(request, base_of(url)).await?;
        Ok(http_client::read_body(response).await?.to_vec())
    }

    async fn send_with_credential(&self, request: RequestBuilder, base: &str) -> Result<Response, OperationError> {
        let sent = send(self.with_credential(request), base).await;
        sent.map_err(|error| self.with_advice(error, base, true))
    }

    /// Replaces advice for curl with advice for this command.
    fn with_advice(&self, error: OperationError, base: &str, with_credential: bool) -> OperationError {
        let base = self.base.get().map_or(base, String::as_str);
        let is_own_token = with_credential && self.credential.as_ref().is_some_and(ServiceCredential::is_generated);
        with_command_advice(error, base, is_own_token)
    }

    pub(super) async fn post_json(&self, url: &str, body: &Value) -> Result<Vec<u8>, OperationError> {
        let request = self
            .http
            .request(Method::POST, url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let response = self.send_with_credential(request, base_of(url)).await?;
        Ok(http_client::read_body(response).await?.to_vec())
    }

    fn with_credential(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Some(credential) => request.header(AUTHORIZATION, credential.header().expose()),
            None => request,
        }
    }

    /// Requests one instruction. The key in it determines the URL of the service.
    async fn request_one(&self, request: &InstructionRequest) -> Result<Instruction, OperationError> {
        let object_url = &request.object_url;
        let response = self
            .send_request(request.method.clone(), object_url, &request.query)
            .await?;
        let body = http_client::read_body(response).await?;
        let instruction: Instruction = serde_json::from_slice(&body).map_err(|_| unexpected_response(object_url))?;
        check_instruction(&instruction, request)?;
        // An HTTP API cuts a path at `%3F` and merges slashes before Signpost receives it. Without this check, another
        // object could be deleted.
        let base = object_url
            .base_for_key(&instruction.key)
            .ok_or_else(|| key_mismatch(object_url))?;
        let _ = self.base.set(base.to_owned());
        Ok(instruction)
    }

    /// Requests several instructions at once.
    async fn request_bulk(
        &self,
        base: &str,
        requests: &[InstructionRequest],
    ) -> Result<Vec<Result<Instruction, OperationError>>, OperationError> {
        let body = requests.iter().map(|request| bulk_item(request, base)).collect();
        let reply = self.post_json(&format!("{base}/-/sign"), &body).await?;
        let items: Vec<BulkResultBody> =
            serde_json::from_slice(&reply).map_err(|_| unexpected_response(&requests[0].object_url))?;
        if items.len() != requests.len() {
            return Err(unexpected_response(&requests[0].object_url));
        }
        Ok(items
            .into_iter()
            .zip(requests)
            .map(|(item, request)| {
                check_bulk_item(item, request, base).map_err(|error| self.with_advice(error, base, true))
            })
            .collect())
    }

    /// Replies to all pending requests.
    pub(super) async fn serve_batch(&self, pending: Vec<PendingRequest>) {
        let mut pending = pending.into_iter();
        while self.base.get().is_none()
            && let Some(first) = pending.next()
        {
            self.reply_single(first).await;
        }
        let Some(base) = self.base.get() else { return };
        let (mut batch, mut singles): (Vec<_>, Vec<_>) = pending.partition(|pending| pending.request.fits_bulk(base));
        if batch.len() == 1 && batch[0].request.method != Method::HEAD {
            singles.append(&mut batch);
        }
        let singles: Vec<_> = singles.into_iter().map(|pending| self.reply_single(pending)).collect();
        let singles = stream::iter(singles)
            .buffer_unordered(MAX_CONCURRENT_SINGLES)
            .collect::<Vec<()>>();
        tokio::join!(singles, self.reply_bulk(base, batch));
    }

    async fn reply_single(&self, PendingRequest { request, reply }: PendingRequest) {
        let _ = reply.send(self.request_one(&request).await);
    }

    async fn reply_bulk(&self, base: &str, pending: Vec<PendingRequest>) {
        if pending.is_empty() {
            return;
        }
        let pairs = pending.into_iter().map(|pending| (pending.request, pending.reply));
        let (requests, replies): (Vec<_>, Vec<_>) = pairs.unzip();
        match self.request_bulk(base, &requests).await {
            Ok(results) => replies
                .into_iter()
                .zip(results)
                .for_each(|(reply, result)| drop(reply.send(result))),
            Err(error) => replies
                .into_iter()
                .for_each(|reply| drop(reply.send(Err(error.clone())))),
        }
    }
}

impl InstructionRequest {
    /// Returns true if the request can be part of a batch. `/-/sign` accepts only keys at the service with the URL
    /// `base`, and no share links.
    fn fits_bulk(&self, base: &str) -> bool {
        self.object_url.share_token.is_none() && self.object_url.key_at(base).is_some()
    }
}

/// Sends a request, and returns an error if the status is not 200.
async fn send(request: RequestBuilder, origin: &str) -> Result<Response, OperationError> {
    let sent = tokio::time::timeout(http_client::RESPONSE_TIMEOUT, request.send()).await;
    let response = sent
        .map_err(|_| timeout_error(origin))?
        .map_err(OperationError::network)?;
    if response.status() == StatusCode::OK {
        Ok(response)
    } else {
        Err(error_from_response(response, origin).await)
    }
}

/// The URL of the service, for a URL of one of its own paths.
fn base_of(url: &str) -> &str {
    url.split("/-/").next().unwrap_or(url)
}

fn bulk_item(request: &InstructionRequest, base: &str) -> Value {
    let query: BTreeMap<_, _> = request.query.iter().cloned().collect();
    json!({"method": request.method.as_str(), "key": request.object_url.key_at(base), "query": query})
}

fn check_bulk_item(
    item: BulkResultBody,
    request: &InstructionRequest,
    base: &str,
) -> Result<Instruction, OperationError> {
    match item {
        BulkResultBody::Rejected { error } => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
            let retry = http_client::retry_advice(status, &HeaderMap::new());
            Err(error_from_problem(error, status, retry))
        }
        BulkResultBody::Instruction(body) if request.object_url.key_at(base).as_ref() != Some(&body.key) => {
            Err(key_mismatch(&request.object_url))
        }
        BulkResultBody::Instruction(body) => {
            let instruction = Instruction::from(body);
            check_instruction(&instruction, request)?;
            Ok(instruction)
        }
    }
}

/// The query, including the question mark. It is escaped so that every front decodes it in the same way.
fn query_string(query: &QueryParameters, share_token: Option<&SecretText>) -> String {
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let share_token = share_token.map(|share_token| ("share", share_token.expose()));
    let mut query_string = String::new();
    for (name, value) in pairs.chain(share_token) {
        let mark = if query_string.is_empty() { '?' } else { '&' };
        query_string.push(mark);
        query_string.extend(utf8_percent_encode(name, UNRESERVED));
        query_string.push('=');
        query_string.extend(utf8_percent_encode(value, UNRESERVED));
    }
    query_string
}

/// Rejects an instruction for another method, and an unencrypted URL in the response to an encrypted request.
fn check_instruction(instruction: &Instruction, request: &InstructionRequest) -> Result<(), OperationError> {
    if instruction.method != request.method.as_str() {
        return Err(OperationError::new(
            ExitStatus::Failure,
            "the service returned an instruction for another method",
        )
        .with_remedy("Contact the operator, and do not trust the service until then."));
    }
    if request.object_url.url().starts_with("https:") && !instruction.url.expose().starts_with("https:") {
        return Err(
            OperationError::new(ExitStatus::Failure, "the service returned an unencrypted URL")
                .with_remedy("Contact the operator: SIGNPOST_ENDPOINT should start with https://."),
        );
    }
    Ok(())
}
