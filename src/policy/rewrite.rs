//! Where a rule keeps what it grants: the key in the bucket, made of the key that clients name, or of an id that has nothing
//! to do with it.

use std::fmt;
use std::str::FromStr;

use super::pattern::{KeyRange, Pattern};

/// A folder, in which `{claim}` stands for a claim of the caller, and what of the key follows it.
///
/// The folder is never empty, and what a client chooses is always below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewrite {
    pub(super) folder: Pattern,
    tail: Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// The whole key.
    Key,
    /// What the `**` of the pattern stands for.
    Rest,
    /// An id that a table has for the key.
    Id,
}

/// What a rule makes of the key that a client names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rewritten {
    /// This key.
    Key(String),
    /// A key in this folder, which ends in `/`, by an id that a table has.
    IdIn(String),
}

impl Rewrite {
    /// Refuses patterns that have no rest to speak of.
    pub(super) fn check(&self, on: &[Pattern]) -> Result<(), String> {
        match on.iter().find(|pattern| !pattern.is_below()) {
            Some(pattern) if self.tail == Tail::Rest => Err(format!(
                "rewrite: {{rest}} means something only where `on` ends in `**`, unlike \"{pattern}\""
            )),
            _ => Ok(()),
        }
    }

    /// Whether only a table knows where the objects are.
    pub(super) fn needs_table(&self) -> bool {
        self.tail == Tail::Id
    }

    /// What becomes of `key`, which `on` matches; nothing without a claim that the folder names.
    pub(super) fn apply<'a>(
        &self,
        key: &str,
        on: &Pattern,
        claim: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<Rewritten> {
        let folder = self.folder(claim)?;
        Some(match self.tail {
            Tail::Key => Rewritten::Key(folder + key),
            Tail::Rest => Rewritten::Key(folder + on.rest(key)),
            Tail::Id => Rewritten::IdIn(folder),
        })
    }

    /// Where the keys of `range` are kept.
    pub(super) fn range<'a>(&self, range: KeyRange, claim: impl Fn(&str) -> Option<&'a str>) -> Option<KeyRange> {
        let folder = self.folder(claim)?;
        Some(match (self.tail, range) {
            (Tail::Key, KeyRange::Exactly(key)) => KeyRange::Exactly(folder + &key),
            (Tail::Key, KeyRange::Below(prefix)) => KeyRange::Below(folder + &prefix),
            (Tail::Rest | Tail::Id, _) => KeyRange::Below(folder),
        })
    }

    /// The folder for a caller with these claims, with the `/` that ends it.
    pub(super) fn folder<'a>(&self, claim: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let (KeyRange::Exactly(folder) | KeyRange::Below(folder)) = self.folder.keys(claim)?;
        Some(folder + "/")
    }
}

impl FromStr for Rewrite {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tails = [("/{key}", Tail::Key), ("/{rest}", Tail::Rest), ("/{id}", Tail::Id)];
        let ended = tails
            .into_iter()
            .find_map(|(end, tail)| Some((text.strip_suffix(end)?, tail)));
        let Some((folder, tail)) = ended else {
            return Err(format!(
                "rewrite: {text:?} is not a folder with /{{key}}, /{{rest}} or /{{id}} at its end"
            ));
        };
        let folder = Pattern::from_str(folder).map_err(|error| format!("rewrite {text:?}: {error}"))?;
        if folder.is_below() || folder.claims().any(|claim| matches!(claim, "key" | "rest" | "id")) {
            return Err(format!(
                "rewrite: {text:?} says {{key}}, {{rest}} or {{id}} before its end, or `**`"
            ));
        }
        Ok(Self { folder, tail })
    }
}

impl fmt::Display for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = match self.tail {
            Tail::Key => "key",
            Tail::Rest => "rest",
            Tail::Id => "id",
        };
        write!(f, "{}/{{{tail}}}", self.folder)
    }
}
