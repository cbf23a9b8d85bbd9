//! The handler: decides about each request, carries out the decision, and logs the result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::config::{ConfigError, CorsOrigins, Metrics, Settings};
use crate::decide::{BulkDecision, Decision, PostFormDecision, RejectedRequest, SignInState, check_page, decide};
use crate::error::chain;
use crate::fronts::ServiceAddress;
use crate::key::ObjectKey;
use crate::outbound::aws::{CredentialSource, S3Client, SessionTarget};
use crate::outbound::https_client::HttpsClient;
use crate::outbound::id_lookup::TableError;
use crate::outbound::id_table::{IdLookups, IdTable};
use crate::outbound::oidc_provider::{ProviderCache, ProviderMetadata, ProviderUnavailable};
use crate::plan::{
    Instruction, ObjectLocation, PostFormKey, PostPolicyPlan, PresignError, PresignPlan, SignedPostForm,
};
use crate::policy::Policy;
use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::{ApiRequest, bad_value};
use crate::response::{self, ApiResponse, BulkResult, BulkResults, RequestError, ServiceFailure};
use crate::service::active_policy::ActivePolicy;
use crate::service::active_secret::ActiveClientSecret;
use crate::service::buckets::Buckets;
use crate::service::metrics;
use crate::service::request_log::{RequestLog, ResponseStats};

/// The time limit of a request. The function has ten seconds, and several services may time out one after the other. Lambda
/// ends a function that exceeds its time limit, with all its cached values.
const REQUEST_DEADLINE: Duration = Duration::from_secs(8);

/// The time limit of the calls during the start-up. Lambda ends a start-up after ten seconds.
const PREPARATION_DEADLINE: Duration = Duration::from_secs(2);

/// The parts of the service that a request uses.
#[derive(Clone, Debug)]
pub struct Handler {
    pub(super) policy: ActivePolicy,
    pub(super) cors: CorsOrigins,
    pub(super) base_path: String,
    pub(super) public_url: Option<String>,
    pub(super) buckets: Buckets,
    pub(super) s3: S3Client,
    pub(super) providers: ProviderCache,
    pub(super) client_secret: ActiveClientSecret,
    pub(super) id_table: IdTable,
    /// The bucket of the setting `SIGNPOST_BUCKET`, for the metrics.
    pub(super) bucket: Option<String>,
    pub(super) metrics: Metrics,
    /// True if this process has handled a request before.
    pub(super) warm: Arc<AtomicBool>,
}

impl Handler {
    /// Prepares the service. An error in the settings or in the rules stops the start-up. `credentials` sign, or assume the
    /// role that signs.
    pub async fn start(settings: Settings, credentials: CredentialSource) -> Result<Self, ConfigError> {
        Self::start_local(settings, credentials, None).await
    }

    /// Does the same for a local server, whose machine may have other credentials.
    pub async fn start_local(
        settings: Settings,
        credentials: CredentialSource,
        machine: Option<CredentialSource>,
    ) -> Result<Self, ConfigError> {
        let https = HttpsClient::default();
        let buckets = Buckets::new(&settings, credentials.clone(), machine, &https).await?;
        let policy = ActivePolicy::load(&settings, credentials.clone(), &https).await?;
        let client_secret = ActiveClientSecret::new(&settings, credentials.clone(), https.clone())?;
        let id_table = IdTable::new(&settings, credentials, https.clone())?;
        Ok(Self {
            policy,
            cors: settings.cors_origins,
            base_path: settings.base_path,
            public_url: settings.public_url,
            buckets,
            s3: S3Client::new(https.clone()),
            providers: ProviderCache::new(https),
            client_secret,
            id_table,
            bucket: settings.bucket,
            metrics: settings.metrics,
            warm: Arc::default(),
        })
    }

    /// Makes the calls that the first request would otherwise wait for: it reads the sources of rules and keys, opens
    /// connections, and assumes the signer role. If a call fails or takes too long, the first request makes it again.
    /// Without sources, signer role and id table, there is no call.
    pub async fn prepare(&self, now: SystemTime) {
        let calls = async { tokio::join!(self.prepare_signing(now), self.id_table.connect()) };
        if tokio::time::timeout(PREPARATION_DEADLINE, calls).await.is_err() {
            tracing::warn!(
                "another service does not respond; the start-up continues, and the first request calls it again"
            );
        }
    }

