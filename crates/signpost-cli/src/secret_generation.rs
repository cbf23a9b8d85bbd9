//! Creates secrets from the system's random numbers. They are printed once and not stored.

use std::io::{self, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};

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

/// Prints only the secret to standard output, so that a script can capture it. Call this before you store the digest of the
/// secret. If the output fails, the rules then contain no token without a known secret.
pub(crate) fn print_secret(secret: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout();
    let printed = writeln!(stdout, "{secret}").and_then(|()| stdout.flush());
    printed.map_err(CommandError::Output)
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
