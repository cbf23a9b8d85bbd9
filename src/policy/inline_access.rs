//! The rules that let browsers display an object instead of saving it.

use super::Policy;
use super::constraints::Disposition;
use super::effect::Effect;
use super::pattern::{Pattern, PatternSegment};
use super::rule::Rule;
use crate::mount::Mount;
use crate::operation::Action;

/// The parameter with which a client displays an object of a rule with `disposition = "attachment"`.
const RESPONSE_DISPOSITION: &str = "response-content-disposition";

impl Policy {
    /// Returns true if a rule may let browsers display the object under `key`, which is a public key or a plain key in `mount`.
    /// The result does not depend on the caller.
    pub fn may_display(&self, mount: &Mount, key: &str) -> bool {
        let mut displaying = self.rules.iter().filter(|rule| rule.displays());
        let others: Vec<_> = self.mounts.other_plain_keys(mount, key).collect();
        displaying.any(|rule| rule.may_match(key) || others.iter().any(|(_, key)| rule.may_match(key)))
    }
}

impl Rule {
    fn displays(&self) -> bool {
        let constraints = &self.constraints;
        let is_inline = constraints.disposition == Disposition::Inline;
        let displays = is_inline || constraints.client_may_set(RESPONSE_DISPOSITION);
        self.effect == Effect::Allow && self.can.contains(&Action::Read) && displays
    }

    /// Returns true for every key that the rule matches for some caller. With `rewrite`, any key can be the storage key.
    fn may_match(&self, key: &str) -> bool {
        self.rewrite.is_some() || self.on.iter().any(|pattern| may_match(pattern, key))
    }
}

/// Returns true if the pattern matches `key` with some values of its claims.
fn may_match(pattern: &Pattern, key: &str) -> bool {
    let mut parts = key.split('/');
    for segment in &pattern.segments {
        match (segment, parts.next()) {
            (PatternSegment::Literal(literal), Some(part)) if literal == part => {}
            (PatternSegment::Claim(_), Some(_)) => {}
            _ => return false,
        }
    }
    parts.next().is_some() == pattern.is_below()
}