    async fn prepare_signing(&self, now: SystemTime) {
        let (policy, ()) = tokio::join!(self.policy.prepare(now), self.buckets.connect());
        let Some(policy) = policy else { return };
        if let Err(error) = self.buckets.prepare(&policy, now).await {
            tracing::warn!(
                error = chain(&error),
                "failed to assume the signer role during the start-up; the first request assumes it again"
            );
        }
    }

    /// Returns a handler with the rules in `text`, the new content of the local rules file, that shares everything else with
    /// this handler.
    pub fn with_rules(&self, text: &str, settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            policy: self.policy.with_rules(text, settings)?,
            ..self.clone()
        })
    }

    /// Returns the policy for a request at `now`, or `None` if its source has not provided a usable one.
    pub async fn policy(&self, now: SystemTime) -> Option<Arc<Policy>> {
        self.policy.get(now).await
    }

    /// The base path, for fronts that do not report it.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The address of the service, as far as its settings define it.
    pub fn address(&self) -> ServiceAddress<'_> {
        ServiceAddress {
            base_path: &self.base_path,
            public_url: self.public_url(),
        }
    }

    /// The URL that clients use, if the settings define it.
    pub fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref()
    }

    /// Handles a request that was received at `now`, and logs it in one line.
    pub async fn handle(&self, request: &ApiRequest, now: SystemTime) -> ApiResponse {
        let started = Instant::now();
        let outcome = tokio::time::timeout(REQUEST_DEADLINE, self.respond(request, now)).await;
        let (response, log) = outcome.unwrap_or_else(|_| failed(request, &ServiceFailure::Timeout));
        let (response, log) = within_limit(request, response, log);
        let response = response::finish(request, &self.cors, response);
        let stats = ResponseStats {
            status: response.status().as_u16(),
            duration: started.elapsed(),
            cold: !self.warm.swap(true, Ordering::Relaxed),
        };
        log.emit(request, stats);
        if self.metrics == Metrics::Emf {
            metrics::emit(self.bucket.as_deref(), &log, stats, now);
        }
        response
    }

    async fn respond(&self, request: &ApiRequest, now: SystemTime) -> (ApiResponse, RequestLog) {
        match self.policy.get(now).await {
            Some(policy) => {
                let (response, log) = self.respond_with(&policy, request, now).await;
                let older_secret = policy.authenticators.uses_older_secret(request, now);
                (response, log.with_bucket(&policy).with_older_secret(older_secret))
            }
            None => failed(request, &ServiceFailure::NoPolicy),
        }
    }

    async fn respond_with(&self, policy: &Policy, request: &ApiRequest, now: SystemTime) -> (ApiResponse, RequestLog) {
        if let Err(rejection) = check_page(request, &self.cors) {
            return reject(policy, request, &rejection.into(), now);
        }
        let provider = match self.provider(policy, request, now).await {
            Ok(provider) => provider,
            Err(ProviderUnavailable) => return failed(request, &ServiceFailure::KeysUnavailable),
        };
        let keys = provider.as_ref().map(|provider| &provider.keys);
        match decide(policy, request, keys, now) {
            Ok(Decision::Instruct { plan, format }) => match self.sign(policy, plan, now).await {
                Ok(instruction) => {
                    let mut response = response::instruction(request, &instruction, format);
                    if let Some(name) = &policy.authenticators.token_header {
                        response::vary_by(&mut response, name);
                    }
                    (response, RequestLog::signed(&instruction))
                }
                Err(error) => not_signed(policy, request, &error, now),
            },
            Ok(Decision::BulkSign(decided)) => self.respond_each(policy, request, decided, now).await,
            Ok(Decision::PostForm(PostFormDecision {
                plan,
                page,
                uploaded_key,
            })) => match self.sign_form(policy, plan, now).await {
                Ok(form) => {
                    let log = RequestLog::signed_form(&form);
                    let response = match page {
                        Some(actions) => response::post_form_page(request, &form, uploaded_key.as_deref(), actions),
                        None => response::post_form_json(&form),
                    };
                    (response, log)
                }
                Err(error) => not_signed(policy, request, &error, now),
            },
            Ok(Decision::Listing(list)) => self.list(policy, request, list, now).await,
            Ok(Decision::ObjectPage(page)) => Box::pin(self.of_object(policy, request, page, now)).await,
            Ok(Decision::Asset(name)) => (response::asset(request, &name), RequestLog::new("loaded")),
            Ok(Decision::ShareLink(shared)) => (
                response::share_link(request, &shared),
                RequestLog::shared(&shared.link.id),
            ),
            Ok(Decision::SignIn(step)) => Box::pin(self.sign_in(policy, request, step, now)).await,
            Ok(Decision::Dialect(decision)) => Box::pin(self.dialect(policy, request, decision, now)).await,
            Ok(Decision::Health) => (response::health(), RequestLog::new("healthy")),
            Ok(Decision::Identity(identity)) => (
                response::identity(&identity),
                RequestLog::identified(&identity.principal),
            ),
            Ok(Decision::Document(document)) => (response::document(document), RequestLog::new("described")),
            Ok(Decision::Preflight { allow }) => (response::preflight(&allow), RequestLog::new("allowed")),
            Err(refused) => reject(policy, request, &refused, now),
        }
    }

    pub(super) const fn providers(&self) -> &ProviderCache {
        &self.providers
    }

    /// Returns the metadata of the issuer whose keys verify the token of the request.
    async fn provider(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        now: SystemTime,
    ) -> Result<Option<Arc<ProviderMetadata>>, ProviderUnavailable> {
        match policy.authenticators.required_keys(request) {
            None => Ok(None),
            Some(wanted) => self.providers.get(&wanted, now).await.map(Some),
        }
    }

    /// Handles the parts of a bulk request. An error of one part is reported in its place.
    async fn respond_each(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        decided: Vec<BulkDecision>,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        let plans = decided.iter().filter_map(|decided| decided.outcome.as_ref().ok());
        let ids = self
            .id_table
            .look_up(plans.filter_map(PresignPlan::id_lookup).collect(), now)
            .await;
        let mut results = BulkResults::new(request);
        for BulkDecision { key, outcome } in decided {
            let outcome = match outcome {
                Ok(plan) if results.is_full() => Err(RequestError::Rejected(RejectedRequest::from_plan(
                    &plan,
                    bulk_response_full(),
                ))),
                Ok(plan) => self.sign_with(policy, plan, &ids, now).await,
                Err(refused) => Err(RequestError::Rejected(refused)),
            };
            let log = match &outcome {
                Ok(instruction) => RequestLog::signed(instruction),
                Err(error) => RequestLog::not_signed(error),
            };
            log.with_bucket(policy).emit_part(request);
            results.push(&BulkResult { key, outcome });
        }
        let log = RequestLog::bulk(results.len());
        (results.into_response(), log)
    }

    /// Resolves the storage key, and signs.
    pub(super) async fn sign(
        &self,
        policy: &Policy,
        plan: PresignPlan<ObjectLocation>,
        now: SystemTime,
    ) -> Result<Instruction, RequestError> {
        let ids = self.id_table.look_up(plan.id_lookup().into_iter().collect(), now).await;
        self.sign_with(policy, plan, &ids, now).await
    }

    /// Signs, and then consumes a use of the share link. A caller for whom no use is left does not receive the URL.
    pub(super) async fn sign_with(
        &self,
        policy: &Policy,
        plan: PresignPlan<ObjectLocation>,
        ids: &IdLookups,
        now: SystemTime,
    ) -> Result<Instruction, RequestError> {
        let (location, plan) = plan.replace_key(());
        let key = storage_key(location, ids, |rejection| RejectedRequest::from_plan(&plan, rejection))?;
        let ((), plan) = plan.replace_key(key);
        let target = SessionTarget {
            scope: &plan.scope,
            key: plan.key.as_str(),
        };
        let bucket = self.buckets.get(policy, &plan.scope.mount).await.map_err(unavailable)?;
        let credentials = bucket.credentials(policy, target, plan.expires, now).await;
        let credentials = credentials
            .map_err(|error| presign_error(error, |rejection| RejectedRequest::from_plan(&plan, rejection)))?;
        let signed = bucket.presigner.sign(plan, &credentials, now);
        let instruction = signed.map_err(|error| RequestError::Failed(error.into()))?;
        let consumed = match &instruction.plan.link_use {
            Some(counted) => self.id_table.consume(counted).await.map_err(no_table)?,
            None => true,
        };
        if !consumed {
            let problem = "the share link has no uses left";
            let remedy = CredentialRemedy::RequestUses;
            let refused = RejectedRequest::from_plan(&instruction.plan, Rejection::BadCredential { problem, remedy });
            return Err(RequestError::Rejected(refused));
        }
        Ok(instruction)
    }

    async fn sign_form(
        &self,
        policy: &Policy,
        plan: PostPolicyPlan<ObjectLocation>,
        now: SystemTime,
    ) -> Result<SignedPostForm, RequestError> {
        let ids = self.id_table.look_up(plan.id_lookup().into_iter().collect(), now).await;
        let plan = plan.resolve(|location| storage_key(location, &ids, RejectedRequest::from))?;
        let (PostFormKey::Exact(key) | PostFormKey::InFolder(key)) = &plan.key;
        let target = SessionTarget {
            scope: &plan.scope,
            key: key.as_str(),
        };
        let bucket = self.buckets.get(policy, &plan.scope.mount).await.map_err(unavailable)?;
        let credentials = bucket.credentials(policy, target, plan.expires, now).await;
        let credentials = credentials.map_err(|error| presign_error(error, RejectedRequest::from))?;
        let signed = bucket.presigner.sign_form(plan, &credentials, now);
        signed.map_err(|error| RequestError::Failed(error.into()))
    }
}

