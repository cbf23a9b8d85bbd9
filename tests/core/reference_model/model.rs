//! The model: a slow and literal translation of docs/RULES.md. It shares no code with the library.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::rules::{RuleData, RuleSet, TOKENS, Verifier};

/// The principal of a decision. The anonymous caller has no issuer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Caller {
    /// The empty text for tokens.
    pub(crate) issuer: Option<&'static str>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) ambiguous: bool,
    /// `sub` and `user_id` too.
    pub(crate) claims: BTreeMap<String, String>,
}

impl Caller {
    pub(crate) fn token(index: usize, user_id: &str) -> Self {
        let (id, groups) = TOKENS[index];
        let own = [("sub", id), ("user_id", user_id)];
        Self {
            issuer: Some(""),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ambiguous: false,
            claims: own.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    /// "Values of claims and groups".
    pub(crate) fn issuer_user(verifier: Verifier, claims: &Map<String, Value>, user_id: &str) -> Self {
        let values = claims
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), claim_value(verifier, value)?)));
        let mut caller = Self {
            issuer: Some("idp"),
            claims: values.collect(),
            ..Self::default()
        };
        caller.claims.insert("user_id".into(), user_id.into());
        match claims.get("groups") {
            Some(Value::Array(values)) => {
                let texts = values.iter().filter_map(Value::as_str);
                caller.groups = texts.filter(|text| !text.starts_with('[')).map(str::to_owned).collect();
                caller.ambiguous = !values.iter().all(Value::is_string);
            }
            Some(Value::String(text)) => {
                if !text.is_empty() && !text.starts_with('[') {
                    caller.groups.insert(text.clone());
                }
                let is_clear = |c: char| c.is_ascii_alphanumeric() || "._@:+=/-".contains(c);
                caller.ambiguous = text != "[]" && !text.chars().all(is_clear);
            }
            None | Some(Value::Null) => caller.ambiguous = claims.contains_key("hasgroups"),
            Some(_) => caller.ambiguous = true,
        }
        caller
    }

    fn plain(&self, claim: &str) -> Option<&str> {
        self.claims
            .get(claim)
            .map(String::as_str)
            .filter(|value| is_plain(value))
    }
}

