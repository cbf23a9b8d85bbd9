//! Creates secrets from the system's random numbers. They are printed once and not stored.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use signpost::auth::TokenDigest;
use signpost::policy::Policy;

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};
use crate::exit_status::ExitStatus;

/// Prints only the secret to standard output, so that a script can capture it. The table for the rules file goes to
/// standard error.
pub(crate) fn new_token(id: &str, groups: &[String], system: &SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let secret = new_secret(system)?;
    let table = token_table(id, groups, &TokenDigest::of(secret.as_bytes()));
    Policy::parse(&format!("version = 1\n{table}")).map_err(|error| CommandError::Usage(error.to_string()))?;
    Ok(CommandReport {
        stdout: format!("{secret}\n"),
        stderr: format!("\n# The secret is printed once, on standard output. Add this to the rules file:\n{table}"),
        exit_status: ExitStatus::Success,
    })
}

/// Returns a new secret. It is base64, so it cannot be confused with its digest, which is hexadecimal in the rules. It never
/// begins with `-`, because programs would read it as an option.
pub(crate) fn new_secret(system: &SystemAccess<'_>) -> Result<String, CommandError> {
    loop {
        let secret = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>(system)?);
        if !secret.starts_with('-') {
            return Ok(secret);
        }
    }
}

pub(crate) fn new_key(system: &SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let id = u32::from_be_bytes(random_bytes::<4>(system)?);
    let key = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>(system)?);
    Ok(CommandReport::success(format!("{id:08x}:{key}\n")))
}

fn random_bytes<const N: usize>(system: &SystemAccess<'_>) -> Result<[u8; N], CommandError> {
    let mut bytes = [0; N];
    (system.random)(&mut bytes).map_err(CommandError::Random)?;
    Ok(bytes)
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