/// Returns the response to a rejected request.
pub(super) fn reject(
    policy: &Policy,
    request: &ApiRequest,
    refused: &RejectedRequest,
    now: SystemTime,
) -> (ApiResponse, RequestLog) {
    let sign_in = SignInState::of_session(&policy.authenticators, request, now);
    let response = response::rejection(request, &refused.rejection, sign_in);
    (response, RequestLog::rejected(refused))
}

pub(super) fn not_signed(
    policy: &Policy,
    request: &ApiRequest,
    error: &RequestError,
    now: SystemTime,
) -> (ApiResponse, RequestLog) {
    match error {
        RequestError::Rejected(refused) => reject(policy, request, refused, now),
        RequestError::Failed(failure) => failed(request, failure),
    }
}

/// Replaces a response that the front would not accept.
fn within_limit(request: &ApiRequest, response: ApiResponse, log: RequestLog) -> (ApiResponse, RequestLog) {
    if response::excess(request, &response) <= 1.0 {
        return (response, log);
    }
    let refused = RejectedRequest::from(Rejection::ResponseTooLarge);
    let response = response::rejection(request, &refused.rejection, SignInState::Disabled);
    (response, RequestLog::rejected(&refused))
}

/// Returns the storage key of an object, whose id may have been looked up.
fn storage_key(
    location: ObjectLocation,
    ids: &IdLookups,
    refused: impl FnOnce(Rejection) -> RejectedRequest,
) -> Result<ObjectKey, RequestError> {
    match location {
        ObjectLocation::Key(key) => Ok(key),
        ObjectLocation::Lookup(entry) => {
            let id = ids.get(&entry).map_err(no_table)?;
            entry
                .storage_key(id)
                .map_err(|rejection| RequestError::Rejected(refused(rejection)))
        }
    }
}

