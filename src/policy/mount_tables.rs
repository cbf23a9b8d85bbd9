//! The `[[mount]]` tables of a rules file.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::errors::{RulesError, invalid};
use super::pattern::Pattern;
use crate::key::{ObjectKey, RESERVED};
use crate::mount::address::{
    arn_region, check_access_key_name, check_mounted_bucket, check_region, check_role_arn, parse_origin,
};
use crate::mount::{Mount, MountCredentials, Mounts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MountTable {
    at: String,
    bucket: String,
    #[serde(default)]
    prefix: String,
    region: Option<String>,
    endpoint: Option<String>,
    path_style: Option<bool>,
    sign_as: Option<String>,
    external_id: Option<String>,
    credentials: Option<String>,
}

/// Returns the mounts of the tables in `text`.
pub(super) fn parse(tables: Vec<Spanned<MountTable>>, text: &str) -> Result<Mounts, RulesError> {
    let mut lines = BTreeMap::new();
    let mut mounts = Vec::with_capacity(tables.len());
    for table in tables {
        let line = line_of(text, table.span().start);
        let table = table.into_inner();
        let place = format!("line {line}, mount {:?}", table.at);
        if let Some(first) = lines.insert(table.at.clone(), line) {
            let problem = format!("at: line {first} has the same value; a public key has one bucket");
            return Err(invalid(&place)(problem));
        }
        mounts.push((table.into_mount().map_err(invalid(&place))?, line));
    }
    Ok(Mounts::new(mounts))
}

/// Returns the number of the line of `text` that contains the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

impl MountTable {
    fn into_mount(self) -> Result<Mount, String> {
        self.check_location()?;
        self.check_address()?;
        Ok(Mount {
            credentials: self.credentials()?,
            endpoint: self.endpoint()?,
            at: self.at,
            bucket: self.bucket,
            prefix: self.prefix,
            region: self.region,
            path_style: self.path_style,
        })
    }

    /// Checks the public and storage keys.
    fn check_location(&self) -> Result<(), String> {
        check_at(&self.at)?;
        if self.prefix.is_empty() {
            return Ok(());
        }
        check_folder("prefix", &self.prefix)
    }

    /// Checks the bucket, and the fields that depend on it.
    fn check_address(&self) -> Result<(), String> {
        check_mounted_bucket(&self.bucket).map_err(|problem| format!("bucket: {problem}"))?;
        if let Some(region) = &self.region {
            check_region(region).map_err(|problem| format!("region: {problem}"))?;
        }
        if !self.bucket.starts_with("arn:") {
            return Ok(());
        }
        match (arn_region(&self.bucket), &self.region) {
            (Some(named), Some(region)) if named != region => {
                return Err(format!("region: the access point is in {named}, not in {region}"));
            }
            _ => {}
        }
        if self.endpoint.is_some() || self.path_style == Some(true) {
            return Err(
                "bucket: an access point has its own host name, so `endpoint` and `path_style` must not be set".into(),
            );
        }
        Ok(())
    }

    fn endpoint(&self) -> Result<Option<String>, String> {
        let endpoint = self.endpoint.as_deref().map(parse_origin).transpose();
        endpoint.map_err(|problem| format!("endpoint: {problem}"))
    }

    fn credentials(&self) -> Result<MountCredentials, String> {
        match (&self.sign_as, &self.credentials) {
            (Some(_), Some(_)) => Err("sign_as: set only one of `sign_as` and `credentials`".to_owned()),
            (None, _) if self.external_id.is_some() => Err("external_id: requires `sign_as`".to_owned()),
            (None, None) => Ok(MountCredentials::Service),
            (Some(arn), None) => {
                check_role_arn(arn).map_err(|problem| format!("sign_as: {problem}"))?;
                check_external_id(self.external_id.as_deref())?;
                Ok(MountCredentials::Role {
                    arn: arn.clone(),
                    external_id: self.external_id.clone(),
                })
            }
            (None, Some(name)) => {
                check_access_key_name(name).map_err(|problem| format!("credentials: {problem}"))?;
                Ok(MountCredentials::Static { name: name.clone() })
            }
        }
    }
}

/// Checks the public keys of a mount.
fn check_at(at: &str) -> Result<(), String> {
    if at.is_empty() {
        return Err("at: must not be empty; the bucket of all other keys is the setting SIGNPOST_BUCKET".to_owned());
    }
    check_folder("at", at)?;
    if at.starts_with(RESERVED) {
        return Err(format!(
            "at: must not begin with {RESERVED:?}, which is reserved for Signpost"
        ));
    }
    Ok(())
}

/// Checks the public keys and the bucket of a mount that is not in a rules file.
pub fn check_mount(at: &str, bucket: &str) -> Result<(), String> {
    check_at(at)?;
    check_mounted_bucket(bucket).map_err(|problem| format!("bucket: {problem}"))
}

/// Checks a folder that patterns of rules can name.
fn check_folder(field: &str, folder: &str) -> Result<(), String> {
    let Some(segments) = folder.strip_suffix('/') else {
        return Err(format!("{field}: {folder:?} must end in `/`"));
    };
    ObjectKey::new(folder).map_err(|error| format!("{field}: {folder:?}: {error}"))?;
    let pattern = Pattern::from_str(segments).map_err(|error| format!("{field}: {folder:?}: {error}"))?;
    if pattern.is_below() || pattern.claims().next().is_some() {
        return Err(format!("{field}: {folder:?} must not contain `**` or a claim"));
    }
    Ok(())
}

/// Checks the characters that STS accepts
/// ([AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)).
fn check_external_id(id: Option<&str>) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    match id {
        Some(id) if !(2..=1224).contains(&id.len()) || !id.bytes().all(is_plain) => Err(format!(
            "external_id: {id:?} must have 2 to 1,224 letters, digits and `_+=,.@:/-`"
        )),
        Some(_) | None => Ok(()),
    }
}
