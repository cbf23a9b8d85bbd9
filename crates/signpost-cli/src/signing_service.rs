//! The client of the Signpost service: requests instructions, in bulk if there are many, and parses error responses.

mod service_client;
mod service_errors;

use std::sync::{Arc, OnceLock};

use reqwest::Method;
use serde_json::Value;
use signpost::wire::IdentityBody;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub(crate) use self::service_client::{InstructionRequest, QueryParameters, UNRESERVED};
use self::service_client::{PendingRequest, ServiceClient};
pub(crate) use self::service_errors::{
    credential_remedy, exit_status_for_rejection, key_mismatch, login_remedy, unexpected_response,
};
use crate::credential::ServiceCredential;
use crate::http_client::{self, HttpClients};
use crate::instruction::Instruction;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;

/// The maximum number of items that `/-/sign` accepts.
const MAX_BULK_ITEMS: usize = 100;

/// How many batches are sent at the same time. Requests that arrive meanwhile are collected for the next batch.
const MAX_CONCURRENT_BATCHES: usize = 2;

/// A service, together with the credential of the caller.
#[derive(Clone, Debug)]
pub(crate) struct SigningService {
    client: Arc<ServiceClient>,
    queue: mpsc::UnboundedSender<PendingRequest>,
}

impl SigningService {
    /// A service at `base`, if its URL is known. It must be called inside the runtime.
    pub(crate) fn new(http: HttpClients, credential: Option<ServiceCredential>, base: Option<String>) -> Self {
        let client = Arc::new(ServiceClient {
            http,
            credential,
            base: base.map_or_else(OnceLock::new, OnceLock::from),
        });
        let (queue, pending) = mpsc::unbounded_channel();
        tokio::spawn(run_queue(Arc::clone(&client), pending));
        Self { client, queue }
    }

    /// Requests an instruction.
    pub(crate) async fn request_instruction(&self, request: InstructionRequest) -> Result<Instruction, OperationError> {
        let (reply, response) = oneshot::channel();
        let closed = || OperationError::temporary("the command is shutting down");
        self.queue
            .send(PendingRequest { request, reply })
            .map_err(|_| closed())?;
        response.await.map_err(|_| closed())?
    }

    /// Requests an instruction to read the headers of an object.
    pub(crate) async fn request_metadata(
        &self,
        object_url: &ObjectUrl,
        query: &QueryParameters,
    ) -> Result<Instruction, OperationError> {
        // The response to HEAD has no body, so it cannot contain the key. `/-/sign` returns the key. If it cannot be
        // used, the command sends GET, which has the same headers, and does not read the body.
        let by_itself =
            object_url.share_token.is_some() || object_url.key_at(&self.base_url(object_url).await?).is_none();
        self.request_instruction(InstructionRequest {
            method: if by_itself { Method::GET } else { Method::HEAD },
            object_url: object_url.clone(),
            query: query.clone(),
        })
        .await
    }

    /// The URL of the service, without a trailing slash. If the URL is not configured, it is derived from the key that
    /// the service returns for `object_url`.
    pub(crate) async fn base_url(&self, object_url: &ObjectUrl) -> Result<String, OperationError> {
        if self.client.base.get().is_none() && !object_url.is_prefix() {
            let request = InstructionRequest {
                method: Method::GET,
                object_url: object_url.clone(),
                query: Vec::new(),
            };
            self.request_instruction(request).await?;
        }
        Ok(self
            .client
            .base
            .get()
            .map_or(object_url.origin(), String::as_str)
            .to_owned())
    }

    /// Returns true if this prefix can be the root of the service. If the URL of the service is unknown, a URL with an
    /// escape or with two slashes at the end is not the root. An HTTP API cuts paths at `%3F`, merges slashes, and would
    /// list everything.
    pub(crate) fn may_be_root(&self, prefix: &ObjectUrl) -> bool {
        match self.client.base.get() {
            Some(base) => prefix.url().strip_prefix(base.as_str()) == Some("/"),
            None => !prefix.url().contains('%') && !prefix.url().ends_with("//"),
        }
    }

    /// Requests JSON that is not an instruction.
    pub(crate) async fn get_json(
        &self,
        object_url: &ObjectUrl,
        query: &QueryParameters,
    ) -> Result<Vec<u8>, OperationError> {
        let response = self.client.send_request(Method::GET, object_url, query).await?;
        Ok(http_client::read_body(response).await?.to_vec())
    }

    /// Returns the caller as the service identifies it.
    pub(crate) async fn identity(&self, service_url: &ObjectUrl, base: &str) -> Result<IdentityBody, OperationError> {
        let body = self.client.get(&format!("{base}/-/whoami")).await?;
        serde_json::from_slice(&body).map_err(|_| unexpected_response(service_url))
    }

    /// Posts JSON to a path of the service itself, and returns the response body.
    pub(crate) async fn post_json(&self, base: &str, path: &str, body: &Value) -> Result<Vec<u8>, OperationError> {
        self.client.post_json(&format!("{base}{path}"), body).await
    }
}

/// Replies to requests until all senders are dropped. While all batches are running, new requests are collected.
async fn run_queue(client: Arc<ServiceClient>, mut pending: mpsc::UnboundedReceiver<PendingRequest>) {
    let batches = Arc::new(Semaphore::new(MAX_CONCURRENT_BATCHES));
    loop {
        let permit = Arc::clone(&batches)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let mut batch = Vec::new();
        if pending.recv_many(&mut batch, MAX_BULK_ITEMS).await == 0 {
            return;
        }
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            client.serve_batch(batch).await;
            drop(permit);
        });
    }
}
