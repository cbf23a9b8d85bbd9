//! Explains why a request is allowed or rejected, as text and as JSON.

mod constraints;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};
use signpost::auth::User;
use signpost::key::ObjectKey;
use signpost::mount::Mount;
use signpost::policy::{
    Constraints, Effect, LifetimeSource, Policy, RuleComparison, RulePart, StorageKey, UnmetCondition, ValueSource,
};

use self::constraints::{ConstraintRow, applicable_constraints};
use super::{display_name, load_policy};
use crate::SystemAccess;
use crate::access_query::{AccessDecision, AccessQuery, DecisionKind};
use crate::command_report::{CommandError, CommandReport};
use crate::options::ExplainOptions;

pub(crate) fn explain(options: &ExplainOptions, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let query = AccessQuery::from(options);
    query.validate().map_err(CommandError::Usage)?;
    let policy = load_policy(&options.file, system)?;
    let decision = query.evaluate(&policy).map_err(|message| CommandError::File {
        file: display_name(&options.file),
        message,
    })?;
    let report = ExplainReport::new(&query, &decision, &policy);
    Ok(CommandReport::success(if options.json {
        let json = serde_json::to_string_pretty(&report).expect("texts and numbers can be serialized");
        json + "\n"
    } else {
        report.to_string()
    }))
}

/// The explanation of a decision.
#[derive(Serialize)]
struct ExplainReport<'a> {
    #[serde(serialize_with = "as_text")]
    request: &'a AccessQuery,
    caller: CallerSummary<'a>,
    decision: DecisionKind,
    rule: Option<&'a str>,
    rejection: Option<RejectionSummary>,
    /// The folders in the response, if no rule allows the whole listing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    folders: &'a BTreeSet<String>,
    /// The mount of the key or the prefix, if the rules have mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    mount: Option<MountSummary<'a>>,
    /// The storage key, if it differs from the public key. `{id}` represents an id from the id table.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_key: Option<String>,
    lifetime: Option<LifetimeSummary>,
    #[serde(serialize_with = "as_map")]
    constraints: Vec<ConstraintRow>,
    other_matching_rules: Vec<MatchingRule<'a>>,
    near_misses: Vec<NearMissRule<'a>>,
    #[serde(skip)]
    access: &'a AccessDecision<'a>,
}

#[derive(Serialize)]
struct CallerSummary<'a> {
    user_id: Option<&'a str>,
    groups: &'a [String],
}

#[derive(Serialize)]
struct MountSummary<'a> {
    at: &'a str,
    /// The bucket. Absent for the bucket of the setting `SIGNPOST_BUCKET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<&'a str>,
}

#[derive(Serialize)]
struct RejectionSummary {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct LifetimeSummary {
    seconds: u64,
    set_by: &'static str,
    ceiling_seconds: u64,
    ceiling_set_by: &'static str,
    #[serde(skip)]
    description: String,
}

#[derive(Serialize)]
struct MatchingRule<'a> {
    rule: &'a str,
    effect: &'static str,
}

/// A rule that matches the request except for one field.
#[derive(Serialize)]
struct NearMissRule<'a> {
    rule: &'a str,
    field: &'static str,
    values: &'a [String],
    /// The conditions of `if` that the caller does not meet.
    #[serde(skip)]
    unmet: &'a [UnmetCondition],
}

impl<'a> ExplainReport<'a> {
    fn new(request: &'a AccessQuery, decision: &'a AccessDecision<'a>, policy: &'a Policy) -> Self {
        let mount = policy.mounts.find(&request.key).filter(|_| !policy.mounts.is_empty());
        let rule = decision.rule;
        let granted = decision.granted.as_ref();
        let granted = granted.map(|(grant, lifetime)| (grant.constraints, lifetime));
        let comparisons = decision.comparisons.iter();
        let others = comparisons
            .clone()
            .filter(|comparison| comparison.matches() && Some(comparison.rule) != rule);
        let near_misses = comparisons
            .filter(|_| rule.is_none() && decision.rejection.is_some())
            .filter_map(NearMissRule::new);
        Self {
            request,
            caller: CallerSummary {
                user_id: decision.principal.user().map(User::user_id),
                groups: decision.principal.user().map_or(&[], |user| &user.groups),
            },
            decision: decision.kind,
            rule,
            rejection: decision.rejection.as_ref().map(|rejection| RejectionSummary {
                code: rejection.code(),
                message: rejection.to_string(),
            }),
            folders: &decision.folders,
            mount: mount.map(|mount| MountSummary::new(mount)),
            storage_key: storage_key(request, decision, policy),
            lifetime: granted
                .filter(|_| decision.rejection.is_none())
                .map(|(constraints, source)| LifetimeSummary::new(constraints, source)),
            constraints: granted.map_or_else(Vec::new, |(constraints, _)| {
                applicable_constraints(constraints, request.method)
            }),
            other_matching_rules: others.map(MatchingRule::new).collect(),
            near_misses: near_misses.collect(),
            access: decision,
        }
    }
}

impl fmt::Display for ExplainReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        writeln!(f, "{}", self.access)?;
        if let Some(below) = self.request.key.strip_prefix('/') {
            writeln!(
                f,
                "note: the URL path /{below} names the key {below:?}, without the `/`"
            )?;
        }
        if let Some(user) = self.access.principal.user() {
            let groups = if user.groups.is_empty() {
                "none".to_owned()
            } else {
                user.groups.join(", ")
            };
            writeln!(f, "\ncaller:\n  user_id {}\n  groups  {groups}", user.user_id())?;
        }
        if let Some(mount) = &self.mount {
            writeln!(f, "\nbucket:\n  {mount}")?;
        }
        if let Some(storage_key) = &self.storage_key {
            writeln!(f, "\nstorage key:\n  {storage_key}")?;
        }
        if let Some(lifetime) = &self.lifetime {
            writeln!(f, "\nlifetime of the URL:\n  {}", lifetime.description)?;
        }
        let constraints = self
            .constraints
            .iter()
            .map(|constraint| (constraint.field, constraint.description.clone()));
        section(f, "constraints", constraints)?;
        let others = self
            .other_matching_rules
            .iter()
            .map(|other| (other.rule, other.description().to_owned()));
        section(f, "other matching rules", others)?;
        let near_misses = self
            .near_misses
            .iter()
            .map(|near_miss| (near_miss.rule, near_miss.description()));
        section(f, "rules that match except for one field", near_misses)
    }
}

