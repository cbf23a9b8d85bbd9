//! The TOML of the rules: read whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::{Constraints, DEFAULT_EXPIRES, Disposition, Effect, MAX_EXPIRES, Pattern, Policy, Rule, Who};
use crate::auth::{Authenticators, Token};
use crate::operation::{ACCEPTABLE, Action};
use crate::rejection::MAX_PUT_BYTES;

/// Why a rules file was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Not TOML, or a field that is unknown, missing or of the wrong type.
    #[error("{0}")]
    Toml(String),
    /// A version other than 1.
    #[error("version {0} is unknown; this release reads version 1")]
    Version(u32),
    /// A part of the file contradicts itself or another.
    #[error("{place}: {problem}")]
    Invalid {
        /// The table, by its id.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    version: u32,
    defaults: Option<DefaultsTable>,
    #[serde(default)]
    token: Vec<TokenTable>,
    #[serde(default)]
    rule: Vec<RuleTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenTable {
    id: String,
    sha256: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// A table of constraints and what stands beside them. (`serde(flatten)` would lose `deny_unknown_fields`.)
macro_rules! constraints_table {
    ($table:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $table {
            $($(#[$attribute])* $field: $type,)*
            expires: Option<String>,
            max_bytes: Option<Size>,
            overwrite: Option<bool>,
            disposition: Option<Disposition>,
            content_types: Option<Vec<String>>,
            metadata: Option<BTreeMap<String, String>>,
            storage_class: Option<String>,
            sse: Option<String>,
            sse_kms_key_id: Option<String>,
            accepts: Option<Vec<String>>,
        }

        impl $table {
            /// What this table says, and `base` where it says nothing.
            fn constraints(&self, base: &Constraints, ceiling: &Ceiling) -> Result<Constraints, String> {
                let constraints = Constraints {
                    expires: self.expires.as_deref().map_or(Ok(base.expires), parse_expires)?,
                    max_bytes: self.max_bytes.as_ref().map_or(Ok(base.max_bytes), Size::bytes)?,
                    overwrite: self.overwrite.unwrap_or(base.overwrite),
                    disposition: self.disposition.unwrap_or(base.disposition),
                    content_types: self.content_types.clone().unwrap_or_else(|| base.content_types.clone()),
                    metadata: self.metadata.clone().unwrap_or_else(|| base.metadata.clone()),
                    storage_class: self.storage_class.clone().or_else(|| base.storage_class.clone()),
                    sse: self.sse.clone().or_else(|| base.sse.clone()),
                    sse_kms_key_id: self.sse_kms_key_id.clone().or_else(|| base.sse_kms_key_id.clone()),
                    accepts: self.accepts.clone().unwrap_or_else(|| base.accepts.clone()),
                };
                constraints.check(ceiling)?;
                Ok(constraints)
            }
        }
    };
}

constraints_table!(DefaultsTable {});

constraints_table!(RuleTable {
    id: String,
    #[serde(default)]
    effect: Effect,
    who: Vec<String>,
    can: Vec<Action>,
    on: Vec<String>,
    #[serde(default)]
    allow_anonymous_write: bool,
});

#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

type Fragment = Result<(), String>;

pub(super) fn parse(text: &str) -> Result<Policy, RulesError> {
    let table: RulesTable = toml::from_str(text).map_err(|error| RulesError::Toml(error.to_string()))?;
    if table.version != 1 {
        return Err(RulesError::Version(table.version));
    }
    let built_in = Constraints::built_in();
    let ceiling = Ceiling {
        expires: MAX_EXPIRES,
        max_bytes: MAX_PUT_BYTES,
    };
    let (defaults, ceiling) = match &table.defaults {
        None => (built_in, ceiling),
        Some(table) => {
            let defaults = table.constraints(&built_in, &ceiling).map_err(at("[defaults]"))?;
            let expires = if table.expires.is_some() {
                defaults.expires
            } else {
                MAX_EXPIRES
            };
            let max_bytes = defaults.max_bytes;
            (defaults, Ceiling { expires, max_bytes })
        }
    };
    let tokens = tokens(table.token)?;
    let rules = rules(table.rule, &defaults, &ceiling, &tokens)?;
    Ok(Policy {
        authenticators: Authenticators { tokens },
        rules,
    })
}

fn tokens(tables: Vec<TokenTable>) -> Result<Vec<Token>, RulesError> {
    let mut ids = BTreeSet::new();
    tables
        .into_iter()
        .map(|table| {
            let place = format!("token {:?}", table.id);
            name(&table.id).map_err(at(&place))?;
            unique(&mut ids, &table.id).map_err(at(&place))?;
            let sha256 = table
                .sha256
                .parse()
                .map_err(|error| at(&place)(format!("sha256: {error}")))?;
            Ok(Token {
                id: table.id,
                sha256,
                groups: table.groups,
            })
        })
        .collect()
}

fn rules(
    tables: Vec<RuleTable>,
    defaults: &Constraints,
    ceiling: &Ceiling,
    tokens: &[Token],
) -> Result<Vec<Rule>, RulesError> {
    let mut ids = BTreeSet::new();
    tables
        .into_iter()
        .map(|table| {
            let place = format!("rule {:?}", table.id);
            unique(&mut ids, &table.id).map_err(at(&place))?;
            table.into_rule(defaults, ceiling, tokens).map_err(at(&place))
        })
        .collect()
}

impl RuleTable {
    fn into_rule(self, defaults: &Constraints, ceiling: &Ceiling, tokens: &[Token]) -> Result<Rule, String> {
        name(&self.id)?;
        let who = self
            .who
            .iter()
            .map(|who| parse_who(who, tokens))
            .collect::<Result<Vec<_>, _>>()?;
        let on = self
            .on
            .iter()
            .map(|on| Pattern::from_str(on).map_err(|error| format!("on {on:?}: {error}")));
        let on = on.collect::<Result<Vec<_>, _>>()?;
        for (field, empty) in [
            ("who", who.is_empty()),
            ("can", self.can.is_empty()),
            ("on", on.is_empty()),
        ] {
            if empty {
                return Err(format!("{field}: an empty list matches nothing"));
            }
        }
        let changes = self
            .can
            .iter()
            .any(|action| matches!(action, Action::Write | Action::Delete));
        if self.effect == Effect::Allow && who.contains(&Who::Anyone) && changes && !self.allow_anonymous_write {
            return Err("lets anyone change objects; say `allow_anonymous_write = true` if that is meant".into());
        }
        let constraints = self.constraints(defaults, ceiling)?;
        Ok(Rule {
            id: self.id,
            effect: self.effect,
            who,
            can: self.can,
            on,
            constraints,
        })
    }
}

/// What no rule may exceed.
struct Ceiling {
    expires: Duration,
    max_bytes: u64,
}

impl Constraints {
    fn built_in() -> Self {
        Self {
            expires: DEFAULT_EXPIRES,
            max_bytes: MAX_PUT_BYTES,
            overwrite: false,
            disposition: Disposition::Attachment,
            content_types: Vec::new(),
            metadata: BTreeMap::new(),
            storage_class: None,
            sse: None,
            sse_kms_key_id: None,
            accepts: Vec::new(),
        }
    }
}

impl Constraints {
    fn check(&self, ceiling: &Ceiling) -> Fragment {
        if self.expires > ceiling.expires {
            let ceiling = humantime::format_duration(ceiling.expires);
            return Err(format!(
                "expires: {} is above the ceiling of {ceiling}",
                humantime::format_duration(self.expires)
            ));
        }
        if self.max_bytes > ceiling.max_bytes {
            return Err(format!(
                "max_bytes: {} is above the ceiling of {} bytes",
                self.max_bytes, ceiling.max_bytes
            ));
        }
        for range in &self.content_types {
            media_range(range)?;
        }
        for (name, value) in &self.metadata {
            metadata(name, value)?;
        }
        for value in self.storage_class.iter().chain(&self.sse).chain(&self.sse_kms_key_id) {
            visible_ascii(value)?;
        }
        match self.accepts.iter().find(|name| !ACCEPTABLE.contains(&name.as_str())) {
            Some(name) => Err(format!(
                "accepts: unknown name {name:?}; known: {}",
                ACCEPTABLE.join(", ")
            )),
            None => Ok(()),
        }
    }
}

impl Size {
    fn bytes(&self) -> Result<u64, String> {
        match self {
            Self::Bytes(bytes) => Ok(*bytes),
            Self::Text(text) => {
                let size = text
                    .parse::<ByteSize>()
                    .map_err(|_| format!("max_bytes: {text:?} is not a size such as 5GiB"))?;
                Ok(size.as_u64())
            }
        }
    }
}

fn parse_expires(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("expires: {text:?}: {error}"))?;
    if duration.as_secs() == 0 || duration.subsec_nanos() != 0 {
        return Err(format!("expires: {text:?} is not a whole number of seconds above 0"));
    }
    Ok(duration)
}

fn parse_who(text: &str, tokens: &[Token]) -> Result<Who, String> {
    match text.split_once(':') {
        None if text == "anyone" => Ok(Who::Anyone),
        None if text == "authenticated" => Ok(Who::Authenticated),
        Some(("token", id)) if tokens.iter().any(|token| token.id == id) => Ok(Who::Token(id.to_owned())),
        Some(("token", id)) => Err(format!("who: there is no [[token]] with id {id:?}")),
        Some(("group", group)) if !group.is_empty() => Ok(Who::Group(group.to_owned())),
        _ => Err(format!(
            "who: {text:?} is none of anyone, authenticated, token:ID, group:NAME"
        )),
    }
}

/// Ids reach signed URLs and logs, so they are plain.
fn name(id: &str) -> Fragment {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        return Err("an id has 1 to 64 letters, digits, `-` or `_`".into());
    }
    Ok(())
}

fn unique(ids: &mut BTreeSet<String>, id: &str) -> Fragment {
    if ids.insert(id.to_owned()) {
        Ok(())
    } else {
        Err("this id stands twice".into())
    }
}

fn media_range(range: &str) -> Fragment {
    let token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    match range.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && kind != "*" => Ok(()),
        _ => Err(format!(
            "content_types: {range:?} is not a media type such as image/png or image/*"
        )),
    }
}

fn metadata(name: &str, value: &str) -> Fragment {
    let header = http::HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("metadata: {name:?} is not a header name"))?;
    if header.as_str() != name {
        return Err(format!("metadata: {name:?} must be in lower case"));
    }
    visible_ascii(value)
}

fn visible_ascii(value: &str) -> Fragment {
    let visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if value.is_empty() || value.trim() != value || !visible {
        return Err(format!(
            "{value:?} can't be a header: visible ASCII only, and not empty"
        ));
    }
    Ok(())
}

fn at(place: &str) -> impl Fn(String) -> RulesError + '_ {
    move |problem| RulesError::Invalid {
        place: place.to_owned(),
        problem,
    }
}
