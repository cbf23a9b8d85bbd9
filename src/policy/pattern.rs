//! Patterns over keys: literal segments, `{claim}` segments, and a trailing `/**`.

use std::fmt;
use std::str::FromStr;

use crate::auth::Principal;

/// A pattern over keys.
///
/// A segment is a literal or one `{claim}`, which represents that claim of the caller. The last segment can be `**`, which
/// matches everything below. There is no other wildcard and no leading `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<PatternSegment>,
    below: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternSegment {
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

    /// Returns true if the pattern contains a claim whose meaning depends on the issuer.
    pub(super) fn has_issuer_claim(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, PatternSegment::Claim(name) if name != "user_id"))
    }

    /// Returns true if the pattern matches `key` for this caller. Without the claim, the pattern matches no key.
    pub fn matches(&self, key: &str, principal: &Principal) -> bool {
        let mut rest = Some(key);
        for segment in &self.segments {
            let Some(text) = rest else { return false };
            let (head, tail) = text
                .split_once('/')
                .map_or((text, None), |(head, tail)| (head, Some(tail)));
            if !segment.matches(head, principal) {
                return false;
            }
            rest = tail;
        }
        rest.is_some() == self.below
    }

    /// Returns the keys that the pattern matches for a caller with these claims. Returns `None` if a claim is missing.
    pub(super) fn keys<'a>(&self, claim: impl Fn(&str) -> Option<&'a str>) -> Option<KeyRange> {
        let segments = self.segments.iter().map(|segment| match segment {
            PatternSegment::Literal(literal) => Some(literal.as_str()),
            PatternSegment::Claim(name) => claim(name).filter(|value| is_segment(value)),
        });
        let mut keys = segments.collect::<Option<Vec<_>>>()?.join("/");
        if !self.below {
            return Some(KeyRange::Exactly(keys));
        }
        if !self.segments.is_empty() {
            keys.push('/');
        }
        Some(KeyRange::Below(keys))
    }
}

/// Returns true if a claim's value can be a segment. A value that could be read as several segments or as none cannot.
fn is_segment(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@|:+=-".contains(&byte);
    (1..=128).contains(&value.len()) && value.bytes().all(plain) && value != "." && value != ".."
}

impl PatternSegment {
    fn matches(&self, text: &str, principal: &Principal) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Claim(name) => {
                let value = principal.user().and_then(|user| user.claim(name));
                value.is_some_and(|value| value == text && is_segment(value))
            }
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