/// The storage key for the requested key, if it differs.
fn storage_key(request: &AccessQuery, decision: &AccessDecision<'_>, policy: &Policy) -> Option<String> {
    let (grant, _) = decision.granted.as_ref()?;
    let key = ObjectKey::new(request.key.as_str()).ok()?;
    let mount = policy.mounts.find(&request.key)?;
    match grant.storage_key(&decision.principal, &key, mount).ok()? {
        StorageKey::Key(object) => (object != key).then(|| object.to_string()),
        StorageKey::IdIn(folder) => Some(folder + "{id}"),
    }
}

/// Writes a heading and two columns, unless there are no rows.
fn section<'a>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    rows: impl Iterator<Item = (&'a str, String)>,
) -> fmt::Result {
    let rows: Vec<_> = rows.collect();
    let Some(width) = rows.iter().map(|(name, _)| name.len()).max() else {
        return Ok(());
    };
    writeln!(f, "\n{heading}:")?;
    rows.iter()
        .try_for_each(|(name, description)| writeln!(f, "  {name:width$}  {description}"))
}

impl<'a> MountSummary<'a> {
    fn new(mount: &'a Mount) -> Self {
        Self {
            at: &mount.at,
            bucket: (!mount.is_root()).then_some(&mount.bucket),
        }
    }
}

impl fmt::Display for MountSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bucket {
            Some(bucket) => write!(f, "{bucket} (mount {:?})", self.at),
            None => f.write_str("that of the setting SIGNPOST_BUCKET (no mount contains the key)"),
        }
    }
}

impl LifetimeSummary {
    fn new(constraints: &Constraints, source: &LifetimeSource) -> Self {
        let (expires, ceiling) = (constraints.expires, source.ceiling);
        let set_by = match source.set_by {
            ValueSource::Rule => "set by the rule",
            ValueSource::Defaults => "set by [defaults]",
            ValueSource::BuiltIn => "the default, since neither the rule nor [defaults] sets it",
        };
        let ceiling_by = match source.ceiling_by {
            ValueSource::Rule | ValueSource::Defaults => "[defaults] allows",
            ValueSource::BuiltIn => "any rule may set",
        };
        let description = format!(
            "{}: {set_by}; at most {}, which {ceiling_by}. The URL expires earlier if the credentials that sign it expire.",
            humantime::format_duration(expires),
            humantime::format_duration(ceiling)
        );
        Self {
            seconds: expires.as_secs(),
            set_by: source_name(source.set_by),
            ceiling_seconds: ceiling.as_secs(),
            ceiling_set_by: source_name(source.ceiling_by),
            description,
        }
    }
}

const fn source_name(source: ValueSource) -> &'static str {
    match source {
        ValueSource::Rule => "rule",
        ValueSource::Defaults => "defaults",
        ValueSource::BuiltIn => "built-in",
    }
}

impl<'a> MatchingRule<'a> {
    fn new(comparison: &RuleComparison<'a>) -> Self {
        Self {
            rule: comparison.rule,
            effect: match comparison.effect {
                Effect::Allow => "allow",
                Effect::Deny => "deny",
            },
        }
    }

    fn description(&self) -> &'static str {
        if self.effect == "deny" {
            "also denies the request"
        } else {
            "allows the request, but another rule decides"
        }
    }
}

impl<'a> NearMissRule<'a> {
    fn new(comparison: &'a RuleComparison<'a>) -> Option<Self> {
        let mismatch = comparison
            .single_mismatch()
            .filter(|_| comparison.effect == Effect::Allow)?;
        Some(Self {
            rule: comparison.rule,
            field: match mismatch.part {
                RulePart::Action => "can",
                RulePart::Caller => "who",
                RulePart::Claims => "if",
                RulePart::Key => "on",
            },
            values: &mismatch.expected,
            unmet: &mismatch.unmet,
        })
    }

    fn description(&self) -> String {
        if self.unmet.is_empty() {
            return format!("{}: {}", self.field, self.values.join(", "));
        }
        let unmet = self.unmet.iter().zip(self.values);
        let unmet = unmet.map(|(condition, text)| match &condition.actual {
            Some(actual) => format!("{text}, but the caller has {actual:?}"),
            None => format!("{text}, but the caller has no such claim"),
        });
        format!("{}: {}", self.field, unmet.collect::<Vec<_>>().join("; "))
    }
}

impl From<&ExplainOptions> for AccessQuery {
    fn from(options: &ExplainOptions) -> Self {
        let claims = options
            .claims
            .iter()
            .map(|claim| (claim.name.clone(), claim.value.clone()));
        Self {
            who: options.who.clone(),
            groups: options.groups.clone(),
            claims: claims.collect(),
            method: options.method,
            key: options.key.clone(),
            length: options.length,
            content_type: options.content_type.clone(),
        }
    }
}

fn as_text<S: Serializer>(text: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

fn as_map<S: Serializer>(constraints: &[ConstraintRow], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        constraints
            .iter()
            .map(|constraint| (constraint.field, &constraint.value)),
    )
}
