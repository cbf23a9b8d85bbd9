//! Replaces the secret of a token in a rules file, in two steps, so that its user is never without access.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use signpost::auth::TokenDigest;
use signpost::error::counted;
use toml::Spanned;

use crate::SystemAccess;
use crate::command_report::{CommandError, CommandReport};
use crate::editable_rules::EditableRules;
use crate::secret_generation::{new_secret, print_secret};

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

/// The digests of a token in a rules file.
struct TokenDigests<'a> {
    rules: EditableRules<'a>,
    digests: Vec<String>,
    /// The location of the value of `sha256`.
    location: Range<usize>,
}

/// Adds a new secret to the token. The previous secrets stay valid.
pub(crate) fn rotate(id: &str, path: &Path, system: &SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let token = TokenDigests::read(path, id)?;
    let secret = new_secret(system)?;
    let new = TokenDigest::of(secret.as_bytes()).to_hex();
    let digests: Vec<_> = [new].into_iter().chain(token.digests.iter().cloned()).collect();
    let text = token.replaced_text(&digests);
    let changed = token.rules.change(text)?;
    print_secret(&secret)?;
    changed.store()?;
    Ok(CommandReport::with_notes(format!(
        "The secret is printed once, on standard output. In {}, the token {id:?} now accepts {} secrets. Publish the rules, \
         and give the new secret to the user. Then run `signpost token retire {id} {}` and publish the rules again.\n",
        path.display(),
        digests.len(),
        path.display()
    )))
}

/// Removes all secrets of the token except the newest one.
pub(crate) fn retire(id: &str, path: &Path) -> Result<CommandReport, CommandError> {
    let token = TokenDigests::read(path, id)?;
    let [newest, older @ ..] = token.digests.as_slice() else {
        unreachable!("the rules are valid, so the token has a digest")
    };
    if older.is_empty() {
        return Err(token.rules.error(format!(
            "the token {id:?} has only one secret; to replace it, run `signpost token rotate {id} {}` first",
            path.display()
        )));
    }
    let (text, older) = (token.replaced_text(std::slice::from_ref(newest)), older.len());
    token.rules.change(text)?.store()?;
    Ok(CommandReport::success(format!(
        "{}: the token {id:?} accepts only its newest secret. When you publish the rules, its sessions \
         and share links end with {}.\n",
        path.display(),
        counted(older, "older secret")
    )))
}

impl<'a> TokenDigests<'a> {
    fn read(path: &'a Path, id: &str) -> Result<Self, CommandError> {
        let rules = EditableRules::open(path)?;
        let tables: TokenTables = toml::from_str(rules.text()).map_err(|error| rules.error(error.to_string()))?;
        let table = tables.token.into_iter().find(|table| table.id == id);
        let table = table.ok_or_else(|| rules.error(format!("no [[token]] has the id {id:?}")))?;
        let location = table.sha256.span();
        let digests = match table.sha256.into_inner() {
            DigestField::One(digest) => vec![digest],
            DigestField::Several(digests) => digests,
        };
        Ok(Self {
            rules,
            digests,
            location,
        })
    }

    /// The text of the file with other digests, and otherwise unchanged.
    fn replaced_text(&self, digests: &[String]) -> String {
        let value = match digests {
            [only] => format!("{only:?}"),
            several => format!("{several:?}"),
        };
        let Range { start, end } = self.location;
        let text = self.rules.text();
        format!("{}{value}{}", &text[..start], &text[end..])
    }
}
