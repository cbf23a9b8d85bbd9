//! `rules prove`: proves statements about all requests, or finds a request that contradicts them.
//!
//! 1. [`statement`] parses the statements.
//! 2. [`rule_source`] contains the rules as they are written in the file.
//! 3. [`search`] searches for a counterexample. [`key_term`] represents sets of keys, [`selector`], [`caller`] and [`scene`]
//!    represent callers, and [`objects`] finds the objects that a deny rule protects under other keys.

mod caller;
mod key_term;
mod objects;
mod rule_source;
mod scene;
mod search;
mod selector;
mod statement;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use signpost::policy::Policy;

use self::rule_source::RuleSource;
use self::search::{Outcome, Search};
use self::statement::{Requests, Statement};
use super::{display_name, parse_rules, read_rules};
use crate::SystemAccess;
use crate::access_query::AccessQuery;
use crate::command_report::{CommandError, CommandReport};
use crate::exit_status::ExitStatus;
use crate::options::ProveOptions;

pub(crate) fn prove(options: &ProveOptions, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let text = read_rules(&options.file, system)?;
    let policy = parse_rules(&options.file, &text)?;
    let statements = options.statements.iter().map(|text| {
        let parsed = Statement::parse(text, &policy);
        let error = |message| CommandError::Usage(format!("statement {text:?}: {message}"));
        Ok((text.as_str(), parsed.map_err(error)?))
    });
    let statements: Vec<_> = statements.collect::<Result<_, CommandError>>()?;
    let mut source = RuleSource::new(&policy, &text);
    for (_, statement) in &statements {
        source.add_statement(statement);
    }
    let search = Search::new(&source);
    let file = options.file.display().to_string();
    let results: Vec<_> = statements
        .iter()
        .map(|(text, statement)| ProofResult {
            statement: text,
            verdict: search.verdict(statement, &file),
        })
        .collect();
    if search.is_incomplete.get() {
        return Err(CommandError::File {
            file: display_name(&options.file),
            message: "a rule has too many combinations of values in `if` to examine all of them; divide the rule"
                .into(),
        });
    }
    let report = ProofReport {
        results,
        examined: search.examined.get(),
    };
    Ok(CommandReport {
        stdout: if options.json {
            let json = serde_json::to_string_pretty(&report).expect("texts and numbers can be serialized");
            json + "\n"
        } else {
            report.to_string()
        },
        stderr: String::new(),
        exit_status: if report.count_false() == 0 {
            ExitStatus::Success
        } else {
            ExitStatus::Failure
        },
    })
}

/// Returns the ids of the rules that never decide about a request, with the rules that decide instead.
pub(super) fn shadowed_rules(policy: &Policy, text: &str) -> Vec<ShadowedRule> {
    let source = RuleSource::new(policy, text);
    let search = Search::new(&source);
    let shadowed = search.shadowed_rules();
    if search.is_incomplete.get() {
        Vec::new()
    } else {
        shadowed
    }
}

#[derive(Serialize)]
struct ProofReport<'a> {
    results: Vec<ProofResult<'a>>,
    /// The number of requests that represent all requests.
    examined: usize,
}

#[derive(Serialize)]
struct ProofResult<'a> {
    statement: &'a str,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
enum Verdict {
    True,
    False {
        #[serde(skip_serializing_if = "Option::is_none")]
        counterexample: Option<Counterexample>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        shadowed: Vec<ShadowedRule>,
    },
}

/// A rule that never decides about a request.
#[derive(Serialize)]
pub(super) struct ShadowedRule {
    pub(super) rule: String,
    /// The rules that decide about its requests. It is empty if no request matches the rule.
    pub(super) by: BTreeSet<String>,
}

/// A request that contradicts a statement.
#[derive(Serialize)]
struct Counterexample {
    request: String,
    decision: String,
    /// The command that explains the decision.
    command: String,
}

