//! The parser of a rules file. One error makes the whole file invalid.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Policy;
use super::caller_selector::CallerSelector;
use super::constraints::{Ceiling, Constraints, Disposition, MAX_EXPIRES, MAX_SHARE_EXPIRES, parse_duration};
use super::effect::Effect;
use super::errors::{RulesError, invalid};
use super::field_types::{Choice, DurationText, Flag, List, OneTable, Size, Table, Text};
use super::identifiers::{check_id, check_unique};
use super::issuers::{self, IssuerTable, Issuers};
use super::key_rewrite::KeyRewrite;
use super::lifetime::{LifetimeSource, ValueSource};
use super::mount_tables::{self, MountTable};
use super::open_issuers::OpenIssuer;
use super::pattern::Pattern;
use super::rule::{ClaimCondition, Rule};
use super::tokens::{self, TokenTable};
use crate::auth::{Authenticators, Keyring};
use crate::dialect::{Dialect, DialectPrefixes};
use crate::encoding::hex;
use crate::operation::Action;
use crate::rejection::MAX_OBJECT_BYTES;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    version: u32,
    defaults: Option<OneTable<DefaultsTable>>,
    #[serde(default)]
    share: OneTable<ShareTable>,
    signer: Option<OneTable<SignerTable>>,
    turborepo: Option<OneTable<DialectTable>>,
    nx: Option<OneTable<DialectTable>>,
    lfs: Option<OneTable<DialectTable>>,
    #[serde(default)]
    issuer: List<IssuerTable>,
    #[serde(default)]
    token: List<TokenTable>,
    #[serde(default)]
    mount: List<toml::Spanned<MountTable>>,
    #[serde(default)]
    rule: List<RuleTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareTable {
    revoked: List<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerTable {
    epoch: Text,
}

/// A table that enables a dialect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialectTable {
    /// The prefix of the objects.
    at: Text,
}

