//! The objects that a deny rule protects under their storage keys and their other names.

use super::key_term::{Bindings, KeyTerm};
use super::rule_source::{RewriteTail, SourceRewrite, SourceRule};
use super::scene::KnownClaims;
use signpost::policy::Effect;

/// Returns the public keys of `rule` whose storage key, or whose other names, are in `denied`.
pub(super) fn denied_requests(
    claims: &KnownClaims<'_>,
    rule: &SourceRule,
    denied: impl Iterator<Item = KeyTerm>,
    naming: &[&SourceRule],
) -> Vec<(KeyTerm, Bindings)> {
    let mut found = Vec::new();
    for denied in denied {
        let named = naming.iter().flat_map(|naming| named_objects(naming, &denied));
        let objects: Vec<_> = named.chain([(denied.clone(), Bindings::default())]).collect();
        for (object, bindings) in objects {
            for pattern in &rule.on {
                let mut bindings = bindings.clone();
                let keys = public_keys(claims, rule, pattern, &object, &mut bindings);
                found.extend(keys.map(|keys| (keys, bindings)));
            }
        }
    }
    found
}

/// Returns the storage keys of the objects that have a public key in `names` by the rule `naming`, for any caller.
fn named_objects(naming: &SourceRule, names: &KeyTerm) -> Vec<(KeyTerm, Bindings)> {
    let Some(SourceRewrite { folder, tail }) = &naming.rewrite else {
        return Vec::new();
    };
    // The claims of the other caller.
    let other = |claim: &str| format!("other {claim}");
    let folder = folder.renamed(other).segments;
    let stored = |on: &KeyTerm| {
        let (mut bindings, on) = (Bindings::default(), on.renamed(other));
        let names = on.intersect(names, &mut bindings)?;
        let stored = match tail {
            RewriteTail::Key => names,
            RewriteTail::Rest => names.without_first(on.segments.len()),
            RewriteTail::Id => return None,
        };
        Some((stored.inside(&folder), bindings))
    };
    naming.on.iter().filter_map(stored).collect()
}

/// Returns the public keys of a pattern of an allow rule that the rule rewrites to keys in `object`.
fn public_keys(
    claims: &KnownClaims<'_>,
    rule: &SourceRule,
    pattern: &KeyTerm,
    object: &KeyTerm,
    bindings: &mut Bindings,
) -> Option<KeyTerm> {
    let on = claims.resolve(pattern, Effect::Allow)?;
    let Some(SourceRewrite { folder, tail }) = &rule.rewrite else {
        return on.intersect(object, bindings);
    };
    let folder = claims.resolve(folder, Effect::Allow)?.segments;
    if *tail == RewriteTail::Key {
        let stored = on.inside(&folder).intersect(object, bindings)?;
        return Some(stored.without_first(folder.len()));
    }
    let stored = KeyTerm::all().inside(&folder).intersect(object, bindings)?;
    let rest = stored.without_first(folder.len());
    match tail {
        RewriteTail::Rest => Some(rest.inside(&on.segments)),
        // A deny rule matches ids only if it matches the whole folder.
        RewriteTail::Id | RewriteTail::Key => rest.segments.is_empty().then_some(on),
    }
}
