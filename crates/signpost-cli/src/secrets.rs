//! Secrets, from the system's randomness: told once, and kept nowhere.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use signpost::auth::TokenDigest;
use signpost::policy::Policy;

use crate::System;
use crate::report::{Ending, Error, Report};

/// The secret stands alone on standard output, so that a script can take it; the table is for the rules.
pub(crate) fn new_token(id: &str, groups: &[String], system: &System<'_>) -> Result<Report, Error> {
    // In base64 it can't be taken for its digest, which the rules want in hexadecimal.
    let secret = BASE64_URL_SAFE_NO_PAD.encode(random::<32>(system)?);
    let table = table(id, groups, &TokenDigest::of(secret.as_bytes()));
    Policy::parse(&format!("version = 1\n{table}")).map_err(|error| Error::Usage(error.to_string()))?;
    Ok(Report {
        out: format!("{secret}\n"),
        notes: format!("\n# The secret is told once, on standard output. This goes into the rules:\n{table}"),
        ending: Ending::Done,
    })
}

pub(crate) fn new_key(system: &System<'_>) -> Result<Report, Error> {
    let id = u32::from_be_bytes(random::<4>(system)?);
    let key = BASE64_URL_SAFE_NO_PAD.encode(random::<32>(system)?);
    Ok(Report::done(format!("{id:08x}:{key}\n")))
}

fn random<const N: usize>(system: &System<'_>) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    (system.random)(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}

fn table(id: &str, groups: &[String], digest: &TokenDigest) -> String {
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

/// A basic string of TOML, which takes every escape of JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
