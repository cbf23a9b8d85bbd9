//! The TOML of the rules: read whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::constraints::{Ceiling, Constraints, Disposition, MAX_EXPIRES, MAX_SHARE_EXPIRES, Size, parse_duration};
use super::explain::{LifetimeSource, Source};
use super::issuers::{self, IssuerTable};
use super::rewrite::Rewrite;
use super::rule::{Condition, Effect, Rule, Who};
use super::{Pattern, Policy};
use crate::auth::{Authenticators, Keyring, Token, hex};
use crate::operation::Action;
use crate::rejection::MAX_OBJECT_BYTES;

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
    share: ShareTable,
    signer: Option<SignerTable>,
    #[serde(default)]
    issuer: Vec<IssuerTable>,
    #[serde(default)]
    token: Vec<TokenTable>,
    #[serde(default)]
    rule: Vec<RuleTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareTable {
    revoked: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerTable {
    epoch: String,
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
            reuse_url_for: Option<String>,
            cache_control: Option<String>,
            max_bytes: Option<Size>,
            overwrite: Option<bool>,
            disposition: Option<Disposition>,
            content_types: Option<Vec<String>>,
            metadata: Option<BTreeMap<String, String>>,
            storage_class: Option<String>,
            sse: Option<String>,
            sse_kms_key_id: Option<String>,
            client_may_set: Option<Vec<String>>,
            share: Option<Vec<Action>>,
            share_expires: Option<String>,
        }

        impl $table {
            /// What this table says, and `base` where it says nothing.
            fn constraints(&self, base: &Constraints, ceiling: &Ceiling) -> Result<Constraints, String> {
                let constraints = Constraints {
                    expires: duration("expires", self.expires.as_deref(), base.expires)?,
                    reuse_url_for: match self.reuse_url_for.as_deref() {
                        Some(text) => Some(parse_duration("reuse_url_for", text)?),
                        None => base.reuse_url_for,
                    },
                    cache_control: self.cache_control.clone().or_else(|| base.cache_control.clone()),
                    max_bytes: self.max_bytes.as_ref().map_or(Ok(base.max_bytes), Size::bytes)?,
                    overwrite: self.overwrite.unwrap_or(base.overwrite),
                    disposition: self.disposition.unwrap_or(base.disposition),
                    content_types: self.content_types.clone().unwrap_or_else(|| base.content_types.clone()),
                    metadata: self.metadata.clone().unwrap_or_else(|| base.metadata.clone()),
                    storage_class: self.storage_class.clone().or_else(|| base.storage_class.clone()),
                    sse: self.sse.clone().or_else(|| base.sse.clone()),
                    sse_kms_key_id: self.sse_kms_key_id.clone().or_else(|| base.sse_kms_key_id.clone()),
                    client_may_set: self.client_may_set.clone().unwrap_or_else(|| base.client_may_set.clone()),
                    share: self.share.clone().unwrap_or_else(|| base.share.clone()),
                    share_expires: duration("share_expires", self.share_expires.as_deref(), base.share_expires)?,
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
    #[serde(default, rename = "if")]
    conditions: BTreeMap<String, Vec<String>>,
    can: Vec<Action>,
    on: Vec<String>,
    rewrite: Option<String>,
    #[serde(default)]
    allow_anonymous_write: bool,
});

pub(super) fn parse(text: &str) -> Result<Policy, RulesError> {
    let table: RulesTable = toml::from_str(text).map_err(|error| RulesError::Toml(error.to_string()))?;
    if table.version != 1 {
        return Err(RulesError::Version(table.version));
    }
    let (defaults, ceiling) = defaults(table.defaults.as_ref()).map_err(at("[defaults]"))?;
    let (gateway, oidc) = issuers::parse(table.issuer)?;
    let authenticators = Authenticators {
        tokens: tokens(table.token)?,
        gateway,
        oidc,
        revoked_links: table.share.revoked,
        keys: Keyring::default(),
    };
    let signer_epoch = table.signer.map(epoch).transpose().map_err(at("[signer]"))?;
    let mut ids = BTreeSet::new();
    let rules = table.rule.into_iter().map(|table| {
        let place = format!("rule {:?}", table.id);
        unique(&mut ids, &table.id).map_err(at(&place))?;
        table
            .into_rule(&defaults, &ceiling, &authenticators)
            .map_err(at(&place))
    });
    Ok(Policy {
        rules: rules.collect::<Result<_, _>>()?,
        authenticators,
        digest: hex(&Sha256::digest(text)),
        own_keys: Keyring::of(&format!("cursor\n{text}")),
        signer_epoch,
        has_table: false,
        hides_misses: false,
    })
}

/// It becomes a part of role session names.
fn epoch(SignerTable { epoch }: SignerTable) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if epoch.is_empty() || epoch.len() > 16 || !epoch.bytes().all(plain) {
        return Err(format!("epoch: {epoch:?} is not 1 to 16 letters, digits, `-` or `_`"));
    }
    Ok(epoch)
}

/// What rules start from, and what they may not exceed.
fn defaults(table: Option<&DefaultsTable>) -> Result<(Constraints, Ceiling), String> {
    let ceiling = Ceiling {
        share_expires: MAX_SHARE_EXPIRES,
        expires: MAX_EXPIRES,
        expires_by: Source::BuiltIn,
        max_bytes: MAX_OBJECT_BYTES,
    };
    let Some(table) = table else {
        return Ok((Constraints::built_in(), ceiling));
    };
    let defaults = table.constraints(&Constraints::built_in(), &ceiling)?;
    let (expires, expires_by) = if table.expires.is_some() {
        (defaults.expires, Source::Defaults)
    } else {
        (MAX_EXPIRES, Source::BuiltIn)
    };
    let ceiling = Ceiling {
        share_expires: table
            .share_expires
            .as_ref()
            .map_or(MAX_SHARE_EXPIRES, |_| defaults.share_expires),
        expires,
        expires_by,
        max_bytes: defaults.max_bytes,
    };
    Ok((defaults, ceiling))
}

fn duration(field: &str, text: Option<&str>, base: Duration) -> Result<Duration, String> {
    text.map_or(Ok(base), |text| parse_duration(field, text))
}

/// SHA-256 of nothing, and of a lone newline: what a recipe makes whose random part failed.
const EMPTY_DIGESTS: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

fn tokens(tables: Vec<TokenTable>) -> Result<Vec<Token>, RulesError> {
    let (mut ids, mut digests) = (BTreeSet::new(), BTreeSet::new());
    tables
        .into_iter()
        .map(|table| {
            let place = format!("token {:?}", table.id);
            if EMPTY_DIGESTS.contains(&&*table.sha256.to_ascii_lowercase()) {
                return Err(at(&place)("sha256: this is the digest of no secret at all".into()));
            }
            if !digests.insert(table.sha256.to_ascii_lowercase()) {
                return Err(at(&place)("sha256: another token has the same secret".into()));
            }
            if table.groups.iter().any(|group| group.is_empty() || group.contains('/')) {
                return Err(at(&place)("groups: a name is not empty and has no `/`".into()));
            }
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

impl RuleTable {
    /// Whether it says anything of constraints.
    fn constrains(&self) -> bool {
        self.expires.is_some()
            || self.reuse_url_for.is_some()
            || self.cache_control.is_some()
            || self.max_bytes.is_some()
            || self.overwrite.is_some()
            || self.disposition.is_some()
            || self.content_types.is_some()
            || self.metadata.is_some()
            || self.storage_class.is_some()
            || self.sse.is_some()
            || self.sse_kms_key_id.is_some()
            || self.client_may_set.is_some()
            || self.share.is_some()
            || self.share_expires.is_some()
    }

    fn into_rule(self, defaults: &Constraints, ceiling: &Ceiling, known: &Authenticators) -> Result<Rule, String> {
        name(&self.id)?;
        if self.effect == Effect::Deny && (self.constrains() || self.rewrite.is_some()) {
            return Err("a deny rule refuses whatever it speaks of, so constraints mean nothing in it".into());
        }
        let constraints = self.constraints(defaults, ceiling)?;
        let who = self
            .who
            .iter()
            .map(|who| parse_who(who, known))
            .collect::<Result<Vec<_>, _>>()?;
        let patterns = self
            .on
            .iter()
            .map(|on| Pattern::from_str(on).map_err(|error| format!("on {on:?}: {error}")));
        let on = patterns.collect::<Result<Vec<_>, _>>()?;
        let rewrite = self.rewrite.as_deref().map(Rewrite::from_str).transpose()?;
        if let Some(rewrite) = &rewrite {
            rewrite.check(&on)?;
            if self.can.contains(&Action::List) {
                return Err(
                    "rewrite: a listing would tell other keys than clients name, so no such rule can `list`".into(),
                );
            }
        }
        let empty_condition = self.conditions.values().any(Vec::is_empty);
        for (field, empty) in [
            ("who", who.is_empty()),
            ("can", self.can.is_empty()),
            ("on", on.is_empty()),
            ("if", empty_condition),
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
        let conditions = self
            .conditions
            .into_iter()
            .map(|(claim, values)| Condition { claim, values })
            .collect();
        // Where `[defaults]` says nothing of it, both the lifetime and its ceiling are built in.
        let lifetime = LifetimeSource {
            set_by: self.expires.as_ref().map_or(ceiling.expires_by, |_| Source::Rule),
            ceiling: ceiling.expires,
            ceiling_by: ceiling.expires_by,
        };
        let rule = Rule {
            id: self.id,
            effect: self.effect,
            who,
            conditions,
            can: self.can,
            on,
            rewrite,
            constraints,
            lifetime,
        };
        rule.check()?;
        Ok(rule)
    }
}

fn parse_who(text: &str, known: &Authenticators) -> Result<Who, String> {
    let issuer = |name: &str| {
        let named = known.names_issuer(name).then(|| name.to_owned());
        named.ok_or_else(|| format!("who: there is no [[issuer]] with name {name:?}"))
    };
    match text.split_once(':') {
        None if text == "anyone" => Ok(Who::Anyone),
        None if text == "authenticated" => Ok(Who::Authenticated),
        Some(("token", id)) if known.tokens.iter().any(|token| token.id == id) => Ok(Who::Token(id.to_owned())),
        Some(("token", id)) => Err(format!("who: there is no [[token]] with id {id:?}")),
        Some(("group", group)) if !group.is_empty() => match group.split_once('/') {
            Some((name, _)) => issuer(name).map(|_| Who::Group(group.to_owned())),
            None => Ok(Who::Group(group.to_owned())),
        },
        Some(("issuer", name)) => issuer(name).map(Who::Issuer),
        Some(("user", user)) => match user.split_once('/') {
            Some((name, subject)) if !subject.is_empty() => Ok(Who::User {
                issuer: issuer(name)?,
                subject: subject.to_owned(),
            }),
            _ => Err(format!(
                "who: {text:?} is not user:ISSUER/SUBJECT; a subject is unique with its issuer only"
            )),
        },
        _ => Err(format!(
            "who: {text:?} is none of anyone, authenticated, token:ID, group:NAME, group:ISSUER/NAME, issuer:NAME, \
             user:ISSUER/SUBJECT"
        )),
    }
}

/// Ids reach signed URLs and logs, so they are plain.
pub(super) fn name(id: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        return Err("an id has 1 to 64 letters, digits, `-` or `_`".into());
    }
    Ok(())
}

pub(super) fn unique(ids: &mut BTreeSet<String>, id: &str) -> Result<(), String> {
    if ids.insert(id.to_owned()) {
        Ok(())
    } else {
        Err("this id stands twice".into())
    }
}

pub(super) fn at(place: &str) -> impl Fn(String) -> RulesError + '_ {
    move |problem| RulesError::Invalid {
        place: place.to_owned(),
        problem,
    }
}
