//! The rewriting of public keys to storage keys: a storage key contains the public key, or an id that is unrelated to it.

use std::fmt;
use std::str::FromStr;

use super::effect::Effect;
use super::pattern::{ClaimValues, KeyRange, NameSegment, Pattern, PublicName};

/// A folder, in which `{claim}` represents a claim of the caller, and the part of the key that follows it.
///
/// The folder is never empty, and the part that a client chooses is always below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRewrite {
    pub(super) folder: Pattern,
    tail: RewriteTail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RewriteTail {
    /// The whole public key.
    Key,
    /// The part of the public key that matches `**` of the pattern.
    Rest,
    /// The id of the key in the id table.
    Id,
}

/// The storage key to which a rule rewrites a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RewrittenKey {
    /// A known key.
    Key(String),
    /// A key in this folder, which ends in `/`, with an id of the id table.
    IdIn(String),
}

impl KeyRewrite {
    /// Checks that every pattern ends in `**` if the rewrite uses `{rest}`.
    pub(super) fn check(&self, on: &[Pattern]) -> Result<(), String> {
        match on.iter().find(|pattern| !pattern.is_below()) {
            Some(pattern) if self.tail == RewriteTail::Rest => Err(format!(
                "rewrite: {{rest}} requires patterns that end in `**`, but `on` contains \"{pattern}\""
            )),
            _ => Ok(()),
        }
    }

    /// Returns true if the storage keys are in the id table.
    pub(super) fn needs_id_table(&self) -> bool {
        self.tail == RewriteTail::Id
    }

    /// Rewrites `key`, which matches `on`. Returns `None` if the caller lacks a claim of the folder.
    pub(super) fn apply<'a>(
        &self,
        key: &str,
        on: &Pattern,
        claim: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<RewrittenKey> {
        let folder = self.folder(claim)?;
        Some(match self.tail {
            RewriteTail::Key => RewrittenKey::Key(folder + key),
            RewriteTail::Rest => RewrittenKey::Key(folder + on.rest(key)),
            RewriteTail::Id => RewrittenKey::IdIn(folder),
        })
    }

    /// Returns the public key that a rule with the pattern `on` rewrites to `storage_key`, for some caller. Returns `None` if
    /// there is none, or if only the id table knows it.
    pub(super) fn public_name<'a>(&'a self, on: &'a Pattern, storage_key: &'a str) -> Option<PublicName<'a>> {
        let (claims, tail) = self.folder.bind(ClaimValues::new(), storage_key)?;
        let tail = tail?;
        let segments = tail.split('/').map(NameSegment::Text);
        match self.tail {
            RewriteTail::Rest => Some(on.name(&claims).into_iter().chain(segments).collect()),
            RewriteTail::Key => {
                let (_, rest) = on.bind(claims, tail)?;
                (rest.is_some() == on.is_below()).then(|| segments.collect())
            }
            RewriteTail::Id => None,
        }
    }

    /// Returns the storage keys for the public keys that match `on`.
    pub(super) fn storage_pattern(&self, on: &Pattern) -> Pattern {
        let mut storage = self.folder.clone();
        storage.below = match self.tail {
            RewriteTail::Key => {
                storage.segments.extend(on.segments.iter().cloned());
                on.below
            }
            RewriteTail::Rest | RewriteTail::Id => true,
        };
        storage
    }

    /// Returns true if two rules that rewrite keys like this give each object the same public key. Their patterns are `on`
    /// and `other`.
    pub(super) fn preserves_names(&self, on: &Pattern, other: &Pattern) -> bool {
        self.tail != RewriteTail::Rest || on.segments == other.segments
    }

    /// Returns the range of storage keys for the public keys in `range`.
    pub(super) fn range<'a>(&self, range: KeyRange, claim: impl Fn(&str) -> Option<&'a str>) -> Option<KeyRange> {
        let folder = self.folder(claim)?;
        Some(match (self.tail, range) {
            (RewriteTail::Key, KeyRange::Exactly(key)) => KeyRange::Exactly(folder + &key),
            (RewriteTail::Key, KeyRange::Below(prefix)) => KeyRange::Below(folder + &prefix),
            (RewriteTail::Rest | RewriteTail::Id, _) => KeyRange::Below(folder),
        })
    }

    /// Returns the folder for a caller with these claims, including the final `/`.
    pub(super) fn folder<'a>(&self, claim: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let (KeyRange::Exactly(folder) | KeyRange::Below(folder)) = self.folder.keys(Effect::Allow, claim)?;
        Some(folder + "/")
    }
}

impl FromStr for KeyRewrite {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tails = [
            ("/{key}", RewriteTail::Key),
            ("/{rest}", RewriteTail::Rest),
            ("/{id}", RewriteTail::Id),
        ];
        let split = tails
            .into_iter()
            .find_map(|(end, tail)| Some((text.strip_suffix(end)?, tail)));
        let Some((folder, tail)) = split else {
            return Err(format!(
                "rewrite: {text:?} must be a folder followed by /{{key}}, /{{rest}} or /{{id}}"
            ));
        };
        let folder = Pattern::from_str(folder).map_err(|error| format!("rewrite {text:?}: {error}"))?;
        if folder.is_below() || folder.claims().any(|claim| matches!(claim, "key" | "rest" | "id")) {
            return Err(format!(
                "rewrite: {text:?} must contain {{key}}, {{rest}} or {{id}} only at its end, and no `**`"
            ));
        }
        Ok(Self { folder, tail })
    }
}

impl fmt::Display for KeyRewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = match self.tail {
            RewriteTail::Key => "key",
            RewriteTail::Rest => "rest",
            RewriteTail::Id => "id",
        };
        write!(f, "{}/{{{tail}}}", self.folder)
    }
}