fn claim_value(verifier: Verifier, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) if matches!(verifier, Verifier::Jwt | Verifier::Lambda) => {
            let is_flattened = text.starts_with('[') || text.starts_with('{') || text.starts_with("map[");
            let is_rounded = text.parse::<f64>().is_ok() && !text.bytes().all(|byte| byte.is_ascii_digit());
            let is_changed = is_flattened || text.contains(',') || text == "<nil>" || is_rounded;
            (!is_changed).then(|| text.clone())
        }
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => (number.is_i64() || number.is_u64()).then(|| number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

pub(crate) fn is_plain(value: &str) -> bool {
    let is_plain_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._@|:+=-".contains(&byte);
    (1..=128).contains(&value.len()) && value.bytes().all(is_plain_byte) && value != "." && value != ".."
}

pub(crate) fn segments(key: &str) -> Vec<&str> {
    key.split('/').collect()
}

fn claim_name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The segments that `**` matches (none without it), or `None` if the pattern does not match.
fn match_pattern(pattern: &str, key: &[&str], caller: &Caller, is_deny: bool) -> Option<Vec<String>> {
    let pattern = segments(pattern);
    for (position, segment) in pattern.iter().enumerate() {
        if *segment == "**" {
            let rest = &key[position.min(key.len())..];
            return (!rest.is_empty()).then(|| rest.iter().map(|&text| text.to_owned()).collect());
        }
        let expected = match claim_name(segment) {
            Some(claim) => match caller.plain(claim) {
                Some(value) => value,
                None => return (is_deny && key.len() > position).then(Vec::new),
            },
            None => segment,
        };
        if key.get(position) != Some(&expected) {
            return None;
        }
    }
    (key.len() == pattern.len()).then(Vec::new)
}

/// Returns true if the pattern matches every key below the folder.
fn covers(pattern: &str, folder: &[&str], caller: &Caller, is_deny: bool) -> bool {
    for (position, segment) in segments(pattern).into_iter().enumerate() {
        if segment == "**" {
            return true;
        }
        let expected = match claim_name(segment) {
            Some(claim) => match caller.plain(claim) {
                Some(value) => value,
                None => return is_deny,
            },
            None => segment,
        };
        if folder.get(position) != Some(&expected) {
            return false;
        }
    }
    false
}

fn includes(entry: &str, caller: &Caller, is_deny: bool) -> bool {
    let (kind, name) = entry.split_once(':').unwrap_or((entry, ""));
    let (issuer, local) = name.split_once('/').unwrap_or(("", name));
    let is_issuer = |issuer: &str| caller.issuer == Some(issuer);
    let is_subject = |subject: &str| caller.claims.get("sub").is_some_and(|value| value == subject);
    match kind {
        "anyone" => true,
        "authenticated" => caller.issuer.is_some(),
        "token" => is_issuer("") && is_subject(name),
        "issuer" => is_issuer(name),
        "user" => is_issuer(issuer) && is_subject(local),
        "group" => is_issuer(issuer) && (caller.groups.contains(local) || is_deny && caller.ambiguous),
        _ => unreachable!("{entry}"),
    }
}

fn matches_caller(rule: &RuleData, caller: &Caller) -> bool {
    let meets = |(claim, values): &(&str, Vec<&str>)| match caller.claims.get(*claim) {
        Some(value) => values.contains(&value.as_str()),
        None => rule.is_deny,
    };
    let has_folder = || {
        segments(rule.rewrite.unwrap_or(""))
            .into_iter()
            .all(|segment| match claim_name(segment) {
                None | Some("rest" | "key" | "id") => true,
                Some(claim) => caller.plain(claim).is_some(),
            })
    };
    rule.who.iter().any(|entry| includes(entry, caller, rule.is_deny))
        && rule.conditions.iter().all(meets)
        && has_folder()
}

fn matches(rule: &RuleData, caller: &Caller, action: &str, key: &[&str]) -> bool {
    rule.can.contains(&action)
        && matches_caller(rule, caller)
        && rule
            .on
            .iter()
            .any(|pattern| match_pattern(pattern, key, caller, rule.is_deny).is_some())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Key(String),
    /// An id in this folder.
    Id {
        folder: String,
        /// True if a deny rule matches the storage key with [`ID`].
        is_denied: bool,
    },
}

/// An id that deny rules name.
pub(crate) const ID: u128 = 1;
const ID_TEXT: &str = "00000000000000000000000001";

/// The storage key of an allow rule that matches.
fn location(rule: &RuleData, caller: &Caller, key: &[&str]) -> Location {
    let Some(rewrite) = rule.rewrite else {
        return Location::Key(key.join("/"));
    };
    let mut target = Vec::new();
    for segment in segments(rewrite) {
        match claim_name(segment) {
            Some("key") => target.push(key.join("/")),
            Some("rest") => {
                let rest = rule
                    .on
                    .iter()
                    .find_map(|pattern| match_pattern(pattern, key, caller, false));
                target.push(rest.unwrap().join("/"));
            }
            Some("id") => {
                return Location::Id {
                    folder: target.join("/") + "/",
                    is_denied: false,
                };
            }
            Some(claim) => target.push(caller.plain(claim).unwrap().to_owned()),
            None => target.push(segment.to_owned()),
        }
    }
    Location::Key(target.join("/"))
}

impl RuleSet {
    fn denies(&self) -> impl Iterator<Item = &RuleData> {
        self.rules.iter().filter(|rule| rule.is_deny)
    }

    fn is_denied(&self, caller: &Caller, action: &str, key: &str) -> bool {
        self.denies().any(|rule| matches(rule, caller, action, &segments(key)))
    }

    /// "The decision".
    pub(crate) fn decide(&self, caller: &Caller, action: &str, key: &str) -> Option<(&RuleData, Location)> {
        if self.is_denied(caller, action, key) {
            return None;
        }
        let mut allows = self.rules.iter().filter(|rule| !rule.is_deny);
        let rule = allows.find(|rule| matches(rule, caller, action, &segments(key)))?;
        let mut location = location(rule, caller, &segments(key));
        if let Location::Id { folder, is_denied } = &mut location {
            *is_denied = self.is_denied(caller, action, &format!("{folder}{ID_TEXT}"));
        }
        let is_denied = match &location {
            Location::Key(stored) => {
                self.is_denied(caller, action, stored)
                    || self
                        .names(caller, stored)
                        .iter()
                        .any(|name| self.is_denied(caller, action, name))
            }
            Location::Id { folder, .. } => self.denies_folder(caller, action, folder.strip_suffix('/').unwrap()),
        };
        (!is_denied).then_some((rule, location))
    }

    /// The reason for a rejection, for the counts.
    pub(crate) fn reason(&self, caller: &Caller, action: &str, key: &str) -> &'static str {
        let mut allows = self.rules.iter().filter(|rule| !rule.is_deny);
        if self.is_denied(caller, action, key) {
            return "denied by a deny rule";
        }
        let Some(rule) = allows.find(|rule| matches(rule, caller, action, &segments(key))) else {
            return "no allow rule";
        };
        match location(rule, caller, &segments(key)) {
            Location::Key(stored) if !self.is_denied(caller, action, &stored) => "denied by another name",
            _ => "denied by the storage key",
        }
    }

    fn denies_folder(&self, caller: &Caller, action: &str, folder: &str) -> bool {
        let folder = if folder.is_empty() {
            Vec::new()
        } else {
            segments(folder)
        };
        self.denies().any(|rule| {
            rule.can.contains(&action)
                && matches_caller(rule, caller)
                && rule.on.iter().any(|pattern| covers(pattern, &folder, caller, true))
        })
    }

    /// The names of an object. A claim with any value has each value that a rule or a claim of the universe contains.
    fn names(&self, caller: &Caller, stored: &str) -> Vec<String> {
        let stored = segments(stored);
        let mut names = Vec::new();
        for rule in self.rules.iter().filter(|rule| !rule.is_deny) {
            let Some((folder, kind)) = rule.rewrite.and_then(|rewrite| rewrite.rsplit_once('/')) else {
                continue;
            };
            let folder = segments(folder);
            let mut bound = BTreeMap::new();
            let fits = stored.len() > folder.len()
                && folder
                    .iter()
                    .zip(&stored)
                    .all(|(pattern, &segment)| match claim_name(pattern) {
                        Some(claim) => is_plain(segment) && *bound.entry(claim).or_insert(segment) == segment,
                        None => *pattern == segment,
                    });
            if !fits || kind == "{id}" {
                continue;
            }
            let rest = &stored[folder.len()..];
            for pattern in &rule.on {
                for values in self.assignments(caller, pattern, &bound) {
                    names.extend(name(pattern, kind, rest, &values));
                }
            }
        }
        names
    }

    /// Values for all claims of a pattern that agree with `bound`.
    fn assignments<'a>(
        &'a self,
        caller: &'a Caller,
        pattern: &'a str,
        bound: &BTreeMap<&'a str, &'a str>,
    ) -> Vec<BTreeMap<&'a str, &'a str>> {
        let mut all = vec![bound.clone()];
        for claim in segments(pattern).into_iter().filter_map(claim_name) {
            if bound.contains_key(claim) || all[0].contains_key(claim) {
                continue;
            }
            let literals = self.rules.iter().flat_map(|rule| &rule.on).flat_map(|on| on.split('/'));
            let own = caller.claims.values().map(String::as_str);
            let universe: BTreeSet<&str> = literals.chain(own).chain(super::generator::SEGMENTS).collect();
            let values: Vec<_> = universe.into_iter().filter(|value| is_plain(value)).collect();
            all = all
                .into_iter()
                .flat_map(|known| {
                    values.iter().map(move |value| {
                        let mut known = known.clone();
                        known.insert(claim, value);
                        known
                    })
                })
                .collect();
        }
        all
    }

    /// Returns true if objects may have names.
    pub(crate) fn has_names(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.rewrite.is_some_and(|rewrite| !rewrite.ends_with("{id}")))
    }

    /// "Listings", for rule sets without names: `None` if the listing is rejected, else the folders of the way, which are
    /// empty if the whole prefix is listed.
    pub(crate) fn list(&self, caller: &Caller, prefix: &str) -> Option<BTreeSet<String>> {
        if self.denies_folder(caller, "list", prefix.strip_suffix('/').unwrap_or("")) {
            return None;
        }
        let folder = prefix.strip_suffix('/').map_or(Vec::new(), segments);
        let allows = self
            .rules
            .iter()
            .filter(|rule| !rule.is_deny && rule.rewrite.is_none() && rule.can.contains(&"list"));
        let patterns: Vec<_> = allows
            .filter(|rule| matches_caller(rule, caller))
            .flat_map(|rule| &rule.on)
            .collect();
        if patterns.iter().any(|pattern| covers(pattern, &folder, caller, false)) {
            return Some(BTreeSet::new());
        }
        let mut folders = BTreeSet::new();
        for pattern in patterns {
            let resolved = segments(pattern)
                .into_iter()
                .map(|segment| claim_name(segment).map_or(Some(segment), |claim| caller.plain(claim)));
            let Some(target) = resolved.collect::<Option<Vec<_>>>() else {
                continue;
            };
            let denied = self.denies_folder(caller, "list", &target[..target.len() - 1].join("/"));
            if !denied
                && target.last() == Some(&"**")
                && target.len() > folder.len() + 1
                && target[..folder.len()] == folder[..]
            {
                folders.insert(format!("{prefix}{}/", target[folder.len()]));
            }
        }
        folders.retain(|folder| !self.denies_folder(caller, "list", folder.strip_suffix('/').unwrap()));
        (!folders.is_empty()).then_some(folders)
    }

    /// The groups that deny rules name: those of the issuer, and those of tokens.
    pub(crate) fn deny_groups(&self) -> BTreeSet<&str> {
        let entries = self.denies().flat_map(|rule| &rule.who);
        entries.filter_map(|entry| entry.strip_prefix("group:")).collect()
    }

    /// The creator of a link as the link stores it, for its use under the rules `now`.
    pub(crate) fn stored(&self, creator: &Caller, now: &Self) -> Caller {
        if creator.issuer == Some("") {
            return creator.clone();
        }
        let entries: BTreeSet<&str> = self.rules.iter().flat_map(|rule| rule.who.iter().copied()).collect();
        let patterns = self
            .rules
            .iter()
            .flat_map(|rule| rule.on.iter().map(String::as_str).chain(rule.rewrite));
        let in_patterns = patterns.flat_map(|pattern| pattern.split('/')).filter_map(claim_name);
        let in_conditions = self
            .rules
            .iter()
            .flat_map(|rule| rule.conditions.iter().map(|(claim, _)| *claim));
        let claims: BTreeSet<&str> = in_patterns.chain(in_conditions).chain(["sub", "user_id"]).collect();
        let mut stored = creator.clone();
        stored
            .groups
            .retain(|group| entries.contains(format!("group:idp/{group}").as_str()));
        stored.claims.retain(|claim, _| claims.contains(claim.as_str()));
        stored.ambiguous |= self.deny_groups() != now.deny_groups();
        stored
    }
}

fn name(pattern: &str, kind: &str, rest: &[&str], values: &BTreeMap<&str, &str>) -> Option<String> {
    let pattern = segments(pattern);
    let filled: Vec<&str> = pattern
        .iter()
        .map(|segment| claim_name(segment).map_or(*segment, |claim| values[claim]))
        .collect();
    if kind == "{key}" {
        let fits = match_pattern(&filled.join("/"), rest, &Caller::default(), false).is_some();
        return fits.then(|| rest.join("/"));
    }
    let before = &filled[..filled.len() - 1];
    Some([before, rest].concat().join("/"))
}
