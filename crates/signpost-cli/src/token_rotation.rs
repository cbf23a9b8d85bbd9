//! Replaces the secret of a token in a rules file, in two steps, so that its user is never without access.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use signpost::auth::TokenDigest;
use signpost::error::counted;
use signpost::policy::Policy;
use toml::Spanned;

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};
use crate::exit_status::ExitStatus;
use crate::platform;
use crate::secret_generation::new_secret;

/// The tokens of a rules file, with the location of their digests in the text.
#[derive(Deserialize)]
struct TokenTables {
    #[serde(default)]
    token: Vec<TokenTable>,
}

#[derive(Deserialize)]
struct TokenTable {
    id: String,
    sha256: Spanned<DigestField>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DigestField {
    One(String),
    Several(Vec<String>),
}

/// A rules file that contains the token.
struct RulesFile<'a> {
    path: &'a Path,
    text: String,
    digests: Vec<String>,
    /// The location of the value of `sha256`.
    location: Range<usize>,
}

/// Adds a new secret to the token. The previous secrets stay valid.
pub(crate) fn rotate(id: &str, path: &Path, system: &SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let file = RulesFile::read(path, id)?;
    let secret = new_secret(system)?;
    let new = TokenDigest::of(secret.as_bytes()).to_hex();
    let digests: Vec<_> = [new].into_iter().chain(file.digests.iter().cloned()).collect();
    file.write(&digests)?;
    Ok(CommandReport {
        stdout: format!("{secret}\n"),
        stderr: format!(
            "The secret is printed once, on standard output. In {}, the token {id:?} now accepts {} secrets. Publish the rules, \
             and give the new secret to the user. Then run `signpost token retire {id} {}` and publish the rules again.\n",
            path.display(),
            digests.len(),
            path.display()
        ),
        exit_status: ExitStatus::Success,
    })
}

/// Removes all secrets of the token except the newest one.
pub(crate) fn retire(id: &str, path: &Path) -> Result<CommandReport, CommandError> {
    let file = RulesFile::read(path, id)?;
    let [newest, older @ ..] = file.digests.as_slice() else {
        unreachable!("the rules are valid, so the token has a digest")
    };
    if older.is_empty() {
        return Err(file.error(format!(
            "the token {id:?} has only one secret; to replace it, run `signpost token rotate {id} {}` first",
            path.display()
        )));
    }
    file.write(std::slice::from_ref(newest))?;
    Ok(CommandReport::success(format!(
        "{}: the token {id:?} accepts only its newest secret. When you publish the rules, its sessions \
         and share links end with {}.\n",
        path.display(),
        counted(older.len(), "older secret")
    )))
}

impl<'a> RulesFile<'a> {
    fn read(path: &'a Path, id: &str) -> Result<Self, CommandError> {
        if path == Path::new("-") {
            return Err(CommandError::Usage(
                "the command changes the file, so it cannot read standard input".into(),
            ));
        }
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| CommandError::Read {
            file: file.clone(),
            source,
        })?;
        Policy::parse(&text).map_err(|source| CommandError::Rules {
            file: file.clone(),
            source,
        })?;
        let problem = |message: String| CommandError::File {
            file: file.clone(),
            message,
        };
        let tables: TokenTables = toml::from_str(&text).map_err(|error| problem(error.to_string()))?;
        let table = tables.token.into_iter().find(|table| table.id == id);
        let table = table.ok_or_else(|| problem(format!("no [[token]] has the id {id:?}")))?;
        let location = table.sha256.span();
        let digests = match table.sha256.into_inner() {
            DigestField::One(digest) => vec![digest],
            DigestField::Several(digests) => digests,
        };
        Ok(Self {
            path,
            text,
            digests,
            location,
        })
    }

    /// Replaces the digests, and nothing else. The new text must be valid.
    fn write(&self, digests: &[String]) -> Result<(), CommandError> {
        let value = match digests {
            [only] => format!("{only:?}"),
            several => format!("{several:?}"),
        };
        let Range { start, end } = self.location;
        let text = format!("{}{value}{}", &self.text[..start], &self.text[end..]);
        Policy::parse(&text).map_err(|source| CommandError::Rules {
            file: self.path.display().to_string(),
            source,
        })?;
        replace(self.path, &text).map_err(|error| self.error(error.to_string()))
    }

    fn error(&self, message: String) -> CommandError {
        CommandError::File {
            file: self.path.display().to_string(),
            message,
        }
    }
}

/// Replaces the content of a file, so that it is never incomplete. A symbolic link still refers to the same file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = File::create_new(&temporary)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| platform::copy_attributes(&fs::metadata(&path)?, &file))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // The error of the write is reported.
        let _ = fs::remove_file(&temporary);
    }
    written
}
