//! The services that the user has logged in to, stored in a file that only the user may read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use etcetera::BaseStrategy as _;
use serde::Deserialize;

use crate::credential::has_origin;
use crate::exit_status::ExitStatus;
use crate::operation_error::OperationError;
use crate::output_path::OutputPath;
use crate::platform;
use crate::secret_text::SecretText;

/// The profile that is used if no other is named.
pub(crate) const DEFAULT_PROFILE: &str = "default";

/// A service and the token for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceProfile {
    pub(crate) url: String,
    /// The secret, or `ID:SECRET`.
    pub(crate) token: SecretText,
}

/// All profiles, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProfileStore(pub(crate) BTreeMap<String, ServiceProfile>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileTable {
    url: String,
    token: String,
}

impl ProfileStore {
    /// Reads the stored profiles.
    pub(crate) fn load() -> Result<Self, OperationError> {
        let Some(path) = profile_path() else {
            return Ok(Self::default());
        };
        let io_error = |error: io::Error| OperationError::io(format_args!("failed to read {}", path.display()), &error);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(io_error(error)),
        };
        if platform::is_shared(&metadata) {
            return Err(OperationError::new(
                ExitStatus::Failure,
                format!("{} contains tokens, but other users may read it", path.display()),
            )
            .with_remedy(format!("Run `chmod 600 {}`.", path.display())));
        }
        let text = fs::read_to_string(&path).map_err(io_error)?;
        // A message of the parser could quote a secret.
        Self::parse(&text).ok_or_else(|| {
            OperationError::new(
                ExitStatus::Failure,
                format!("{} is not a valid profiles file", path.display()),
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let tables: BTreeMap<String, ProfileTable> = toml::from_str(text).ok()?;
        let profile = |table: ProfileTable| ServiceProfile {
            url: table.url,
            token: SecretText::new(table.token),
        };
        Some(Self(
            tables.into_iter().map(|(name, table)| (name, profile(table))).collect(),
        ))
    }

    /// Stores the profiles. If this fails, the previous file is unchanged.
    pub(crate) fn save(&self) -> Result<PathBuf, OperationError> {
        let path = profile_path().ok_or_else(|| {
            OperationError::new(
                ExitStatus::Failure,
                "failed to store the profile: there is no home directory",
            )
        })?;
        let io_error =
            |error: io::Error| OperationError::io(format_args!("failed to write {}", path.display()), &error);
        // The configuration can be a symbolic link to a folder that the user synchronizes.
        let target = OutputPath::resolve_file(&path)?;
        let temporary = target.with_extension("toml.new");
        if let Some(folder) = target.parent() {
            platform::create_private_folder(folder).map_err(io_error)?;
        }
        let mut file = platform::create_private_file(&temporary).map_err(io_error)?;
        file.write_all(self.to_toml().as_bytes()).map_err(io_error)?;
        file.sync_all().map_err(io_error)?;
        fs::rename(&temporary, &target).map_err(io_error)?;
        Ok(path)
    }

    fn to_toml(&self) -> String {
        let mut text = String::new();
        for (name, ServiceProfile { url, token }) in &self.0 {
            let [name, url, token] = [name, url, token.expose()].map(quoted);
            writeln!(text, "[{name}]\nurl = {url}\ntoken = {token}\n").expect("writing to a String cannot fail");
        }
        text
    }

    pub(crate) fn get_named(&self, name: &str) -> Result<&ServiceProfile, OperationError> {
        self.0.get(name).ok_or_else(|| {
            OperationError::new(ExitStatus::NotFound, format!("there is no profile {name:?}"))
                .with_remedy("Create it with `signpost login URL --profile NAME`.")
        })
    }

    /// The profile for a service; the default profile is preferred.
    pub(crate) fn find_for_origin(&self, origin: &str) -> Option<(&str, &ServiceProfile)> {
        let matches_origin = |(_, profile): &(&String, &ServiceProfile)| has_origin(&profile.url, origin);
        let default_entry = self.0.get_key_value(DEFAULT_PROFILE).into_iter();
        let entry = default_entry.chain(&self.0).find(matches_origin)?;
        Some((entry.0.as_str(), entry.1))
    }
}

/// A basic string of TOML, which supports every escape of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The path according to the [XDG specification](https://specifications.freedesktop.org/basedir-spec/latest/).
fn profile_path() -> Option<PathBuf> {
    let xdg = etcetera::base_strategy::Xdg::new().ok()?;
    Some(xdg.config_dir().join("signpost/profiles.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(url: &str) -> ServiceProfile {
        ServiceProfile {
            url: url.into(),
            token: SecretText::new("ci:\"hush\\"),
        }
    }

    #[test]
    fn stored_profiles_are_read_back() {
        let profiles = ProfileStore(
            [
                ("a b".to_owned(), profile("https://h")),
                ("c".to_owned(), profile("https://i")),
            ]
            .into(),
        );
        assert_eq!(ProfileStore::parse(&profiles.to_toml()), Some(profiles));
        assert_eq!(ProfileStore::parse(""), Some(ProfileStore::default()));
        assert_eq!(ProfileStore::parse("[a]\nurl = \"u\"\n"), None);
    }

    #[test]
    fn a_service_uses_its_own_profile_and_prefers_the_default_profile() {
        let profiles = ProfileStore(
            [
                ("a", "https://h/x"),
                ("b", "https://i:443"),
                (DEFAULT_PROFILE, "https://h/y"),
                ("e", "https://h.evil"),
            ]
            .map(|(name, url)| (name.to_owned(), profile(url)))
            .into(),
        );
        assert_eq!(profiles.find_for_origin("https://h").unwrap().0, DEFAULT_PROFILE);
        assert_eq!(profiles.find_for_origin("https://i").unwrap().0, "b");
        assert_eq!(profiles.find_for_origin("https://j"), None);
        assert_eq!(profiles.find_for_origin("https://h.e"), None);
    }
}