/// Declares a table with the constraint fields and additional fields. (`serde(flatten)` does not work with
/// `deny_unknown_fields`.)
macro_rules! constraints_table {
    ($table:ident, $expecting:literal, { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = $expecting)]
        struct $table {
            $($(#[$attribute])* $field: $type,)*
            expires: Option<DurationText>,
            reuse_url_for: Option<DurationText>,
            cache_control: Option<Text>,
            max_bytes: Option<Size>,
            overwrite: Option<Flag>,
            disposition: Option<Choice<Disposition>>,
            content_types: Option<List<Text>>,
            metadata: Option<Table<Text>>,
            storage_class: Option<Text>,
            sse: Option<Text>,
            sse_kms_key_id: Option<Text>,
            client_may_set: Option<List<Text>>,
            share: Option<List<Choice<Action>>>,
            share_expires: Option<DurationText>,
            temporary_share_expires: Option<DurationText>,
        }

        impl $table {
            /// Returns the constraints of this table, with the values of `base` for absent fields.
            fn constraints(&self, base: &Constraints, ceiling: &Ceiling) -> Result<Constraints, String> {
                let constraints = Constraints {
                    expires: duration("expires", self.expires.as_deref(), base.expires)?,
                    reuse_url_for: match self.reuse_url_for.as_deref() {
                        Some(text) => Some(parse_duration("reuse_url_for", text)?),
                        None => base.reuse_url_for,
                    },
                    cache_control: text(self.cache_control.as_ref(), base.cache_control.as_ref()),
                    max_bytes: self.max_bytes.map_or(base.max_bytes, |size| size.0),
                    overwrite: self.overwrite.map_or(base.overwrite, |flag| flag.0),
                    disposition: self.disposition.map_or(base.disposition, |choice| choice.0),
                    content_types: texts(self.content_types.as_ref(), &base.content_types),
                    metadata: self.metadata.as_ref().map_or_else(|| base.metadata.clone(), metadata),
                    storage_class: text(self.storage_class.as_ref(), base.storage_class.as_ref()),
                    sse: text(self.sse.as_ref(), base.sse.as_ref()),
                    sse_kms_key_id: text(self.sse_kms_key_id.as_ref(), base.sse_kms_key_id.as_ref()),
                    client_may_set: texts(self.client_may_set.as_ref(), &base.client_may_set),
                    share: self.share.as_ref().map_or_else(|| base.share.clone(), List::choices),
                    share_expires: duration("share_expires", self.share_expires.as_deref(), base.share_expires)?,
                    temporary_share_expires: duration(
                        "temporary_share_expires",
                        self.temporary_share_expires.as_deref(),
                        base.temporary_share_expires,
                    )?,
                };
                constraints.check(ceiling)?;
                Ok(constraints)
            }
        }
    };
}

constraints_table!(DefaultsTable, "a table", {
    token_header: Option<Text>,
});

constraints_table!(RuleTable, "a table, written [[rule]]", {
    id: Text,
    #[serde(default)]
    effect: Choice<Effect>,
    who: List<Text>,
    #[serde(default, rename = "if")]
    conditions: Table<List<Text>>,
    can: List<Choice<Action>>,
    on: List<Text>,
    rewrite: Option<Text>,
    #[serde(default)]
    allow_anonymous_write: Flag,
    #[serde(default)]
    allow_open_issuer: Flag,
});

/// Parses a rules file.
pub(super) fn parse(text: &str) -> Result<Policy, RulesError> {
    let table: RulesTable = toml::from_str(text).map_err(|error| RulesError::Toml(error.to_string()))?;
    if table.version != 1 {
        return Err(RulesError::Version(table.version));
    }
    let defaults_table = table.defaults.map(|table| table.0);
    let (defaults, ceiling) = defaults(defaults_table.as_ref()).map_err(invalid("[defaults]"))?;
    let Issuers { gateway, oidc, open } = issuers::parse(table.issuer.into_vec())?;
    let token_header = defaults_table
        .as_ref()
        .and_then(|defaults| defaults.token_header.as_deref());
    let authenticators = Authenticators {
        tokens: tokens::parse(table.token.into_vec())?,
        token_header: token_header
            .map(tokens::parse_header_name)
            .transpose()
            .map_err(invalid("[defaults]"))?,
        gateway,
        oidc,
        revoked_links: table.share.0.revoked.texts(),
        deny_groups: String::new(),
        keys: Keyring::default(),
    };
    let signer_epoch = table
        .signer
        .map(|table| epoch(table.0))
        .transpose()
        .map_err(invalid("[signer]"))?;
    let mounts = mount_tables::parse(table.mount.into_vec(), text)?;
    let dialects = dialects([
        (Dialect::Turborepo, table.turborepo),
        (Dialect::Nx, table.nx),
        (Dialect::Lfs, table.lfs),
    ])?;
    let mut ids = BTreeSet::new();
    let rules = table.rule.into_vec().into_iter().map(|table| {
        let (place, allow_open_issuer) = (format!("rule {:?}", &*table.id), table.allow_open_issuer);
        check_unique(&mut ids, &table.id).map_err(invalid(&place))?;
        let rule = table.into_rule(&defaults, &ceiling, &authenticators);
        let rule = rule.and_then(|rule| check_open_issuers(rule, allow_open_issuer, &open));
        rule.map_err(invalid(&place))
    });
    let rules: Vec<_> = rules.collect::<Result<_, _>>()?;
    Ok(Policy {
        authenticators: Authenticators {
            deny_groups: deny_groups(&rules),
            ..authenticators
        },
        rules,
        mounts,
        digest: hex(&Sha256::digest(text)),
        fallback_cursor_keys: Keyring::from_secret(&format!("cursor\n{text}")),
        signer_epoch,
        dialects,
        has_id_table: false,
        has_scoped_sessions: false,
    })
}

fn dialects(
    tables: [(Dialect, Option<OneTable<DialectTable>>); Dialect::ALL.len()],
) -> Result<DialectPrefixes, RulesError> {
    let mut dialects = DialectPrefixes::default();
    for (dialect, table) in tables {
        if let Some(OneTable(DialectTable { at })) = table {
            let enabled = dialects.enable(dialect, &at);
            enabled.map_err(invalid(&format!("[{}]", dialect.name())))?;
        }
    }
    Ok(dialects)
}

/// Returns a hash of the names of the groups in deny rules.
fn deny_groups(rules: &[Rule]) -> String {
    let deny_rules = rules.iter().filter(|rule| rule.effect == Effect::Deny);
    let names: BTreeSet<_> = deny_rules.flat_map(Rule::groups).collect();
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<_> = names.into_iter().collect();
    hex(&Sha256::digest(names.join("\n"))[..8])
}

/// Checks the epoch, which becomes a part of role session names.
fn epoch(SignerTable { epoch }: SignerTable) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if epoch.is_empty() || epoch.len() > 16 || !epoch.bytes().all(plain) {
        return Err(format!(
            "epoch: {:?} must have 1 to 16 letters, digits, `-` or `_`",
            &*epoch
        ));
    }
    Ok(epoch.into_string())
}

