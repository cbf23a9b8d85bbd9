//! Golden decisions: the requests of a file, and what is to be decided about each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use signpost::policy::Policy;
use toml::Spanned;

use super::{is_stdin, policy, read, shown};
use crate::System;
use crate::question::{Answer, Decision, Method, Question, Who};
use crate::report::{Ending, Error, Report};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "as")]
    who: Who,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    method: Method,
    key: String,
    length: Option<u64>,
    content_type: Option<String>,
    expect: Expect,
    rule: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    /// By a rule that denies.
    Deny,
    /// In whatever way.
    Refuse,
}

pub(crate) fn test(rules: &Path, cases: &Path, system: &mut System<'_>) -> Result<Report, Error> {
    if is_stdin(rules) && is_stdin(cases) {
        return Err(Error::Usage(
            "only one of the two files can come from standard input".into(),
        ));
    }
    let policy = policy(rules, system)?;
    let text = read(cases, system)?;
    let bad = |problem: String| Error::File {
        file: shown(cases),
        problem,
    };
    let table: Cases = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
    if table.case.is_empty() {
        return Err(bad("there is no [[case]], so nothing would be tested".into()));
    }
    let (mut out, mut failed) = (String::new(), 0);
    for case in &table.case {
        if let Err(problem) = case.get_ref().try_on(&policy) {
            let line = text[..case.span().start].matches('\n').count() + 1;
            writeln!(out, "{}:{line}: {problem}", shown(cases)).expect("a String takes every write");
            failed += 1;
        }
    }
    let passed = table.case.len() - failed;
    writeln!(out, "{passed} passed, {failed} failed").expect("a String takes every write");
    Ok(Report {
        out,
        notes: String::new(),
        ending: if failed == 0 { Ending::Done } else { Ending::Failed },
    })
}

impl Case {
    fn try_on(&self, policy: &Policy) -> Result<(), String> {
        let question = self.question();
        let answer = question
            .ask(policy)
            .map_err(|problem| format!("{question}: {problem}"))?;
        if self.is_met_by(&answer) {
            return Ok(());
        }
        Err(format!("{question}: expected {}, but it is {answer}", self.wanted()))
    }

    fn question(&self) -> Question {
        Question {
            who: self.who.clone(),
            groups: self.groups.clone(),
            claims: self.claims.clone(),
            method: self.method,
            key: self.key.clone(),
            length: self.length,
            content_type: self.content_type.clone(),
        }
    }

    fn is_met_by(&self, answer: &Answer<'_>) -> bool {
        let decided = match (self.expect, answer.decision) {
            (Expect::Allow, Decision::Allow)
            | (Expect::Deny, Decision::Deny)
            | (Expect::Refuse, Decision::Deny | Decision::Refuse) => true,
            (Expect::Allow, Decision::Deny | Decision::Refuse)
            | (Expect::Deny, Decision::Allow | Decision::Refuse)
            | (Expect::Refuse, Decision::Allow) => false,
        };
        decided && (self.rule.is_none() || self.rule.as_deref() == answer.rule)
    }

    fn wanted(&self) -> String {
        let expect = match self.expect {
            Expect::Allow => "allow",
            Expect::Deny => "deny",
            Expect::Refuse => "refuse",
        };
        match &self.rule {
            Some(rule) => format!("{expect} by rule {rule:?}"),
            None => expect.to_owned(),
        }
    }
}
