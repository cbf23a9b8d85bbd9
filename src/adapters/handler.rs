//! The handler: reads the settings once, then answers requests.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::adapters::aws::{CredentialSource, Signer, SigningCredentials};
use crate::config::{ConfigError, CorsOrigins, Settings};
use crate::decide::{Decided, Decision, decide};
use crate::plan::{FormPlan, Instruction, PostForm, PresignError, PresignPlan};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, Failure, Told, Trouble};

/// The rules file of a package that has no setting for it.
const PACKAGED_RULES: &str = "rules.toml";

/// Everything that a request needs.
#[derive(Clone, Debug)]
pub struct Handler {
    policy: Policy,
    cors: CorsOrigins,
    base_path: String,
    signer: Signer,
    credentials: SigningCredentials,
}

impl Handler {
    /// Wires the parts; whatever is wrong with the settings or the rules stops the start-up. `credentials` sign, or
    /// assume the role that signs.
    pub async fn start(settings: Settings, credentials: CredentialSource) -> Result<Self, ConfigError> {
        let mut policy = load_policy(&settings)?;
        check_lifetimes(&policy, settings.max_expires)?;
        policy.authenticators.share_keys.clone_from(&settings.share_keys);
        let signer = Signer::resolve(&settings).await?;
        let credentials = SigningCredentials::new(&settings, credentials, &policy)?;
        if policy.is_empty() {
            tracing::warn!("there are no rules, so every request is refused");
        }
        Ok(Self {
            policy,
            cors: settings.cors_origins,
            base_path: settings.base_path,
            signer,
            credentials,
        })
    }

    /// What stands before the key where the front does not tell.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Answers one request, received at `now`.
    pub async fn handle(&self, request: &ApiRequest, now: SystemTime) -> ApiResponse {
        let response = match decide(&self.policy, request, now) {
            Ok(Decision::Instruct { plan, form }) => match self.sign(request, plan, now).await {
                Ok(instruction) => response::instruction(request, &instruction, form),
                Err(failure) => response::failure(&request.headers, &request.request_id, &failure),
            },
            Ok(Decision::InstructEach(decided)) => {
                let mut told = Vec::with_capacity(decided.len());
                for Decided { key, outcome } in decided {
                    let outcome = self.carry_out(request, outcome, now).await;
                    told.push(Told { key, outcome });
                }
                response::instructions(request, &told)
            }
            Ok(Decision::Form(form)) => match self.sign_form(request, form.plan, now).await {
                Ok(signed) if form.page => response::form_page(&signed, form.stored.as_deref()),
                Ok(signed) => response::form_json(&signed),
                Err(failure) => response::failure(&request.headers, &request.request_id, &failure),
            },
            Ok(Decision::Share(shared)) => {
                tracing::info!(
                    request.id = request.request_id,
                    request.invocation = request.invocation,
                    link = shared.link.id,
                    "shared"
                );
                response::shared(request, &shared)
            }
            Ok(Decision::Health) => response::health(),
            Ok(Decision::Preflight { allow }) => response::preflight(&allow),
            Err(rejection) => {
                log_refusal(request, &rejection);
                response::rejection(request, &rejection)
            }
        };
        response::finish(request, &self.cors, response)
    }

    /// Carries out one of many requests; whatever is wrong with it is told in its place.
    async fn carry_out(
        &self,
        request: &ApiRequest,
        decided: Result<PresignPlan, Rejection>,
        now: SystemTime,
    ) -> Result<Instruction, Trouble> {
        match decided {
            Ok(plan) => self.sign(request, plan, now).await.map_err(Trouble::Failed),
            Err(rejection) => {
                log_refusal(request, &rejection);
                Err(Trouble::Rejected(rejection))
            }
        }
    }

    async fn sign(&self, request: &ApiRequest, plan: PresignPlan, now: SystemTime) -> Result<Instruction, Failure> {
        let signed = match self.credentials.credentials(&plan.scope, plan.expires, now).await {
            Ok(credentials) => self.signer.sign(plan, &credentials, now),
            Err(error) => Err(error),
        };
        match &signed {
            Ok(instruction) => log_instruction(request, instruction),
            Err(error) => log_failure(request, error),
        }
        Ok(signed?)
    }

    async fn sign_form(&self, request: &ApiRequest, plan: FormPlan, now: SystemTime) -> Result<PostForm, Failure> {
        let signed = match self.credentials.credentials(&plan.scope, plan.expires, now).await {
            Ok(credentials) => self.signer.sign_form(plan, &credentials, now),
            Err(error) => Err(error),
        };
        match &signed {
            Ok(form) => log_form(request, form),
            Err(error) => log_failure(request, error),
        }
        Ok(signed?)
    }
}

fn log_failure(request: &ApiRequest, error: &PresignError) {
    tracing::error!(
        request.id = request.request_id,
        request.invocation = request.invocation,
        error = chain(error),
        "could not sign"
    );
}

/// Logs a signed form without its fields.
fn log_form(request: &ApiRequest, form: &PostForm) {
    tracing::info!(
        request.id = request.request_id,
        request.invocation = request.invocation,
        operation = "PostObject",
        key = form.plan.key.field(),
        rule = form.plan.scope.rule,
        expires_in = form.expires_in.as_secs(),
        "signed"
    );
}

/// Logs a signed request without its URL.
fn log_instruction(request: &ApiRequest, instruction: &Instruction) {
    let plan = &instruction.plan;
    tracing::info!(
        request.id = request.request_id,
        request.invocation = request.invocation,
        operation = plan.operation.name(),
        key = plan.key.as_str(),
        rule = plan.scope.rule,
        expires_in = instruction.expires_in.as_secs(),
        "signed"
    );
}

fn log_refusal(request: &ApiRequest, rejection: &Rejection) {
    tracing::info!(
        request.id = request.request_id,
        request.invocation = request.invocation,
        code = rejection.code(),
        "refused"
    );
}

fn load_policy(settings: &Settings) -> Result<Policy, ConfigError> {
    let (var, text) = match (&settings.rules, &settings.rules_file) {
        (Some(text), _) => ("SIGNPOST_RULES", text.clone()),
        (None, Some(path)) => ("SIGNPOST_RULES_FILE", read(path)?),
        (None, None) if Path::new(PACKAGED_RULES).exists() => ("SIGNPOST_RULES_FILE", read(PACKAGED_RULES)?),
        (None, None) => return Ok(Policy::default()),
    };
    Policy::parse(&text).map_err(|error| ConfigError {
        var,
        problem: error.to_string(),
    })
}

/// A rule whose URLs the bucket would refuse before their end is a mistake, and better told now.
fn check_lifetimes(policy: &Policy, longest: Duration) -> Result<(), ConfigError> {
    match policy.grants().find(|grant| grant.constraints.expires > longest) {
        Some(grant) => Err(ConfigError {
            var: "SIGNPOST_MAX_EXPIRES",
            problem: format!(
                "rule {:?} gives URLs that live for {}, and the longest allowed is {}",
                grant.rule,
                humantime::format_duration(grant.constraints.expires),
                humantime::format_duration(longest)
            ),
        }),
        None => Ok(()),
    }
}

fn read(path: &str) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError {
        var: "SIGNPOST_RULES_FILE",
        problem: format!("{path:?}: {error}"),
    };
    std::fs::read_to_string(path).map_err(unreadable)
}

/// An error with all its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
