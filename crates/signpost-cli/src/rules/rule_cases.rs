//! Tests rules: compares the decisions about requests in a file with expected decisions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use signpost::error::without_variants;
use signpost::policy::Policy;
use toml::Spanned;

use super::{display_name, is_stdin, load_policy, read_rules};
use crate::SystemAccess;
use crate::access_query::{AccessDecision, AccessQuery, DecisionKind, QueryCaller, RequestMethod};
use crate::command_report::{CommandError, CommandReport};
use crate::exit_status::ExitStatus;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: Vec<Spanned<RuleCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleCase {
    #[serde(rename = "as")]
    who: QueryCaller,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    method: RequestMethod,
    key: String,
    length: Option<u64>,
    content_type: Option<String>,
    expect: ExpectedEffect,
    rule: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpectedEffect {
    Allow,
    /// A deny rule rejects the request.
    Deny,
    /// The request is not allowed, for any reason.
    Reject,
}

pub(crate) fn test(rules: &Path, cases: &Path, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    if is_stdin(rules) && is_stdin(cases) {
        return Err(CommandError::Usage(
            "only one of the two files can come from standard input".into(),
        ));
    }
    let policy = load_policy(rules, system)?;
    let text = read_rules(cases, system)?;
    let file_error = |message: String| CommandError::File {
        file: display_name(cases),
        message,
    };
    let table: CaseFile = toml::from_str(&text).map_err(|error| file_error(without_variants(&error)))?;
    if table.case.is_empty() {
        return Err(file_error("the file has no [[case]]".into()));
    }
    let (mut stdout, mut failed) = (String::new(), 0);
    for case in &table.case {
        if let Err(message) = case.get_ref().check_against(&policy) {
            let line = text[..case.span().start].matches('\n').count() + 1;
            writeln!(stdout, "{}:{line}: {message}", display_name(cases)).expect("writing to a String cannot fail");
            failed += 1;
        }
    }
    let passed = table.case.len() - failed;
    writeln!(stdout, "{passed} passed, {failed} failed").expect("writing to a String cannot fail");
    Ok(CommandReport {
        stdout,
        stderr: String::new(),
        exit_status: if failed == 0 {
            ExitStatus::Success
        } else {
            ExitStatus::Failure
        },
    })
}

impl RuleCase {
    fn check_against(&self, policy: &Policy) -> Result<(), String> {
        let query = self.query();
        let decision = query
            .evaluate(policy)
            .map_err(|message| format!("{query}: {message}"))?;
        if self.accepts(&decision) {
            return Ok(());
        }
        Err(format!(
            "{query}: expected {}, but it is {decision}",
            self.describe_expected()
        ))
    }

    fn query(&self) -> AccessQuery {
        AccessQuery {
            who: self.who.clone(),
            groups: self.groups.clone(),
            claims: self.claims.clone(),
            method: self.method,
            key: self.key.clone(),
            length: self.length,
            content_type: self.content_type.clone(),
        }
    }

    fn accepts(&self, decision: &AccessDecision<'_>) -> bool {
        let decided = match (self.expect, decision.kind) {
            (ExpectedEffect::Allow, DecisionKind::Allow)
            | (ExpectedEffect::Deny, DecisionKind::Deny)
            | (ExpectedEffect::Reject, DecisionKind::Deny | DecisionKind::Reject) => true,
            (ExpectedEffect::Allow, DecisionKind::Deny | DecisionKind::Reject)
            | (ExpectedEffect::Deny, DecisionKind::Allow | DecisionKind::Reject)
            | (ExpectedEffect::Reject, DecisionKind::Allow) => false,
        };
        decided && (self.rule.is_none() || self.rule.as_deref() == decision.rule)
    }

    fn describe_expected(&self) -> String {
        let expect = match self.expect {
            ExpectedEffect::Allow => "allow",
            ExpectedEffect::Deny => "deny",
            ExpectedEffect::Reject => "reject",
        };
        match &self.rule {
            Some(rule) => format!("{expect} by rule {rule:?}"),
            None => expect.to_owned(),
        }
    }
}
