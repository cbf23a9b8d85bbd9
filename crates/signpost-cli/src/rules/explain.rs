//! Why a request is allowed or refused, for people and as JSON.

use std::collections::BTreeSet;
use std::fmt;

use bytesize::ByteSize;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use signpost::key::ObjectKey;
use signpost::operation::Operation;
use signpost::policy::{
    Constraints, Disposition, Effect, LifetimeSource, RuleComparison, RulePart, StorageKey, ValueSource,
};
use signpost::rejection::MAX_PUT_BYTES;

use super::{policy, shown};
use crate::System;
use crate::options::Explain;
use crate::question::{Answer, Decision, Method, Question};
use crate::report::{Error, Report};

pub(crate) fn explain(options: &Explain, system: &mut System<'_>) -> Result<Report, Error> {
    let question = Question::from(options);
    question.check().map_err(Error::Usage)?;
    let policy = policy(&options.file, system)?;
    let answer = question.ask(&policy).map_err(|problem| Error::File {
        file: shown(&options.file),
        problem,
    })?;
    let told = Told::new(&question, &answer);
    Ok(Report::done(if options.json {
        let json = serde_json::to_string_pretty(&told).expect("texts and numbers can be JSON");
        json + "\n"
    } else {
        told.to_string()
    }))
}

/// The answer, as it is told.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(serialize_with = "as_text")]
    request: &'a Question,
    caller: Caller<'a>,
    decision: Decision,
    rule: Option<&'a str>,
    refusal: Option<Refusal>,
    /// Of a listing of which no rule allows all: the folders in it that are told.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ways: &'a BTreeSet<String>,
    /// The key in the bucket, where the rule keeps the object under another; `{id}` in it stands for what the table has.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    lifetime: Option<Lifetime>,
    #[serde(serialize_with = "as_map")]
    constraints: Vec<Constraint>,
    also_matched: Vec<Other<'a>>,
    came_near: Vec<Near<'a>>,
    #[serde(skip)]
    answer: &'a Answer<'a>,
}

#[derive(Serialize)]
struct Caller<'a> {
    user_id: &'a str,
    groups: &'a [String],
}

#[derive(Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Lifetime {
    seconds: u64,
    set_by: &'static str,
    ceiling_seconds: u64,
    ceiling_set_by: &'static str,
    #[serde(skip)]
    words: String,
}

/// A constraint by the name of its field in the rules, as a value and in words.
struct Constraint {
    field: &'static str,
    value: Value,
    words: String,
}

#[derive(Serialize)]
struct Other<'a> {
    rule: &'a str,
    effect: &'static str,
}

/// A rule that would allow the request but for one thing.
#[derive(Serialize)]
struct Near<'a> {
    rule: &'a str,
    field: &'static str,
    expected: &'a [String],
}