/// Returns the default constraints of rules, and the limits that rules must not exceed.
fn defaults(table: Option<&DefaultsTable>) -> Result<(Constraints, Ceiling), String> {
    let ceiling = Ceiling {
        share_expires: MAX_SHARE_EXPIRES,
        temporary_share_expires: MAX_SHARE_EXPIRES,
        expires: MAX_EXPIRES,
        expires_by: ValueSource::BuiltIn,
        max_bytes: MAX_OBJECT_BYTES,
        overwrite: true,
    };
    let Some(table) = table else {
        return Ok((Constraints::built_in(), ceiling));
    };
    let defaults = table.constraints(&Constraints::built_in(), &ceiling)?;
    let (expires, expires_by) = if table.expires.is_some() {
        (defaults.expires, ValueSource::Defaults)
    } else {
        (MAX_EXPIRES, ValueSource::BuiltIn)
    };
    let ceiling = Ceiling {
        share_expires: table
            .share_expires
            .as_ref()
            .map_or(MAX_SHARE_EXPIRES, |_| defaults.share_expires),
        temporary_share_expires: table
            .temporary_share_expires
            .as_ref()
            .map_or(MAX_SHARE_EXPIRES, |_| defaults.temporary_share_expires),
        expires,
        expires_by,
        max_bytes: defaults.max_bytes,
        overwrite: table.overwrite.is_none_or(|flag| flag.0),
    };
    Ok((defaults, ceiling))
}

fn duration(field: &str, text: Option<&str>, base: Duration) -> Result<Duration, String> {
    text.map_or(Ok(base), |text| parse_duration(field, text))
}

/// Returns the text of a table, or that of the defaults.
fn text(own: Option<&Text>, base: Option<&String>) -> Option<String> {
    own.map(|text| text.to_string()).or_else(|| base.cloned())
}

/// Returns the texts of a table, or those of the defaults.
fn texts(own: Option<&List<Text>>, base: &[String]) -> Vec<String> {
    own.map_or_else(|| base.to_vec(), List::texts)
}

