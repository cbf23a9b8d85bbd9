//! Checks a service: its health, the clocks, the credential, and a redirect to S3.

use std::time::SystemTime;

use reqwest::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CACHE_CONTROL, DATE, HeaderMap,
    LOCATION, ORIGIN, RANGE,
};
use reqwest::{Method, Response, StatusCode};
use signpost::key::ObjectKey;
use signpost::mount::Mount;
use signpost::policy::Policy;
use signpost::wire::{HealthBody, IdentityBody, ProblemDocument};

use super::check_result::CheckResult;
use super::presigned_details::PresignedDetails;
use super::s3_error_details::S3ErrorDetails;
use super::{clock_skew, front_headers, mount_check};
use crate::command_context::SourcedCredential;
use crate::credential::is_secure_origin;
use crate::exit_status::ExitStatus;
use crate::gateway_error;
use crate::http_client::{self, HttpClients};
use crate::operation_error::OperationError;
use crate::signing_service::{credential_remedy, login_remedy};

/// A service that is being checked.
pub(super) struct ServiceCheck {
    pub(super) http: HttpClients,
    pub(super) url: String,
    pub(super) origin: String,
    pub(super) credential: Option<SourcedCredential>,
    /// A random part of a key that does not exist.
    pub(super) nonce: String,
}

impl ServiceCheck {
    /// Checks the service, and the mounts of its rules if they are known.
    pub(super) async fn examine(
        &self,
        policy: Option<&Policy>,
        now: SystemTime,
    ) -> Result<Vec<CheckResult>, OperationError> {
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
            results.extend(self.redirect(None, now).await?);
            if let Some(policy) = policy {
                results.extend(mount_check::examine(self, &policy.mounts, now).await?);
            }
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

    /// Requests a download of a missing object, in this mount or outside every mount. Checks the redirect and the response of S3.
    pub(super) async fn redirect(
        &self,
        mount: Option<&Mount>,
        now: SystemTime,
    ) -> Result<Vec<CheckResult>, OperationError> {
        let at = mount.map_or("", |mount| mount.at.as_str());
        let key = ObjectKey::new(format!("{at}signpost-doctor-{}", self.nonce))
            .map_err(|error| OperationError::usage(format!("{at:?}: {error}")))?;
        let response = self.ask(&key.to_path()).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (StatusCode::TEMPORARY_REDIRECT, Some(location)) = (status, text(LOCATION)) else {
            let body = http_client::read_body(response).await?;
            return Ok(vec![without_redirect(status, &body)]);
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
        results.extend(match mount {
            None => url.findings(now),
            Some(mount) => mount_check::findings(&url, mount, now),
        });
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
                "S3 returned 403 for an object that does not exist, because the signer may not list the bucket. If downloads \
                 of existing objects fail too, pass their error to `signpost doctor`",
            )],
            (_, Some(document)) => document.findings(Some(url)),
            (status, None) => vec![CheckResult::failed(
                format!("{} returned {status}, which is not a response of S3", url.host()),
                "Check the setting SIGNPOST_ENDPOINT, or the `endpoint` of the mount.",
            )],
        });
        results.extend(self.cors(location).await);
        results
    }

    /// Sends the request with which a browser finds out whether a page of the service may upload to the bucket.
    async fn cors(&self, location: &str) -> Option<CheckResult> {
        let request = self.http.request(Method::OPTIONS, location);
        let request = request
            .header(ORIGIN, &self.origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "PUT");
        let sent = tokio::time::timeout(http_client::RESPONSE_TIMEOUT, request.send()).await;
        let response = sent.ok()?.ok()?;
        let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
        let is_allowed = allowed.is_some_and(|allowed| allowed == "*" || allowed == self.origin.as_str());
        Some(if response.status().is_success() && is_allowed {
            CheckResult::passed("the CORS rules of the bucket allow uploads from pages of the service")
        } else {
            CheckResult::note(format!(
                "the CORS rules of the bucket do not allow uploads from {}, so pages of the service cannot upload to it",
                self.origin
            ))
            .with_remedy("If browsers upload files, add this origin to the CORS rules of the bucket.")
        })
    }
}

/// The result for a response without a redirect.
fn without_redirect(status: StatusCode, body: &[u8]) -> CheckResult {
    let problem = serde_json::from_slice::<ProblemDocument>(body).ok();
    match (status, problem) {
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => CheckResult::note(format!(
            "no rule allows this caller to read the key of the check ({status}), so redirects and S3 were not checked. \
             To check them, use a token with read access to all keys"
        )),
        (StatusCode::NOT_FOUND, Some(problem)) if problem.code == "NoSuchBucket" => CheckResult::note(
            "the service has no bucket for keys outside its mounts; use --rules to check the mounts of its rules",
        ),
        (StatusCode::NOT_FOUND, Some(problem)) if problem.code == "NoSuchKey" => CheckResult::note(
            "the rule for the key of the check stores objects under ids, so redirects and S3 were not checked",
        ),
        (_, Some(problem)) => CheckResult::failed(
            format!("the service rejects a download ({status}): {}", problem.detail),
            problem
                .remedy
                .unwrap_or_else(|| "The log of the service contains the reason.".to_owned()),
        ),
        (_, None) => CheckResult::failed(
            format!("a download returned {status} instead of 307 with a Location header"),
            "A proxy between this machine and Signpost follows or changes redirects.",
        ),
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