impl Search<'_> {
    fn verdict(&self, statement: &Statement, file: &str) -> Verdict {
        let found = match statement {
            Statement::Cannot(requests) => self.find_allowed(requests, &|_, _| true),
            Statement::Can(requests) => self.find_rejected(requests),
            Statement::Only(requests) => self.find_allowed(&requests.of_everyone(), &|principal, _| {
                !requests.callers.iter().any(|callers| callers.include(principal))
            }),
            Statement::LinkCannot(requests) => {
                self.find_allowed(requests, &|_, outcome| outcome == Outcome::Allowed { share: true })
            }
            Statement::NoRuleIsShadowed => {
                let shadowed = self.shadowed_rules();
                return if shadowed.is_empty() {
                    Verdict::True
                } else {
                    Verdict::False {
                        counterexample: None,
                        shadowed,
                    }
                };
            }
        };
        let is_link = matches!(statement, Statement::LinkCannot(_));
        match found {
            None => Verdict::True,
            Some(query) => Verdict::False {
                counterexample: Some(Counterexample::new(&query, self.source.policy, file, is_link)),
                shadowed: Vec::new(),
            },
        }
    }

    fn shadowed_rules(&self) -> Vec<ShadowedRule> {
        let rules = self.source.rules.iter();
        let shadowed = rules.filter_map(|rule| {
            let by = self.deciding_rules(rule);
            (!by.contains(&rule.id)).then(|| ShadowedRule {
                rule: rule.id.clone(),
                by,
            })
        });
        shadowed.collect()
    }
}

impl Counterexample {
    fn new(query: &AccessQuery, policy: &Policy, file: &str, is_link: bool) -> Self {
        let decision = query.evaluate(policy).expect("the search has evaluated the request");
        let link = if is_link {
            "; its `share` contains the action"
        } else {
            ""
        };
        Self {
            request: query.to_string(),
            decision: format!("{decision}{link}"),
            command: command(query, file),
        }
    }
}

/// Returns the command that explains the decision about a request.
fn command(query: &AccessQuery, file: &str) -> String {
    let mut words = vec!["signpost".to_owned(), "rules".into(), "explain".into(), file.to_owned()];
    words.extend(["--as".to_owned(), query.who.to_string()]);
    words.extend(
        query
            .groups
            .iter()
            .flat_map(|group| ["--group".to_owned(), group.clone()]),
    );
    let claims = query.claims.iter();
    words.extend(claims.flat_map(|(name, value)| ["--claim".to_owned(), format!("{name}={value}")]));
    // Values that begin with a hyphen are not options.
    words.extend([query.method.to_string(), "--".into(), query.key.clone()]);
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a POSIX shell, if necessary.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Requests {
    /// Returns the same requests of all callers.
    fn of_everyone(&self) -> Self {
        let everyone = statement::Callers {
            selector: selector::Selector::Everyone,
            claims: caller::ClaimValues::new(),
        };
        Self {
            callers: vec![everyone],
            actions: self.actions.clone(),
            on: self.on.clone(),
        }
    }
}

impl ProofReport<'_> {
    fn count_false(&self) -> usize {
        let results = self.results.iter();
        results
            .filter(|result| !matches!(result.verdict, Verdict::True))
            .count()
    }
}

impl fmt::Display for ProofReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.results {
            write!(f, "{result}")?;
        }
        let count = self.count_false();
        let examined = self.examined;
        writeln!(
            f,
            "{} true, {count} false ({examined} requests examined)",
            self.results.len() - count
        )
    }
}

impl fmt::Display for ProofResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict::False {
            counterexample,
            shadowed,
        } = &self.verdict
        else {
            return writeln!(f, "true: {}", self.statement);
        };
        writeln!(f, "false: {}", self.statement)?;
        if let Some(example) = counterexample {
            writeln!(
                f,
                "  {}\n  {}\n  {}",
                example.request, example.decision, example.command
            )?;
        }
        shadowed.iter().try_for_each(|rule| writeln!(f, "  {rule}"))
    }
}

impl fmt::Display for ShadowedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, by } = self;
        if by.is_empty() {
            return write!(f, "rule {rule:?}: never decides, because it matches no request");
        }
        let by: Vec<_> = by.iter().map(|id| format!("{id:?}")).collect();
        let by = by.join(", ");
        write!(
            f,
            "rule {rule:?}: never decides, because these rules decide about all its requests: {by}"
        )
    }
}
