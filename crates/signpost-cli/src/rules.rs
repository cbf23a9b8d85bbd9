//! The tools for rules files.

mod rule_cases;
mod explain;
mod proof;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use signpost::error::counted;
use signpost::mount::MountCredentials;
use signpost::policy::session_policy::{self, BucketArn, MAX_CHARACTERS};
use signpost::policy::{Finding, Policy};

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};
pub(crate) use explain::explain;
pub(crate) use proof::prove;
pub(crate) use rule_cases::test;

/// The maximum length of the name of a bucket
/// ([bucket naming rules](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)).
const MAX_BUCKET_NAME: usize = 63;

pub(crate) fn check(file: &Path, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let text = read_rules(file, system)?;
    let policy = parse_rules(file, &text)?;
    let (tokens, issuers) = (
        policy.authenticators.tokens.len(),
        policy.authenticators.issuers().count(),
    );
    let needs_id_table = policy.grants().any(|grant| grant.needs_id_table());
    let table_note = if needs_id_table {
        "; these rules require the setting SIGNPOST_TABLE (the id table)"
    } else {
        ""
    };
    let findings = policy.findings();
    let never_decide = |rule: &str| {
        let mut findings = findings.iter();
        findings.any(|finding| match finding {
            Finding::Shadowed { rule: own, .. } | Finding::UnreachableDeny { rule: own } => *own == rule,
            _ => false,
        })
    };
    let mut shadowed = proof::shadowed_rules(&policy, &text);
    shadowed.retain(|shadowed| !never_decide(&shadowed.rule));
    let findings = findings.iter().map(ToString::to_string);
    let warnings = findings.chain(shadowed.iter().map(ToString::to_string));
    let warnings = warnings.map(|warning| format!("warning: {warning}\n"));
    Ok(CommandReport {
        stderr: warnings.collect(),
        ..CommandReport::success(format!(
            "ok: {}, {}, {}{}{table_note}\n{}",
            counted(policy.len(), "rule"),
            counted(tokens, "token"),
            counted(issuers, "issuer"),
            describe_mounts(&policy),
            describe_session_policies(&policy)
        ))
    })
}

/// Returns the number of mounts, and the settings that they require.
fn describe_mounts(policy: &Policy) -> String {
    let names = policy.mounts.iter().filter_map(|mount| match &mount.credentials {
        MountCredentials::Static { name } => Some(format!("SIGNPOST_CREDENTIALS_{name}")),
        MountCredentials::Service | MountCredentials::Machine | MountCredentials::Role { .. } => None,
    });
    let names: BTreeSet<_> = names.collect();
    let settings = if names.is_empty() {
        String::new()
    } else {
        let names: Vec<_> = names.into_iter().collect();
        format!("; the mounts require the settings {}", names.join(", "))
    };
    match policy.mounts.with_lines().count() {
        0 => String::new(),
        count => format!(", {}{settings}", counted(count, "mount")),
    }
}

/// Returns how much of its limit the session policy of each rule uses in mode `scoped`. The name of the bucket and the claims of
/// users are not known here. The numbers assume the longest name and the shortest claims.
fn describe_session_policies(policy: &Policy) -> String {
    let bucket = BucketArn::new(&"b".repeat(MAX_BUCKET_NAME), "aws").expect("it is the name of a bucket");
    let lines: String = policy
        .grants()
        .filter_map(|grant| {
            let mounts = policy.mounts.iter().filter(|mount| mount.has_sessions());
            let characters = mounts.filter_map(|mount| {
                let own = BucketArn::new(&mount.bucket, "aws").ok().filter(|_| !mount.is_root());
                let scope = grant.smallest_scope(&policy.mounts, mount);
                session_policy::characters(&scope, own.as_ref().unwrap_or(&bucket))
            });
            Some(describe_usage(grant.rule, characters.max()?))
        })
        .collect();
    if lines.is_empty() {
        return lines;
    }
    format!("session policies in mode scoped, of at most {MAX_CHARACTERS} characters:\n{lines}")
}

fn describe_usage(rule: &str, characters: usize) -> String {
    let percent = characters * 100 / MAX_CHARACTERS;
    let note = if characters > MAX_CHARACTERS { ", too long" } else { "" };
    format!("  {rule}: about {characters} ({percent} %{note})\n")
}

fn load_policy(file: &Path, system: &mut SystemAccess<'_>) -> Result<Policy, CommandError> {
    parse_rules(file, &read_rules(file, system)?)
}

fn parse_rules(file: &Path, text: &str) -> Result<Policy, CommandError> {
    Policy::parse(text).map_err(|source| CommandError::Rules {
        file: display_name(file),
        source,
    })
}

fn read_rules(file: &Path, system: &mut SystemAccess<'_>) -> Result<String, CommandError> {
    let text = if is_stdin(file) {
        std::io::read_to_string(&mut system.stdin)
    } else {
        fs::read_to_string(file)
    };
    text.map_err(|source| CommandError::Read {
        file: display_name(file),
        source,
    })
}

/// The name of the file in error messages.
fn display_name(file: &Path) -> String {
    if is_stdin(file) {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}
