//! Patterns over keys: literal segments, `{claim}` segments, and a trailing `/**`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::effect::Effect;
use crate::auth::Principal;

/// A pattern over keys.
///
/// A segment is a literal or one `{claim}`, which represents that claim of the caller. The last segment can be `**`, which
/// matches everything below. There is no other wildcard and no leading `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(super) segments: Vec<PatternSegment>,
    pub(super) below: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternSegment {
    Literal(String),
    Claim(String),
}

/// The keys that a pattern matches after its claims are filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyRange {
    /// This key.
    Exactly(String),
    /// Every key with this prefix, which is empty or ends in `/`.
    Below(String),
}

/// A public key of an object by segments.
pub(super) type PublicName<'a> = Vec<NameSegment<'a>>;

/// A segment of a public key, for some caller.
#[derive(Clone, Copy, Debug)]
pub(super) enum NameSegment<'a> {
    Text(&'a str),
    /// The value of this claim, which can be any plain text. It is the same in all segments of a key.
    Claim(&'a str),
}

/// The values of claims.
pub(super) type ClaimValues<'a> = BTreeMap<&'a str, &'a str>;

/// The error for a text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// An empty text.
    #[error("an empty pattern matches nothing; use `**` for every key")]
    Empty,
    /// A leading slash.
    #[error("a pattern has no leading `/`, because keys have none")]
    LeadingSlash,
    /// A star that is not a trailing `/**`.
    #[error("`*` is allowed only in a trailing `/**`")]
    Star,
    /// Braces that do not enclose a whole segment.
    #[error("a `{{claim}}` must be a whole segment")]
    Brace,
    /// A segment that no key can contain.
    #[error("no key contains {0:?}: control characters, `.` and `..` are not allowed")]
    NoKey(String),
    /// A claim without a name, or with characters that claim names do not contain.
    #[error("{0:?} is not the name of a claim")]
    ClaimName(String),
}

impl Pattern {
    /// Returns the names of the claims in the pattern.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            PatternSegment::Claim(name) => Some(name.as_str()),
            PatternSegment::Literal(_) => None,
        })
    }

    /// Returns true if the pattern ends in `**`.
    pub(super) const fn is_below(&self) -> bool {
        self.below
    }

    /// Returns the part of `key` that matches `**`. The pattern must match `key`.
    pub(super) fn rest<'a>(&self, key: &'a str) -> &'a str {
        let own = self.segments.len();
        key.splitn(own + 1, '/').nth(own).unwrap_or_default()
    }

    /// Returns the text with which all keys of the pattern start.
    pub(super) fn common_start(&self) -> String {
        let literals = self.segments.iter().map_while(|segment| match segment {
            PatternSegment::Literal(text) => Some(text.as_str()),
            PatternSegment::Claim(_) => None,
        });
        let literals: Vec<_> = literals.collect();
        let is_key = literals.len() == self.segments.len() && !self.below;
        let folder_end = if is_key || literals.is_empty() { "" } else { "/" };
        literals.join("/") + folder_end
    }

    /// Returns true if the pattern contains a claim whose meaning depends on the issuer.
    pub(super) fn has_issuer_claim(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, PatternSegment::Claim(name) if name != "user_id"))
    }

    /// Returns true if the pattern of a rule with this effect matches `key` for this caller. If a claim has no value, an
    /// allow rule matches no key, and a deny rule matches every key below the segments before the claim.
    pub fn matches(&self, key: &str, principal: &Principal, effect: Effect) -> bool {
        let mut rest = Some(key);
        for segment in &self.segments {
            let Some(text) = rest else { return false };
            let Some(value) = segment.value(|claim| principal.user()?.claim(claim)) else {
                return effect == Effect::Deny;
            };
            let (head, tail) = split(text);
            if head != value {
                return false;
            }
            rest = tail;
        }
        rest.is_some() == self.below
    }

    /// Returns the keys that the pattern of a rule with this effect matches for a caller with these claims, as
    /// [`Pattern::matches`] does.
    pub(super) fn keys<'a>(&self, effect: Effect, claim: impl Fn(&str) -> Option<&'a str>) -> Option<KeyRange> {
        let mut keys = String::new();
        for segment in &self.segments {
            match (segment.value(&claim), effect) {
                (Some(value), _) => {
                    keys.push_str(value);
                    keys.push('/');
                }
                (None, Effect::Deny) => return Some(KeyRange::Below(keys)),
                (None, Effect::Allow) => return None,
            }
        }
        if self.below {
            return Some(KeyRange::Below(keys));
        }
        keys.pop();
        Some(KeyRange::Exactly(keys))
    }

    /// Returns true if the pattern of a deny rule matches an object with this name. If `below`, the name is a prefix, and
    /// the pattern must match every key below it.
    pub(super) fn denies_name(&self, name: &[NameSegment<'_>], principal: &Principal, below: bool) -> bool {
        let (mut own, mut claims) = (name.iter(), ClaimValues::new());
        for segment in &self.segments {
            let Some(part) = own.next() else { return false };
            let Some(value) = segment.value(|claim| principal.user()?.claim(claim)) else {
                return true;
            };
            let fits = match part {
                NameSegment::Text(text) => *text == value,
                NameSegment::Claim(claim) => is_value(&mut claims, claim, value),
            };
            if !fits {
                return false;
            }
        }
        let has_rest = own.next().is_some();
        if self.below { has_rest } else { !has_rest && !below }
    }

    /// Compares the first segments of a key with the segments before `**`. The caller has these claims, and its other claims
    /// are unknown. Returns all claims that the key requires, and the other segments of the key, or `None` if no caller fits.
    pub(super) fn bind<'a, S: Iterator<Item = &'a str>>(
        &'a self,
        mut claims: ClaimValues<'a>,
        mut segments: S,
    ) -> Option<(ClaimValues<'a>, S)> {
        for segment in &self.segments {
            if !segment.fits(&mut claims, segments.next()?) {
                return None;
            }
        }
        Some((claims, segments))
    }

    /// Compares the segments that both the pattern and a key have.
    pub(super) fn bind_start<'a>(
        &'a self,
        mut claims: ClaimValues<'a>,
        segments: impl Iterator<Item = &'a str>,
    ) -> Option<ClaimValues<'a>> {
        let mut pairs = segments.zip(&self.segments);
        let fits = pairs.all(|(head, segment)| segment.fits(&mut claims, head));
        fits.then_some(claims)
    }

    /// Returns the segments before `**` for a caller of whom only these claims are known.
    pub(super) fn name<'a>(&'a self, claims: &ClaimValues<'a>) -> PublicName<'a> {
        let segments = self.segments.iter();
        segments
            .map(|segment| match segment {
                PatternSegment::Literal(literal) => NameSegment::Text(literal),
                PatternSegment::Claim(name) => claims
                    .get(name.as_str())
                    .map_or(NameSegment::Claim(name), |value| NameSegment::Text(value)),
            })
            .collect()
    }
}

