//! Creates a token: a secret for its user, and a table with the digest of the secret for the rules file.

use std::path::Path;

use signpost::auth::TokenDigest;
use signpost::policy::Policy;

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};
use crate::editable_rules::EditableRules;
use crate::secret_generation::{new_secret, print_secret};

/// Adds a token to the rules file, or prints its table if there is no file.
pub(crate) fn new_token(
    id: &str,
    groups: &[String],
    file: Option<&Path>,
    system: &SystemAccess<'_>,
) -> Result<CommandReport, CommandError> {
    let secret = new_secret(system)?;
    let table = token_table(id, groups, &TokenDigest::of(secret.as_bytes()));
    Policy::parse(&format!("version = 1\n{table}")).map_err(|error| CommandError::Usage(error.to_string()))?;
    match file {
        Some(path) => add_to_file(id, path, &secret, &table),
        None => print_with_table(&secret, &table),
    }
}

fn add_to_file(id: &str, path: &Path, secret: &str, table: &str) -> Result<CommandReport, CommandError> {
    let rules = EditableRules::open(path)?;
    if rules.policy().authenticators.tokens.iter().any(|token| token.id == id) {
        return Err(rules.error(format!(
            "the file already has a token {id:?}; to replace its secret, run `signpost token rotate {id} {}`",
            path.display()
        )));
    }
    let text = format!("{}\n\n{table}", rules.text().trim_end());
    let changed = rules.change(text)?;
    print_secret(secret)?;
    changed.store()?;
    Ok(CommandReport::with_notes(format!(
        "The secret is printed once, on standard output. {} now contains the token {id:?}. Name it in `who` of a rule, and \
         publish the rules.\n",
        path.display()
    )))
}

/// The table goes to standard error, so that a script can capture the secret.
fn print_with_table(secret: &str, table: &str) -> Result<CommandReport, CommandError> {
    let notes = format!("\n# The secret is printed once, on standard output. Add this to the rules file:\n{table}");
    print_secret(secret)?;
    Ok(CommandReport::with_notes(notes))
}

fn token_table(id: &str, groups: &[String], digest: &TokenDigest) -> String {
    let quoted_groups: Vec<_> = groups.iter().map(|group| quoted(group)).collect();
    let groups = match quoted_groups.as_slice() {
        [] => String::new(),
        some => format!("groups = [{}]\n", some.join(", ")),
    };
    format!(
        "[[token]]\nid = {}\nsha256 = \"{}\"\n{groups}",
        quoted(id),
        digest.to_hex()
    )
}

/// A basic string of TOML, which supports every escape of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
