//! Calls to S3 by Signpost itself, with the same signed URLs that clients receive.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{Method, Request, Response, header};

use super::listing_xml;
use super::presigner::Presigner;
use crate::outbound::https_client::{HttpsClient, Idempotency, REQUEST_TIMEOUT, SendError};
use crate::outbound::outbound_error::with_retries;
use crate::plan::{Instruction, ListingPage, ListingPlan, PresignedUrl, StorageError};

/// The maximum size of a response: a page of the longest keys, with every byte escaped.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// Lists and deletes objects, and reads their sizes.
#[derive(Clone, Debug)]
pub(crate) struct S3Client {
    https: HttpsClient,
}

impl S3Client {
    pub(crate) const fn new(https: HttpsClient) -> Self {
        Self { https }
    }

    /// Requests the listing of `plan`, signed at `now` with `credentials`.
    pub(crate) async fn list(
        &self,
        presigner: &Presigner,
        plan: &ListingPlan,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<ListingPage, StorageError> {
        let url = presigner.sign_listing(plan, credentials, now)?;
        let response = self.call(&Method::GET, &url).await?;
        let xml = String::from_utf8_lossy(response.body());
        listing_xml::parse_page(&xml, plan.listing).map_err(|problem| StorageError::InvalidResponse { problem })
    }

    /// Deletes the object of `instruction`.
    pub(crate) async fn delete(&self, instruction: &Instruction) -> Result<(), StorageError> {
        self.call(&Method::DELETE, &instruction.url).await.map(|_| ())
    }

    /// Returns the size of the object of `url`, a URL for HEAD. `None` if there is no object, or if S3 does not say so because
    /// the credentials may not read.
    pub(crate) async fn size(&self, url: &PresignedUrl) -> Result<Option<u64>, StorageError> {
        match self.call(&Method::HEAD, url).await {
            Ok(response) => {
                let length = response.headers().get(header::CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                let problem = "there is no Content-Length".to_owned();
                length.map(Some).ok_or(StorageError::InvalidResponse { problem })
            }
            Err(StorageError::Rejected { status: 403 | 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All operations are idempotent, so they can be repeated.
    async fn call(&self, method: &Method, url: &PresignedUrl) -> Result<Response<Bytes>, StorageError> {
        with_retries(
            || self.call_once(method, url),
            |error: &StorageError| error.is_transient(),
        )
        .await
    }

    async fn call_once(&self, method: &Method, url: &PresignedUrl) -> Result<Response<Bytes>, StorageError> {
        // The URL is a secret, so no error contains it.
        let request = Request::builder().method(method).uri(url.expose()).body(Bytes::new());
        let request = request.map_err(|_| StorageError::Connect("the URL of the bucket is invalid".into()))?;
        let response = self
            .https
            .send(request, Idempotency::Idempotent, MAX_RESPONSE_BYTES)
            .await;
        let response = response.map_err(|error| match error {
            SendError::Timeout => StorageError::Timeout { limit: REQUEST_TIMEOUT },
            SendError::Connect(source) => StorageError::Connect(source),
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (code, message) = listing_xml::parse_error(&String::from_utf8_lossy(response.body()));
        Err(StorageError::Rejected {
            status: response.status().as_u16(),
            code,
            message,
        })
    }
}