/// Returns the rejection of an item for which the response of a bulk request has no space.
fn bulk_response_full() -> Rejection {
    bad_value(
        "body",
        "requests more instructions than one response can contain; send fewer items, or shorter ones",
    )
}

/// Returns the error of a request that cannot be signed. The claims of a user can be too long for a session.
pub(super) fn presign_error(error: PresignError, refused: impl FnOnce(Rejection) -> RejectedRequest) -> RequestError {
    match error {
        PresignError::ClaimsTooLong { .. } => RequestError::Rejected(refused(Rejection::ClaimsTooLong)),
        PresignError::NoCredentials(_)
        | PresignError::MountUnavailable { .. }
        | PresignError::CredentialsExpire
        | PresignError::SessionPolicy { .. } => RequestError::Failed(error.into()),
    }
}

/// Returns the error of a request to a mount whose endpoint cannot be resolved.
pub(super) fn unavailable(error: PresignError) -> RequestError {
    RequestError::Failed(error.into())
}

pub(super) fn no_table(error: TableError) -> RequestError {
    RequestError::Failed(ServiceFailure::IdTable(error))
}

/// Returns the response to a request that failed because of the service.
pub(super) fn failed(request: &ApiRequest, failure: &ServiceFailure) -> (ApiResponse, RequestLog) {
    let log = RequestLog::failed(failure);
    let response = response::failure(Some(request), &request.request_id, failure);
    (response, log)
}
