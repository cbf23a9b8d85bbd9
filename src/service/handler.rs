//! The handler: reads the settings once, then answers requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::config::{ClientSecret, ConfigError, CorsOrigins, Metrics, Settings};
use crate::decide::{Decided, Decision, Refused, UploadForm, decide};
use crate::key::ObjectKey;
use crate::outbound::aws::{CredentialSource, Signer, SigningCredentials, Storage};
use crate::outbound::id_table::{self as table, Ids, Table};
use crate::outbound::oidc_provider::{Provider, Providers, Unknown};
use crate::plan::{FormPlan, Instruction, Kept, PostForm, PresignPlan};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, Failure, Told, Trouble};
use crate::service::active_policy::Rules;
use crate::service::metrics;
use crate::service::request_log::{Answered, Record};

/// The function has ten seconds. Those whom it asks may be silent one after the other, and then it must still answer
/// itself: a function that is out of time is ended, with all that it keeps.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Everything that a request needs.
#[derive(Clone, Debug)]
pub struct Handler {
    pub(super) rules: Rules,
    pub(super) cors: CorsOrigins,
    pub(super) base_path: String,
    pub(super) public_url: Option<String>,
    pub(super) signer: Signer,
    pub(super) storage: Storage,
    pub(super) credentials: SigningCredentials,
    pub(super) providers: Providers,
    pub(super) client_secret: Option<ClientSecret>,
    pub(super) table: Table,
    pub(super) bucket: String,
    pub(super) metrics: Metrics,
    /// Whether a request has been answered before.
    pub(super) warm: Arc<AtomicBool>,
}

/// Where the service stands, where the front does not tell it as clients know it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place<'a> {
    /// What stands before the key.
    pub(crate) base_path: &'a str,
    /// What clients write before it, from the scheme on.
    pub(crate) public_url: Option<&'a str>,
}

impl Handler {
    /// Wires the parts; whatever is wrong with the settings or the rules stops the start-up. `credentials` sign, or
    /// assume the role that signs.
    pub async fn start(settings: Settings, credentials: CredentialSource) -> Result<Self, ConfigError> {
        let signer = Signer::resolve(&settings).await?;
        let signing = SigningCredentials::new(&settings, credentials.clone())?;
        let rules = Rules::of(&settings, &signing, credentials.clone()).await?;
        let table = Table::of(&settings, credentials)?;
        Ok(Self {
            rules,
            cors: settings.cors_origins,
            base_path: settings.base_path,
            public_url: settings.public_url,
            signer,
            storage: Storage::default(),
            credentials: signing,
            providers: Providers::default(),
            client_secret: settings.client_secret,
            table,
            bucket: settings.bucket,
            metrics: settings.metrics,
            warm: Arc::default(),
        })
    }

