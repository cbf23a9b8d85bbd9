//! The parsers of the settings. Each one parses the text of a variable, or `None` if it is not set.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::{
    AccessKey, ClientSecret, CorsOrigins, IdTableLocation, Metrics, PathStyle, RulesSource, SecretLocation,
    SecretSetting, SigningMode,
};
use crate::auth::Keyring;
use crate::auth::keyring::KeyringError;
use crate::key::ObjectKey;
use crate::mount::address;
use crate::policy::MAX_EXPIRES;

/// The maximum session duration of a role
/// ([AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)).
const MAX_SESSION: Duration = Duration::from_hours(12);

#[expect(clippy::unnecessary_wraps, reason = "the parsers of settings share one shape")]
pub(super) fn text(value: Option<&str>) -> Result<Option<String>, String> {
    Ok(value.map(str::to_owned))
}

/// The value is a secret, so the error does not contain it.
pub(super) fn keyring(value: Option<&str>) -> Result<SecretSetting<Keyring>, String> {
    let value = value.unwrap_or_default();
    if let Some(location) = secret_location(value)? {
        return Ok(SecretSetting::Stored(location));
    }
    let keys = value.parse().map_err(|error: KeyringError| error.to_string())?;
    Ok(SecretSetting::Value(keys))
}

pub(super) fn client_secret(value: Option<&str>) -> Result<Option<SecretSetting<ClientSecret>>, String> {
    let Some(value) = value else { return Ok(None) };
    let location = secret_location(value)?;
    let value = || SecretSetting::Value(ClientSecret::new(value.to_owned()));
    Ok(Some(location.map_or_else(value, SecretSetting::Stored)))
}

/// Parses the value of `SIGNPOST_CREDENTIALS_NAME`.
pub(super) fn access_key(value: &str) -> Result<SecretSetting<AccessKey>, String> {
    if let Some(location) = secret_location(value)? {
        return Ok(SecretSetting::Stored(location));
    }
    value.parse().map(SecretSetting::Value)
}

/// The location that a secret setting contains instead of the secret. The error does not contain the text, which can be a
/// secret.
fn secret_location(value: &str) -> Result<Option<SecretLocation>, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@:-".contains(&byte);
    let name = |text: &str| {
        let is_name = !text.is_empty() && text.bytes().all(is_plain);
        is_name
            .then(|| text.to_owned())
            .ok_or("begins with ssm: or secretsmanager:, but the name or ARN after it is invalid")
    };
    Ok(match value.split_once(':') {
        Some(("ssm", text)) => Some(SecretLocation::Ssm { name: name(text)? }),
        Some(("secretsmanager", text)) => Some(SecretLocation::SecretsManager { id: name(text)? }),
        Some(_) | None => None,
    })
}

fn required(value: Option<&str>) -> Result<&str, String> {
    value.ok_or_else(|| "is required".into())
}

pub(super) fn bucket(value: Option<&str>) -> Result<Option<String>, String> {
    value.map(checked(address::check_bucket)).transpose()
}

/// Returns a function that copies a text that `check` accepts.
fn checked(check: impl Fn(&str) -> Result<(), String>) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        check(text)?;
        Ok(text.to_owned())
    }
}

pub(super) fn table(value: Option<&str>) -> Result<Option<IdTableLocation>, String> {
    let Some(value) = value else { return Ok(None) };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let name = match value.split_once(":table/") {
        Some((arn, name)) if arn.starts_with("arn:") => name,
        _ => value,
    };
    if !(3..=255).contains(&name.len()) || !name.bytes().all(is_plain) {
        return Err(format!("{value:?} must be the name or the ARN of a table"));
    }
    Ok(Some(IdTableLocation::DynamoDb(value.to_owned())))
}

pub(super) fn rules_source(value: Option<&str>) -> Result<Option<RulesSource>, String> {
    let Some(value) = value else { return Ok(None) };
    let invalid = || format!("{value:?} must be s3://BUCKET/KEY or ssm:NAME");
    if let Some(location) = value.strip_prefix("s3://") {
        let (name, key) = location.split_once('/').ok_or_else(invalid)?;
        let key = ObjectKey::new(key).map_err(|error| format!("{value:?}: {error}"))?;
        return Ok(Some(RulesSource::S3 {
            bucket: checked(address::check_bucket)(name)?,
            key,
        }));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:".contains(&byte);
    let name = value.strip_prefix("ssm:").ok_or_else(invalid)?;
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(invalid());
    }
    Ok(Some(RulesSource::Ssm { name: name.to_owned() }))
}