impl<'a> Told<'a> {
    fn new(request: &'a Question, answer: &'a Answer<'a>) -> Self {
        let rule = answer.rule;
        let granted = answer.granted.as_ref();
        let granted = granted.map(|(grant, lifetime)| (grant.constraints, lifetime));
        let comparisons = answer.comparisons.iter();
        let others = comparisons
            .clone()
            .filter(|comparison| comparison.matches() && Some(comparison.rule) != rule);
        let near = comparisons
            .filter(|_| rule.is_none() && answer.refusal.is_some())
            .filter_map(Near::new);
        Self {
            request,
            caller: Caller {
                user_id: answer.principal.user_id(),
                groups: answer.principal.user().map_or(&[], |member| &member.groups),
            },
            decision: answer.decision,
            rule,
            refusal: answer.refusal.as_ref().map(|refusal| Refusal {
                code: refusal.code(),
                message: refusal.to_string(),
            }),
            ways: &answer.ways,
            object: object(request, answer),
            lifetime: granted
                .filter(|_| answer.refusal.is_none())
                .map(|(constraints, source)| Lifetime::new(constraints, source)),
            constraints: granted.map_or_else(Vec::new, |(constraints, _)| holding(constraints, request.method)),
            also_matched: others.map(Other::new).collect(),
            came_near: near.collect(),
            answer,
        }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        writeln!(f, "{}", self.answer)?;
        if let Some(below) = self.request.key.strip_prefix('/') {
            writeln!(
                f,
                "note: the URL path /{below} names the key {below:?}, without the `/`"
            )?;
        }
        if let Some(member) = self.answer.principal.user() {
            let groups = if member.groups.is_empty() {
                "none".to_owned()
            } else {
                member.groups.join(", ")
            };
            writeln!(f, "\ncaller:\n  user_id {}\n  groups  {groups}", member.user_id())?;
        }
        if let Some(object) = &self.object {
            writeln!(f, "\nkey in the bucket:\n  {object}")?;
        }
        if let Some(lifetime) = &self.lifetime {
            writeln!(f, "\nlifetime of the URL:\n  {}", lifetime.words)?;
        }
        let constraints = self
            .constraints
            .iter()
            .map(|constraint| (constraint.field, constraint.words.clone()));
        section(f, "constraints", constraints)?;
        let others = self
            .also_matched
            .iter()
            .map(|other| (other.rule, other.words().to_owned()));
        section(f, "also matched", others)?;
        let near = self.came_near.iter().map(|near| (near.rule, near.words()));
        section(f, "came near, but for one thing", near)
    }
}

/// The key in the bucket for the one that is asked about, if it is another.
fn object(request: &Question, answer: &Answer<'_>) -> Option<String> {
    let (grant, _) = answer.granted.as_ref()?;
    let key = ObjectKey::new(request.key.as_str()).ok()?;
    match grant.storage_key(&answer.principal, &key).ok()? {
        StorageKey::Key(object) => (object != key).then(|| object.to_string()),
        StorageKey::IdIn(folder) => Some(folder + "{id}"),
    }
}

/// A heading and two columns, unless there is nothing to tell.
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
        .try_for_each(|(name, words)| writeln!(f, "  {name:width$}  {words}"))
}

impl Lifetime {
    fn new(constraints: &Constraints, source: &LifetimeSource) -> Self {
        let (expires, ceiling) = (constraints.expires, source.ceiling);
        let because = match source.set_by {
            ValueSource::Rule => "set by the rule",
            ValueSource::Defaults => "set by [defaults]",
            ValueSource::BuiltIn => "the default, since neither the rule nor [defaults] sets it",
        };
        let capped = match source.ceiling_by {
            ValueSource::Rule | ValueSource::Defaults => "[defaults] allows",
            ValueSource::BuiltIn => "any rule may set",
        };
        let words = format!(
            "{}: {because}; at most {}, which {capped}. It ends sooner where the credentials that sign it do.",
            humantime::format_duration(expires),
            humantime::format_duration(ceiling)
        );
        Self {
            seconds: expires.as_secs(),
            set_by: name(source.set_by),
            ceiling_seconds: ceiling.as_secs(),
            ceiling_set_by: name(source.ceiling_by),
            words,
        }
    }
}

const fn name(source: ValueSource) -> &'static str {
    match source {
        ValueSource::Rule => "rule",
        ValueSource::Defaults => "defaults",
        ValueSource::BuiltIn => "built-in",
    }
}

/// The constraints that hold for what is asked.
fn holding(constraints: &Constraints, method: Method) -> Vec<Constraint> {
    let Method::Operation(operation) = method else {
        return Vec::new();
    };
    let mut holding = match operation {
        Operation::PutObject => upload(constraints),
        Operation::GetObject => download(constraints),
        Operation::HeadObject => reuse_url_for(constraints).into_iter().collect(),
        Operation::DeleteObject
        | Operation::CreateMultipartUpload
        | Operation::UploadPart
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => Vec::new(),
    };
    let client_may_set = constraints.client_may_set.iter();
    let client_may_set: Vec<_> = client_may_set
        .filter(|name| operation.parameter(name).is_some() || operation.mirrors(name))
        .collect();
    if !client_may_set.is_empty() {
        holding.push(Constraint::list(
            "client_may_set",
            "the client may choose",
            &client_may_set,
        ));
    }
    holding
}

