//! The parser of a rules file. One error makes the whole file invalid.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Policy;
use super::caller_selector::CallerSelector;
use super::constraints::{
    Ceiling, Constraints, Disposition, MAX_EXPIRES, MAX_SHARE_EXPIRES, SizeValue, parse_duration,
};
use super::effect::Effect;
use super::errors::{RulesError, invalid};
use super::identifiers::{check_id, check_unique};
use super::issuers::{self, IssuerTable};
use super::key_rewrite::KeyRewrite;
use super::lifetime::{LifetimeSource, ValueSource};
use super::mount_tables::{self, MountTable};
use super::pattern::Pattern;
use super::rule::{ClaimCondition, Rule};
use super::tokens::{self, TokenTable};
use crate::auth::{Authenticators, Keyring};
use crate::encoding::hex;
use crate::operation::Action;
use crate::rejection::MAX_OBJECT_BYTES;

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
    mount: Vec<toml::Spanned<MountTable>>,
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

/// Declares a table with the constraint fields and additional fields. (`serde(flatten)` does not work with
/// `deny_unknown_fields`.)
macro_rules! constraints_table {
    ($table:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $table {
            $($(#[$attribute])* $field: $type,)*
            expires: Option<String>,
            reuse_url_for: Option<String>,
            cache_control: Option<String>,
            max_bytes: Option<SizeValue>,
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
            temporary_share_expires: Option<String>,
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
                    cache_control: self.cache_control.clone().or_else(|| base.cache_control.clone()),
                    max_bytes: self.max_bytes.as_ref().map_or(Ok(base.max_bytes), SizeValue::bytes)?,
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

constraints_table!(DefaultsTable {
    token_header: Option<String>,
});

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

/// Parses a rules file.
pub(super) fn parse(text: &str) -> Result<Policy, RulesError> {
    let table: RulesTable = toml::from_str(text).map_err(|error| RulesError::Toml(error.to_string()))?;
    if table.version != 1 {
        return Err(RulesError::Version(table.version));
    }
    let (defaults, ceiling) = defaults(table.defaults.as_ref()).map_err(invalid("[defaults]"))?;
    let (gateway, oidc) = issuers::parse(table.issuer)?;
    let token_header = table
        .defaults
        .as_ref()
        .and_then(|defaults| defaults.token_header.as_deref());
    let authenticators = Authenticators {
        tokens: tokens::parse(table.token)?,
        token_header: token_header
            .map(tokens::parse_header_name)
            .transpose()
            .map_err(invalid("[defaults]"))?,
        gateway,
        oidc,
        revoked_links: table.share.revoked,
        deny_groups: String::new(),
        keys: Keyring::default(),
    };
    let signer_epoch = table.signer.map(epoch).transpose().map_err(invalid("[signer]"))?;
    let mounts = mount_tables::parse(table.mount, text)?;
    let mut ids = BTreeSet::new();
    let rules = table.rule.into_iter().map(|table| {
        let place = format!("rule {:?}", table.id);
        check_unique(&mut ids, &table.id).map_err(invalid(&place))?;
        table
            .into_rule(&defaults, &ceiling, &authenticators)
            .map_err(invalid(&place))
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
        has_id_table: false,
        has_scoped_sessions: false,
    })
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
            "epoch: {epoch:?} must have 1 to 16 letters, digits, `-` or `_`"
        ));
    }
    Ok(epoch)
}

/// Returns the default constraints of rules, and the limits that rules must not exceed.
fn defaults(table: Option<&DefaultsTable>) -> Result<(Constraints, Ceiling), String> {
    let ceiling = Ceiling {
        share_expires: MAX_SHARE_EXPIRES,
        temporary_share_expires: MAX_SHARE_EXPIRES,
        expires: MAX_EXPIRES,
        expires_by: ValueSource::BuiltIn,
        max_bytes: MAX_OBJECT_BYTES,
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
    };
    Ok((defaults, ceiling))
}

fn duration(field: &str, text: Option<&str>, base: Duration) -> Result<Duration, String> {
    text.map_or(Ok(base), |text| parse_duration(field, text))
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
        if self.effect == Effect::Deny && (self.sets_constraints() || self.rewrite.is_some()) {
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
            id: self.id,
            effect: self.effect,
            who,
            conditions: conditions(self.conditions),
            can: self.can,
            on,
            rewrite,
            constraints,
        };
        rule.check()?;
        Ok(rule)
    }

    fn patterns(&self) -> Result<Vec<Pattern>, String> {
        let patterns = self.on.iter();
        let patterns = patterns.map(|on| Pattern::from_str(on).map_err(|error| format!("on {on:?}: {error}")));
        patterns.collect()
    }

    fn rewrite(&self, on: &[Pattern]) -> Result<Option<KeyRewrite>, String> {
        let Some(text) = &self.rewrite else { return Ok(None) };
        let rewrite = KeyRewrite::from_str(text)?;
        rewrite.check(on)?;
        if self.can.contains(&Action::List) {
            return Err("rewrite: the rule cannot allow `list`, because a listing contains storage keys".into());
        }
        Ok(Some(rewrite))
    }

    fn check_empty_lists(&self) -> Result<(), String> {
        let lists = [
            ("who", self.who.is_empty()),
            ("can", self.can.is_empty()),
            ("on", self.on.is_empty()),
            ("if", self.conditions.values().any(Vec::is_empty)),
        ];
        match lists.into_iter().find(|(_, is_empty)| *is_empty) {
            Some((field, _)) => Err(format!("{field}: an empty list matches nothing")),
            None => Ok(()),
        }
    }

    fn check_anonymous_write(&self, who: &[CallerSelector]) -> Result<(), String> {
        let mut actions = self.can.iter();
        let writes = actions.any(|action| matches!(action, Action::Write | Action::Delete));
        let is_anonymous = self.effect == Effect::Allow && who.contains(&CallerSelector::Anyone);
        if is_anonymous && writes && !self.allow_anonymous_write {
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

fn conditions(table: BTreeMap<String, Vec<String>>) -> Vec<ClaimCondition> {
    let conditions = table.into_iter();
    conditions
        .map(|(claim, values)| ClaimCondition { claim, values })
        .collect()
}