pub(super) fn region(value: Option<&str>) -> Result<String, String> {
    checked(address::check_region)(required(value)?)
}

pub(super) fn boolean(value: Option<&str>) -> Result<bool, String> {
    match required(value)? {
        value if value.eq_ignore_ascii_case("true") => Ok(true),
        value if value.eq_ignore_ascii_case("false") => Ok(false),
        value => Err(format!("{value:?} must be true or false")),
    }
}

pub(super) fn endpoint(value: Option<&str>) -> Result<Option<String>, String> {
    value.map(address::parse_origin).transpose()
}

pub(super) fn path_style(value: Option<&str>) -> Result<PathStyle, String> {
    match required(value)? {
        "auto" => Ok(PathStyle::Auto),
        "true" => Ok(PathStyle::Always),
        "false" => Ok(PathStyle::Never),
        value => Err(format!("{value:?} must be auto, true or false")),
    }
}

pub(super) fn role_arn(value: Option<&str>) -> Result<Option<String>, String> {
    value.map(checked(address::check_role_arn)).transpose()
}

pub(super) fn signing_mode(value: Option<&str>) -> Result<SigningMode, String> {
    match required(value)? {
        "execution" => Ok(SigningMode::Execution),
        "signer" => Ok(SigningMode::Signer),
        "scoped" => Ok(SigningMode::Scoped),
        value => Err(format!("{value:?} must be execution, signer or scoped")),
    }
}

/// The maximum is the same for every role. The minimum depends on the STS.
pub(super) fn session(value: Option<&str>) -> Result<Duration, String> {
    let value = required(value)?;
    let invalid = || format!("{value:?} is not a whole number of seconds up to 12h, such as 1h");
    let session = humantime::parse_duration(value).map_err(|_| invalid())?;
    if session.is_zero() || session.subsec_nanos() != 0 || session > MAX_SESSION {
        return Err(invalid());
    }
    Ok(session)
}

/// The upper limit also applies to the rules.
pub(super) fn max_expires(value: Option<&str>) -> Result<Duration, String> {
    let value = required(value)?;
    let invalid = || format!("{value:?} is not a lifetime of at most 15m");
    let max_expires = humantime::parse_duration(value).map_err(|_| invalid())?;
    if max_expires.is_zero() || max_expires > MAX_EXPIRES {
        return Err(invalid());
    }
    Ok(max_expires)
}

pub(super) fn base_path(value: Option<&str>) -> Result<String, String> {
    let value = required(value)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let has_dots = value.split('/').any(|segment| segment == "." || segment == "..");
    if !value.starts_with('/') || value.contains("//") || has_dots || !value.bytes().all(is_plain) {
        return Err(format!("{value:?} is not a path such as /files"));
    }
    Ok(value.trim_end_matches('/').to_owned())
}

/// An origin with an optional path. Users paste commands with this URL into a shell, so its characters are restricted.
pub(super) fn public_url(value: Option<&str>) -> Result<Option<String>, String> {
    let Some(value) = value else { return Ok(None) };
    let invalid = |_| format!("{value:?} is not a URL such as https://files.example.com");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:[]".contains(&byte);
    if !value.bytes().all(is_plain) {
        return Err(invalid(String::new()));
    }
    let (origin, path) = match value.match_indices('/').nth(2) {
        Some((end, _)) => value.split_at(end),
        None => (value, "/"),
    };
    let origin = endpoint(Some(origin)).map_err(invalid)?;
    let path = base_path(Some(path)).map_err(invalid)?;
    Ok(origin.map(|origin| origin + &path))
}

pub(super) fn cors_origins(value: Option<&str>) -> Result<CorsOrigins, String> {
    let value = value.unwrap_or_default();
    if value.trim() == "*" {
        return Ok(CorsOrigins::Any);
    }
    let listed = value.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let listed = listed.map(|origin| match endpoint(Some(origin)) {
        Ok(Some(parsed)) if parsed == origin => Ok(parsed),
        _ => Err(format!("{origin:?} is not an origin such as https://app.example.com")),
    });
    Ok(CorsOrigins::Listed(listed.collect::<Result<_, _>>()?))
}

pub(super) fn metrics(value: Option<&str>) -> Result<Metrics, String> {
    match required(value)? {
        "off" => Ok(Metrics::Off),
        "emf" => Ok(Metrics::Emf),
        value => Err(format!("{value:?} must be off or emf")),
    }
}

pub(super) fn level(value: Option<&str>) -> Result<LevelFilter, String> {
    let value = required(value)?;
    value
        .parse()
        .map_err(|_| format!("{value:?} must be off, error, warn, info, debug or trace"))
}
