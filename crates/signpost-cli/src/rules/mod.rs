//! The tools for a rules file.

mod cases;
mod explain;

use std::fs;
use std::path::Path;

use signpost::policy::Policy;

use crate::System;
use crate::report::{Error, Report};
pub(crate) use cases::test;
pub(crate) use explain::explain;

pub(crate) fn check(file: &Path, system: &mut System<'_>) -> Result<Report, Error> {
    let policy = policy(file, system)?;
    let (tokens, issuers) = (
        policy.authenticators.tokens.len(),
        policy.authenticators.issuers().count(),
    );
    let needs_id_table = policy.grants().any(|grant| grant.needs_id_table());
    let needs = if needs_id_table {
        "; SIGNPOST_TABLE must name a table for the ids"
    } else {
        ""
    };
    Ok(Report::done(format!(
        "ok: {} rules, {tokens} tokens, {issuers} issuers{needs}\n",
        policy.len()
    )))
}

fn policy(file: &Path, system: &mut System<'_>) -> Result<Policy, Error> {
    Policy::parse(&read(file, system)?).map_err(|source| Error::Rules {
        file: shown(file),
        source,
    })
}

fn read(file: &Path, system: &mut System<'_>) -> Result<String, Error> {
    let text = if is_stdin(file) {
        std::io::read_to_string(&mut system.stdin)
    } else {
        fs::read_to_string(file)
    };
    text.map_err(|source| Error::Read {
        file: shown(file),
        source,
    })
}

/// Its name in errors.
fn shown(file: &Path) -> String {
    if is_stdin(file) {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}