    /// What stands before the key where the front does not tell.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Where the service stands, as far as its settings say.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            base_path: &self.base_path,
            public_url: self.public_url(),
        }
    }

    /// The URL under which clients reach the service, if its settings say so.
    pub fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref()
    }

    /// Answers one request, received at `now`, and logs it in one line.
    pub async fn handle(&self, request: &ApiRequest, now: SystemTime) -> ApiResponse {
        let began = Instant::now();
        let answer = tokio::time::timeout(LONGEST_WAIT, self.answer(request, now)).await;
        let (response, record) = answer.unwrap_or_else(|_| failed(request, &Failure::TooSlow));
        let response = response::finish(request, &self.cors, response);
        let answered = Answered {
            status: response.status().as_u16(),
            took: began.elapsed(),
            cold: !self.warm.swap(true, Ordering::Relaxed),
        };
        record.tell(request, answered);
        if self.metrics == Metrics::Emf {
            metrics::emit(&self.bucket, answered, now);
        }
        response
    }

    async fn answer(&self, request: &ApiRequest, now: SystemTime) -> (ApiResponse, Record) {
        match self.rules.in_force(now).await {
            Some(policy) => self.answer_by(&policy, request, now).await,
            None => failed(request, &Failure::NoRules),
        }
    }

    async fn answer_by(&self, policy: &Policy, request: &ApiRequest, now: SystemTime) -> (ApiResponse, Record) {
        let provider = match self.provider(policy, request, now).await {
            Ok(provider) => provider,
            Err(Unknown) => return failed(request, &Failure::Unverifiable),
        };
        let keys = provider.as_ref().map(|provider| &provider.keys);
        match decide(policy, request, keys, now) {
            Ok(Decision::Instruct { plan, form }) => match self.sign(policy, plan, now).await {
                Ok(instruction) => (
                    response::instruction(request, &instruction, form),
                    Record::signed(&instruction),
                ),
                Err(trouble) => troubled(policy, request, &trouble),
            },
            Ok(Decision::InstructEach(decided)) => self.answer_each(policy, request, decided, now).await,
            Ok(Decision::Form(UploadForm { plan, page, stored })) => match self.sign_form(policy, plan, now).await {
                Ok(form) => {
                    let record = Record::signed_form(&form);
                    let response = if page {
                        response::form_page(request, &form, stored.as_deref())
                    } else {
                        response::form_json(&form)
                    };
                    (response, record)
                }
                Err(trouble) => troubled(policy, request, &trouble),
            },
            Ok(Decision::List(list)) => self.list(policy, request, list, now).await,
            Ok(Decision::OfObject(page)) => Box::pin(self.of_object(policy, request, page, now)).await,
            Ok(Decision::Asset(name)) => (response::asset(request, &name), Record::of("loaded")),
            Ok(Decision::Share(shared)) => (response::shared(request, &shared), Record::shared(&shared.link.id)),
            Ok(Decision::SignIn(step)) => Box::pin(self.sign_in(policy, request, step, now)).await,
            Ok(Decision::Health) => (response::health(), Record::of("healthy")),
            Ok(Decision::Document(document)) => (response::document(document), Record::of("told")),
            Ok(Decision::Preflight { allow }) => (response::preflight(&allow), Record::of("allowed")),
            Err(refused) => refuse(policy, request, &refused),
        }
    }

    pub(super) const fn providers(&self) -> &Providers {
        &self.providers
    }

    pub(super) const fn client_secret(&self) -> Option<&ClientSecret> {
        self.client_secret.as_ref()
    }

    /// The issuer whose keys the request's token wants.
    async fn provider(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        now: SystemTime,
    ) -> Result<Option<Arc<Provider>>, Unknown> {
        match policy.authenticators.required_keys(request) {
            None => Ok(None),
            Some(wanted) => self.providers.of(&wanted, now).await.map(Some),
        }
    }

    /// Answers many requests in one; what is wrong with one of them is told in its place.
    async fn answer_each(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        decided: Vec<Decided>,
        now: SystemTime,
    ) -> (ApiResponse, Record) {
        let plans = decided.iter().filter_map(|decided| decided.outcome.as_ref().ok());
        let ids = self
            .table
            .ids(plans.filter_map(PresignPlan::entry).collect(), now)
            .await;
        let mut told = Vec::with_capacity(decided.len());
        for Decided { key, outcome } in decided {
            let outcome = match outcome {
                Ok(plan) => self.sign_with(policy, plan, &ids, now).await,
                Err(refused) => Err(Trouble::Rejected(refused)),
            };
            let record = match &outcome {
                Ok(instruction) => Record::signed(instruction),
                Err(trouble) => Record::troubled(trouble),
            };
            record.tell_part(request);
            told.push(Told { key, outcome });
        }
        (response::instructions(request, &told), Record::of_many(told.len()))
    }

    /// Finds where the object is, and signs.
    pub(super) async fn sign(
        &self,
        policy: &Policy,
        plan: PresignPlan<Kept>,
        now: SystemTime,
    ) -> Result<Instruction, Trouble> {
        let ids = self.table.ids(plan.entry().into_iter().collect(), now).await;
        self.sign_with(policy, plan, &ids, now).await
    }

    /// Signs, and takes the use that must be had first; whoever gets none never learns the URL.
    async fn sign_with(
        &self,
        policy: &Policy,
        plan: PresignPlan<Kept>,
        ids: &Ids,
        now: SystemTime,
    ) -> Result<Instruction, Trouble> {
        let (kept, plan) = plan.replace(());
        let key = find(kept, ids, |rejection| Refused::of_plan(&plan, rejection))?;
        let ((), plan) = plan.replace(key);
        let credentials = self
            .credentials
            .credentials(policy, &plan.scope, plan.expires, now)
            .await;
        let signed = credentials.and_then(|credentials| self.signer.sign(plan, &credentials, now));
        let instruction = signed.map_err(|error| Trouble::Failed(error.into()))?;
        let taken = match &instruction.plan.counted {
            Some(counted) => self.table.take(counted).await.map_err(no_table)?,
            None => true,
        };
        if !taken {
            let problem = "the share link has been used as often as it may be";
            let refused = Refused::of_plan(&instruction.plan, Rejection::BadCredential { problem });
            return Err(Trouble::Rejected(refused));
        }
        Ok(instruction)
    }

    async fn sign_form(&self, policy: &Policy, plan: FormPlan<Kept>, now: SystemTime) -> Result<PostForm, Trouble> {
        let ids = self.table.ids(plan.entry().into_iter().collect(), now).await;
        let plan = plan.settle(|kept| find(kept, &ids, Refused::from))?;
        let credentials = self
            .credentials
            .credentials(policy, &plan.scope, plan.expires, now)
            .await;
        let signed = credentials.and_then(|credentials| self.signer.sign_form(plan, &credentials, now));
        signed.map_err(|error| Trouble::Failed(error.into()))
    }
}

/// The answer to a request that is the client's to mend.
pub(super) fn refuse(policy: &Policy, request: &ApiRequest, refused: &Refused) -> (ApiResponse, Record) {
    let sign_in = policy.authenticators.sign_in_method().is_some();
    let response = response::rejection(request, &refused.rejection, sign_in);
    (response, Record::refused(refused))
}

pub(super) fn troubled(policy: &Policy, request: &ApiRequest, trouble: &Trouble) -> (ApiResponse, Record) {
    match trouble {
        Trouble::Rejected(refused) => refuse(policy, request, refused),
        Trouble::Failed(failure) => failed(request, failure),
    }
}

/// The key under which the object is `kept`, by the ids that the table has told.
fn find(kept: Kept, ids: &Ids, refused: impl FnOnce(Rejection) -> Refused) -> Result<ObjectKey, Trouble> {
    match kept {
        Kept::At(key) => Ok(key),
        Kept::By(entry) => {
            let id = ids.of(&entry).map_err(no_table)?;
            entry.key(id).map_err(|rejection| Trouble::Rejected(refused(rejection)))
        }
    }
}

fn no_table(error: table::Error) -> Trouble {
    Trouble::Failed(Failure::NoTable(error))
}

/// The answer to a request that failed by our fault.
pub(super) fn failed(request: &ApiRequest, failure: &Failure) -> (ApiResponse, Record) {
    let record = Record::failed(failure);
    let response = response::failure(Some(request), &request.request_id, failure);
    (response, record)
}
