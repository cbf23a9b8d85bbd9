//! Listings, asked of S3 by the same signed URLs that clients get.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{Request, StatusCode};

use super::listing_xml;
use super::signer::Signer;
use crate::adapters::https::Https;
use crate::plan::{ListError, ListPlan, Page};

/// S3 answers within a fraction of it, and the function itself has ten seconds for two attempts and a session.
const ONE_ATTEMPT: Duration = Duration::from_secs(3);

/// How long to wait before the second attempt, which is the last.
const PAUSE: Duration = Duration::from_millis(200);

/// A page of the longest keys, each byte of them escaped, and what else S3 tells of each.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Asks S3 for listings.
#[derive(Clone, Debug, Default)]
pub struct Lister {
    https: Https,
}

impl Lister {
    /// Carries out `plan` at `now` with what `credentials` may.
    pub async fn list(
        &self,
        signer: &Signer,
        plan: &ListPlan,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Page, ListError> {
        let url = signer.sign_listing(plan, credentials, now)?;
        match self.once(url.expose(), plan).await {
            Err(error) if error.may_pass() => {
                tokio::time::sleep(PAUSE).await;
                self.once(url.expose(), plan).await
            }
            outcome => outcome,
        }
    }

    async fn once(&self, url: &str, plan: &ListPlan) -> Result<Page, ListError> {
        // The URL is a secret, so no error repeats it.
        let request = Request::get(url).body(Bytes::new());
        let request = request.map_err(|_| ListError::Unreached("the URL of the bucket can't be asked".into()))?;
        let answer = tokio::time::timeout(ONE_ATTEMPT, self.https.send(request, LONGEST_ANSWER));
        let answer = answer
            .await
            .map_err(|_| ListError::Silent { limit: ONE_ATTEMPT })?
            .map_err(ListError::Unreached)?;
        let text = String::from_utf8_lossy(answer.body());
        if answer.status() != StatusCode::OK {
            let (code, message) = listing_xml::error(&text);
            return Err(ListError::Refused {
                status: answer.status().as_u16(),
                code,
                message,
            });
        }
        listing_xml::page(&text, plan.listing).map_err(|problem| ListError::Unreadable { problem })
    }
}
