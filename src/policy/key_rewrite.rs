//! The rewriting of public keys to storage keys: a storage key contains the public key, or an id that is unrelated to it.
//!
//! A rewrite never leaves the mount of the public key. Its result is a plain key of this mount ([`crate::mount`]).

use std::str::FromStr;

use super::effect::Effect;
use super::pattern::{ClaimValues, KeyRange, NameSegment, Pattern, PatternSegment, PublicName};

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
    /// The whole public key, without `at` of its mount.
    Key,
    /// The part of the public key that matches `**` of the pattern, without `at` of its mount.
    Rest,
    /// The id of the key in the id table.
    Id,
}

/// The plain key to which a rule rewrites a public key.
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

    /// Rewrites the public key `key`, which matches `on`, to the plain key of its object in the mount at `at`. Returns `None` if
    /// the caller lacks a claim of the folder.
    pub(super) fn apply<'a>(
        &self,
        key: &str,
        on: &Pattern,
        at: &str,
        claim: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<RewrittenKey> {
        let folder = self.folder_in(at, claim)?;
        let relative = key.strip_prefix(at).unwrap_or(key);
        Some(match self.tail {
            RewriteTail::Key => RewrittenKey::Key(folder + relative),
            RewriteTail::Rest => {
                let rest = on.rest(key);
                RewrittenKey::Key(folder + if rest.len() < relative.len() { rest } else { relative })
            }
            RewriteTail::Id => RewrittenKey::IdIn(folder),
        })
    }

    /// Returns the public key that a rule with the pattern `on` rewrites to `plain_key` in the mount at `at`, for some caller.
    /// Returns `None` if the rule rewrites no key to it, or if only the id table knows the key.
    pub(super) fn public_name<'a>(
        &'a self,
        on: &'a Pattern,
        plain_key: &'a str,
        at: &'a str,
    ) -> Option<PublicName<'a>> {
        let segments = plain_key.strip_prefix(at)?.split('/');
        let (claims, tail) = self.folder.bind(ClaimValues::new(), segments)?;
        // The folder itself is not a rewritten key.
        tail.clone().next()?;
        let mount = at.split_terminator('/');
        let named_by_mount = || mount.clone().chain(tail.clone());
        match self.tail {
            RewriteTail::Rest if on.segments.len() < mount.clone().count() => {
                on.bind_start(claims, mount.clone())?;
                Some(named_by_mount().map(NameSegment::Text).collect())
            }
            RewriteTail::Rest => {
                let claims = on.bind_start(claims, mount)?;
                Some(
                    on.name(&claims)
                        .into_iter()
                        .chain(tail.map(NameSegment::Text))
                        .collect(),
                )
            }
            RewriteTail::Key => {
                let (_, mut rest) = on.bind(claims, named_by_mount())?;
                (rest.next().is_some() == on.is_below()).then(|| named_by_mount().map(NameSegment::Text).collect())
            }
            RewriteTail::Id => None,
        }
    }

    /// Returns the plain keys for the public keys that match `on`, in the mount at `at`. Returns `None` if the mount has no such
    /// key.
    pub(super) fn storage_pattern(&self, on: &Pattern, at: &str) -> Option<Pattern> {
        let mount: Vec<_> = at.split_terminator('/').collect();
        on.bind_start(ClaimValues::new(), mount.iter().copied())?;
        let own = on.segments.get(mount.len()..).unwrap_or_default();
        if !on.below && own.is_empty() {
            return None;
        }
        let mut storage = Pattern {
            segments: mount
                .into_iter()
                .map(|text| PatternSegment::Literal(text.to_owned()))
                .collect(),
            below: true,
        };
        storage.segments.extend(self.folder.segments.iter().cloned());
        if self.tail == RewriteTail::Key {
            storage.segments.extend(own.iter().cloned());
            storage.below = on.below;
        }
        Some(storage)
    }

    /// Returns true if two rules that rewrite keys like this give each object the same public key. Their patterns are `on`
    /// and `other`.
    pub(super) fn preserves_names(&self, on: &Pattern, other: &Pattern) -> bool {
        self.tail != RewriteTail::Rest || on.segments == other.segments
    }

    /// Returns the range of plain keys for the public keys in `range`, which are in the mount at `at`.
    pub(super) fn range<'a>(
        &self,
        range: &KeyRange,
        at: &str,
        claim: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<KeyRange> {
        let folder = self.folder_in(at, claim)?;
        let relative = |key: &str| key.strip_prefix(at).unwrap_or(key).to_owned();
        Some(match (self.tail, range) {
            (RewriteTail::Key, KeyRange::Exactly(key)) => KeyRange::Exactly(folder + &relative(key)),
            (RewriteTail::Key, KeyRange::Below(prefix)) => KeyRange::Below(folder + &relative(prefix)),
            (RewriteTail::Rest | RewriteTail::Id, _) => KeyRange::Below(folder),
        })
    }

    /// Returns the folder as a prefix of plain keys in the mount at `at`.
    fn folder_in<'a>(&self, at: &str, claim: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let folder = self.folder(claim)?;
        Some(if at.is_empty() { folder } else { format!("{at}{folder}") })
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