/// Splits off the first segment of a key.
fn split(key: &str) -> (&str, Option<&str>) {
    key.split_once('/')
        .map_or((key, None), |(head, tail)| (head, Some(tail)))
}

/// Returns true if a claim's value can be a segment. A value that could be read as several segments or as none cannot.
pub fn is_segment(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@|:+=-".contains(&byte);
    (1..=128).contains(&value.len()) && value.bytes().all(plain) && value != "." && value != ".."
}

/// Returns true if `text` can be the value of a claim. The first value of each claim is added to `claims`.
fn is_value<'a>(claims: &mut ClaimValues<'a>, claim: &'a str, text: &'a str) -> bool {
    is_segment(text) && *claims.entry(claim).or_insert(text) == text
}

impl PatternSegment {
    /// Returns true if this segment matches `text`, the segment of a key. Adds the value of a claim without a value to `claims`.
    fn fits<'a>(&'a self, claims: &mut ClaimValues<'a>, text: &'a str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Claim(name) => is_value(claims, name, text),
        }
    }

    /// Returns the text of the segment for a caller with these claims, if the claim has a value that can be a segment.
    fn value<'a, 'b: 'a>(&'a self, claim: impl Fn(&str) -> Option<&'b str>) -> Option<&'a str> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Claim(name) => claim(name).filter(|value| is_segment(value)),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.starts_with('/') {
            return Err(PatternError::LeadingSlash);
        }
        if text == "**" {
            return Ok(Self {
                segments: Vec::new(),
                below: true,
            });
        }
        let (literal, below) = text
            .strip_suffix("/**")
            .map_or((text, false), |literal| (literal, true));
        let segments = literal.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, below })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            let slash = if index == 0 { "" } else { "/" };
            match segment {
                PatternSegment::Literal(literal) => write!(f, "{slash}{literal}")?,
                PatternSegment::Claim(name) => write!(f, "{slash}{{{name}}}")?,
            }
        }
        match (self.below, self.segments.is_empty()) {
            (false, _) => Ok(()),
            (true, true) => f.write_str("**"),
            (true, false) => f.write_str("/**"),
        }
    }
}

fn segment(text: &str) -> Result<PatternSegment, PatternError> {
    if text.contains('*') {
        return Err(PatternError::Star);
    }
    if let Some(claim) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'.');
        return match claim {
            "" => Err(PatternError::ClaimName(claim.to_owned())),
            claim if claim.bytes().all(plain) => Ok(PatternSegment::Claim(claim.to_owned())),
            claim => Err(PatternError::ClaimName(claim.to_owned())),
        };
    }
    if text.contains(['{', '}']) {
        return Err(PatternError::Brace);
    }
    if text == "." || text == ".." || text.chars().any(char::is_control) {
        return Err(PatternError::NoKey(text.to_owned()));
    }
    Ok(PatternSegment::Literal(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_start_is_the_text_with_which_all_keys_of_a_pattern_start() {
        for (pattern, start) in [
            ("a", "a"),
            ("a/b", "a/b"),
            ("a/**", "a/"),
            ("a/b/**", "a/b/"),
            ("a/{sub}/b", "a/"),
            ("a/{sub}", "a/"),
            ("{sub}/a", ""),
            ("{sub}/**", ""),
            ("**", ""),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().common_start(), start, "{pattern}");
        }
    }
}
