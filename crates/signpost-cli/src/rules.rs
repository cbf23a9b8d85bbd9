//! The tools for rules files.

mod rule_cases;
mod explain;

use std::fs;
use std::path::Path;

use signpost::policy::Policy;

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};
pub(crate) use explain::explain;
pub(crate) use rule_cases::test;

pub(crate) fn check(file: &Path, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let policy = load_policy(file, system)?;
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
    let warnings = findings.iter().map(|finding| format!("warning: {finding}\n"));
    Ok(CommandReport {
        stderr: warnings.collect(),
        ..CommandReport::success(format!(
            "ok: {} rules, {tokens} tokens, {issuers} issuers{table_note}\n",
            policy.len()
        ))
    })
}

fn load_policy(file: &Path, system: &mut SystemAccess<'_>) -> Result<Policy, CommandError> {
    Policy::parse(&read_rules(file, system)?).map_err(|source| CommandError::Rules {
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