fn metadata(table: &Table<Text>) -> BTreeMap<String, String> {
    let entries = table.0.iter();
    entries.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// Rejects a rule for everyone who can get tokens of an open issuer.
fn check_open_issuers(rule: Rule, allow_open_issuer: Flag, open: &[OpenIssuer]) -> Result<Rule, String> {
    if rule.effect == Effect::Allow && !allow_open_issuer.0 {
        open.iter().try_for_each(|issuer| issuer.check(&rule))?;
    }
    Ok(rule)
}

impl RuleTable {
    /// Returns true if the table sets a constraint. The destructuring makes a new field fail to compile here.
    fn sets_constraints(&self) -> bool {
        let Self {
            id: _,
            effect: _,
            who: _,
            conditions: _,
            can: _,
            on: _,
            rewrite: _,
            allow_anonymous_write: _,
            allow_open_issuer: _,
            expires,
            reuse_url_for,
            cache_control,
            max_bytes,
            overwrite,
            disposition,
            content_types,
            metadata,
            storage_class,
            sse,
            sse_kms_key_id,
            client_may_set,
            share,
            share_expires,
            temporary_share_expires,
        } = self;
        expires.is_some()
            || reuse_url_for.is_some()
            || cache_control.is_some()
            || max_bytes.is_some()
            || overwrite.is_some()
            || disposition.is_some()
            || content_types.is_some()
            || metadata.is_some()
            || storage_class.is_some()
            || sse.is_some()
            || sse_kms_key_id.is_some()
            || client_may_set.is_some()
            || share.is_some()
            || share_expires.is_some()
            || temporary_share_expires.is_some()
    }

    fn into_rule(self, defaults: &Constraints, ceiling: &Ceiling, known: &Authenticators) -> Result<Rule, String> {
        check_id(&self.id)?;
        if self.effect.0 == Effect::Deny && (self.sets_constraints() || self.rewrite.is_some()) {
            return Err("a deny rule cannot have constraints or `rewrite`".into());
        }
        let constraints = self.constraints(defaults, ceiling)?;
        let who = self.who.iter().map(|who| CallerSelector::parse(who, known));
        let who = who.collect::<Result<Vec<_>, _>>()?;
        let on = self.patterns()?;
        let rewrite = self.rewrite(&on)?;
        self.check_empty_lists()?;
        self.check_anonymous_write(&who)?;
        let rule = Rule {
            lifetime: self.lifetime(ceiling),
            can: self.can.choices(),
            id: self.id.into_string(),
            effect: self.effect.0,
            who,
            conditions: conditions(self.conditions),
            on,
            rewrite,
            constraints,
        };
        rule.check()?;
        Ok(rule)
    }

    fn patterns(&self) -> Result<Vec<Pattern>, String> {
        let patterns = self.on.iter();
        let patterns = patterns.map(|on| Pattern::from_str(on).map_err(|error| format!("on {:?}: {error}", &**on)));
        patterns.collect()
    }

    fn rewrite(&self, on: &[Pattern]) -> Result<Option<KeyRewrite>, String> {
        let Some(text) = &self.rewrite else { return Ok(None) };
        let rewrite = KeyRewrite::from_str(text)?;
        rewrite.check(on)?;
        if self.can.choices().contains(&Action::List) {
            return Err("rewrite: the rule cannot allow `list`, because a listing contains storage keys".into());
        }
        Ok(Some(rewrite))
    }

    fn check_empty_lists(&self) -> Result<(), String> {
        let lists = [
            ("who", self.who.is_empty()),
            ("can", self.can.is_empty()),
            ("on", self.on.is_empty()),
            ("if", self.conditions.0.values().any(|values| values.is_empty())),
        ];
        match lists.into_iter().find(|(_, is_empty)| *is_empty) {
            Some((field, _)) => Err(format!("{field}: an empty list matches nothing")),
            None => Ok(()),
        }
    }

    fn check_anonymous_write(&self, who: &[CallerSelector]) -> Result<(), String> {
        let mut actions = self.can.iter();
        let writes = actions.any(|action| matches!(action.0, Action::Write | Action::Delete));
        let is_anonymous = self.effect.0 == Effect::Allow && who.contains(&CallerSelector::Anyone);
        if is_anonymous && writes && !self.allow_anonymous_write.0 {
            return Err(
                "the rule lets anyone change objects; if this is intended, add `allow_anonymous_write = true`".into(),
            );
        }
        Ok(())
    }

    /// Without a value in `[defaults]`, both the lifetime and its ceiling are built in.
    fn lifetime(&self, ceiling: &Ceiling) -> LifetimeSource {
        LifetimeSource {
            set_by: self.expires.as_ref().map_or(ceiling.expires_by, |_| ValueSource::Rule),
            ceiling: ceiling.expires,
            ceiling_by: ceiling.expires_by,
        }
    }
}

fn conditions(table: Table<List<Text>>) -> Vec<ClaimCondition> {
    let conditions = table.0.into_iter();
    conditions
        .map(|(claim, values)| ClaimCondition {
            claim,
            values: values.texts(),
        })
        .collect()
}
