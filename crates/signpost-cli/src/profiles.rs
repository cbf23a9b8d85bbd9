//! Services that the user has logged in to, in a file that nobody else may read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use etcetera::BaseStrategy as _;
use serde::Deserialize;

use crate::problem::Problem;
use crate::report::Ending;
use crate::secret::Secret;

/// The profile that counts where none is named.
pub(crate) const DEFAULT: &str = "default";

/// A service, and the token that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) url: String,
    /// The secret alone, or after the token's id and a colon.
    pub(crate) token: Secret,
}

/// All profiles, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profiles(pub(crate) BTreeMap<String, Profile>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    token: String,
}

impl Profiles {
    /// Reads what has been kept.
    pub(crate) fn load() -> Result<Self, Problem> {
        let Some(path) = path() else { return Ok(Self::default()) };
        let refused = |error: io::Error| Problem::io(format_args!("can't read {}", path.display()), &error);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refused(error)),
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Problem::new(
                Ending::Failed,
                format!("others may read {}, which holds tokens", path.display()),
            )
            .advising(format!("Run `chmod 600 {}`.", path.display())));
        }
        let text = fs::read_to_string(&path).map_err(refused)?;
        // What the parser would quote of the file may be a secret.
        Self::parse(&text)
            .ok_or_else(|| Problem::new(Ending::Failed, format!("{} is no file of profiles", path.display())))
    }

    fn parse(text: &str) -> Option<Self> {
        let tables: BTreeMap<String, Table> = toml::from_str(text).ok()?;
        let profile = |table: Table| Profile {
            url: table.url,
            token: Secret::new(table.token),
        };
        Some(Self(
            tables.into_iter().map(|(name, table)| (name, profile(table))).collect(),
        ))
    }

    /// Keeps them: all, or those that were kept before.
    pub(crate) fn save(&self) -> Result<PathBuf, Problem> {
        let path = path().ok_or_else(|| Problem::new(Ending::Failed, "there is no home to keep a profile in"))?;
        let refused = |error: io::Error| Problem::io(format_args!("can't write {}", path.display()), &error);
        let beside = path.with_extension("toml.new");
        if let Some(folder) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(refused)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside).map_err(refused)?;
        // One that was there before may have been open to others.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(refused)?;
        file.write_all(self.written().as_bytes()).map_err(refused)?;
        file.sync_all().map_err(refused)?;
        fs::rename(&beside, &path).map_err(refused)?;
        Ok(path)
    }

    fn written(&self) -> String {
        let mut text = String::new();
        for (name, Profile { url, token }) in &self.0 {
            let [name, url, token] = [name, url, token.expose()].map(quoted);
            writeln!(text, "[{name}]\nurl = {url}\ntoken = {token}\n").expect("a String takes every write");
        }
        text
    }

    pub(crate) fn named(&self, name: &str) -> Result<&Profile, Problem> {
        self.0.get(name).ok_or_else(|| {
            Problem::new(Ending::NotFound, format!("there is no profile {name:?}"))
                .advising("`signpost login URL --profile NAME` makes one.")
        })
    }

    /// The profile for a service, the usual one first.
    pub(crate) fn at(&self, origin: &str) -> Option<(&str, &Profile)> {
        let is_there = |(_, profile): &(&String, &Profile)| {
            profile
                .url
                .strip_prefix(origin)
                .is_some_and(|path| path.is_empty() || path.starts_with('/'))
        };
        let usual = self.0.get_key_value(DEFAULT).into_iter();
        let found = usual.chain(&self.0).find(is_there)?;
        Some((found.0.as_str(), found.1))
    }
}

/// A basic string of TOML, which takes every escape of JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// By the [XDG specification](https://specifications.freedesktop.org/basedir-spec/latest/).
fn path() -> Option<PathBuf> {
    let xdg = etcetera::base_strategy::Xdg::new().ok()?;
    Some(xdg.config_dir().join("signpost/profiles.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(url: &str) -> Profile {
        Profile {
            url: url.into(),
            token: Secret::new("ci:\"hush\\"),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let profiles = Profiles(
            [
                ("a b".to_owned(), profile("https://h")),
                ("c".to_owned(), profile("https://i")),
            ]
            .into(),
        );
        assert_eq!(Profiles::parse(&profiles.written()), Some(profiles));
        assert_eq!(Profiles::parse(""), Some(Profiles::default()));
        assert_eq!(Profiles::parse("[a]\nurl = \"u\"\n"), None);
    }

    #[test]
    fn a_service_has_its_own_profile_and_the_usual_one_goes_first() {
        let profiles = Profiles(
            [
                ("a", "https://h/x"),
                ("b", "https://i"),
                (DEFAULT, "https://h/y"),
                ("e", "https://h.evil"),
            ]
            .map(|(name, url)| (name.to_owned(), profile(url)))
            .into(),
        );
        assert_eq!(profiles.at("https://h").unwrap().0, DEFAULT);
        assert_eq!(profiles.at("https://i").unwrap().0, "b");
        assert_eq!(profiles.at("https://j"), None);
        assert_eq!(profiles.at("https://h.e"), None);
    }
}
