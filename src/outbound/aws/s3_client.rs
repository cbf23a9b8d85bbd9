//! What Signpost asks of S3 itself, by the same signed URLs that clients get.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{Method, Request, Response};

use super::listing_xml;
use super::presigner::Signer;
use crate::outbound::https_client::Https;
use crate::plan::{Instruction, ListPlan, Page, PresignedUrl, StorageError};

/// S3 answers within a fraction of it, and the function itself has ten seconds for two attempts and a session.
const ONE_ATTEMPT: Duration = Duration::from_secs(3);

/// How long to wait before the second attempt, which is the last.
const PAUSE: Duration = Duration::from_millis(200);

/// A page of the longest keys, each byte of them escaped, and what else S3 tells of each.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Asks S3 to list and to delete.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    https: Https,
}

impl Storage {
    /// Carries out `plan` at `now` with what `credentials` may.
    pub async fn list(
        &self,
        signer: &Signer,
        plan: &ListPlan,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Page, StorageError> {
        let url = signer.sign_listing(plan, credentials, now)?;
        let answer = self.ask(&Method::GET, &url).await?;
        let text = String::from_utf8_lossy(answer.body());
        listing_xml::page(&text, plan.listing).map_err(|problem| StorageError::Unreadable { problem })
    }

    /// Deletes the object that `instruction` is to delete.
    pub async fn delete(&self, instruction: &Instruction) -> Result<(), StorageError> {
        self.ask(&Method::DELETE, &instruction.url).await.map(|_| ())
    }

    /// What is asked for here may be asked for twice.
    async fn ask(&self, method: &Method, url: &PresignedUrl) -> Result<Response<Bytes>, StorageError> {
        match self.once(method, url).await {
            Err(error) if error.may_pass() => {
                tokio::time::sleep(PAUSE).await;
                self.once(method, url).await
            }
            outcome => outcome,
        }
    }

    async fn once(&self, method: &Method, url: &PresignedUrl) -> Result<Response<Bytes>, StorageError> {
        // The URL is a secret, so no error repeats it.
        let request = Request::builder().method(method).uri(url.expose()).body(Bytes::new());
        let request = request.map_err(|_| StorageError::Unreached("the URL of the bucket can't be asked".into()))?;
        let answer = tokio::time::timeout(ONE_ATTEMPT, self.https.send(request, LONGEST_ANSWER));
        let answer = answer
            .await
            .map_err(|_| StorageError::Silent { limit: ONE_ATTEMPT })?
            .map_err(StorageError::Unreached)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (code, message) = listing_xml::error(&String::from_utf8_lossy(answer.body()));
        Err(StorageError::Refused {
            status: answer.status().as_u16(),
            code,
            message,
        })
    }
}