fn upload(constraints: &Constraints) -> Vec<Constraint> {
    let mut holding = vec![max_bytes(constraints.max_bytes), overwrite(constraints.overwrite)];
    if !constraints.content_types.is_empty() {
        holding.push(Constraint::list("content_types", "one of", &constraints.content_types));
    }
    if !constraints.metadata.is_empty() {
        let pairs = constraints
            .metadata
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"));
        holding.push(Constraint {
            field: "metadata",
            value: json!(constraints.metadata),
            words: pairs.collect::<Vec<_>>().join(", "),
        });
    }
    let settled = [
        ("storage_class", &constraints.storage_class),
        ("sse", &constraints.sse),
        ("sse_kms_key_id", &constraints.sse_kms_key_id),
    ];
    holding.extend(
        settled
            .into_iter()
            .filter_map(|(field, value)| text(field, value.as_ref())),
    );
    holding
}

fn download(constraints: &Constraints) -> Vec<Constraint> {
    let mut holding = vec![disposition(constraints.disposition)];
    holding.extend(reuse_url_for(constraints));
    holding.extend(text("cache_control", constraints.cache_control.as_ref()));
    holding
}

fn reuse_url_for(constraints: &Constraints) -> Option<Constraint> {
    let window = constraints.reuse_url_for?;
    Some(Constraint {
        field: "reuse_url_for",
        value: json!(window.as_secs()),
        words: format!(
            "{}: within it the URL stays the same",
            humantime::format_duration(window)
        ),
    })
}

fn text(field: &'static str, value: Option<&String>) -> Option<Constraint> {
    value.map(|value| Constraint {
        field,
        value: json!(value),
        words: value.clone(),
    })
}

fn max_bytes(max_bytes: u64) -> Constraint {
    let declared = if max_bytes < MAX_PUT_BYTES {
        ", and the length must be declared"
    } else {
        ""
    };
    Constraint {
        field: "max_bytes",
        value: json!(max_bytes),
        words: format!("{} ({max_bytes} bytes){declared}", ByteSize(max_bytes).display().iec()),
    }
}

fn overwrite(overwrite: bool) -> Constraint {
    let words = if overwrite {
        "true: an object that exists is replaced"
    } else {
        "false: S3 refuses (412) where the object exists"
    };
    Constraint {
        field: "overwrite",
        value: json!(overwrite),
        words: words.to_owned(),
    }
}

fn disposition(disposition: Disposition) -> Constraint {
    let (value, words) = match disposition {
        Disposition::Attachment => ("attachment", "attachment: browsers save it"),
        Disposition::Inline => ("inline", "inline: browsers may show it"),
    };
    Constraint {
        field: "disposition",
        value: json!(value),
        words: words.to_owned(),
    }
}

impl Constraint {
    fn list(field: &'static str, what: &str, values: &[impl AsRef<str>]) -> Self {
        let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
        Self {
            field,
            value: json!(values),
            words: format!("{what} {}", values.join(", ")),
        }
    }
}

impl<'a> Other<'a> {
    fn new(comparison: &RuleComparison<'a>) -> Self {
        Self {
            rule: comparison.rule,
            effect: match comparison.effect {
                Effect::Allow => "allow",
                Effect::Deny => "deny",
            },
        }
    }

    fn words(&self) -> &'static str {
        if self.effect == "deny" {
            "denies it as well"
        } else {
            "allows it, but does not decide"
        }
    }
}

impl<'a> Near<'a> {
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
            expected: &mismatch.expected,
        })
    }

    fn words(&self) -> String {
        format!("{}: {}", self.field, self.expected.join(", "))
    }
}

impl From<&Explain> for Question {
    fn from(options: &Explain) -> Self {
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

fn as_map<S: Serializer>(constraints: &[Constraint], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        constraints
            .iter()
            .map(|constraint| (constraint.field, &constraint.value)),
    )
}
