//! Which keys a rule speaks of: literal segments, `{claim}` segments, and a trailing `/**`.

use std::fmt;
use std::str::FromStr;

use crate::auth::Principal;

/// A pattern over keys.
///
/// A segment is either literal or one `{claim}`, which stands for that claim of the caller; the last may be `**`, which
/// stands for everything below. There is no other wildcard and no leading `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
    below: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Claim(String),
}

/// The keys that a pattern stands for when its claims are filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyRange {
    /// This one.
    Exactly(String),
    /// Every key that begins so. It is empty or ends in `/`.
    Below(String),
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing at all.
    #[error("an empty pattern matches nothing; use `**` for every key")]
    Empty,
    /// A leading slash.
    #[error("a pattern has no leading `/`, since keys have none")]
    LeadingSlash,
    /// A star that is not a trailing `/**`.
    #[error("`*` stands only in a trailing `/**`")]
    Star,
    /// Braces that are not a whole segment.
    #[error("a `{{claim}}` is a whole segment")]
    Brace,
    /// A segment that no key has.
    #[error("{0:?} is in no key: control characters, `.` and `..` are refused")]
    NoKey(String),
    /// A claim without a name, or one of other characters than claims have.
    #[error("{0:?} is not the name of a claim")]
    ClaimName(String),
}

impl Pattern {
    /// The claims that it names.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Claim(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Whether it ends in `**`.
    pub(super) const fn is_below(&self) -> bool {
        self.below
    }

    /// What `**` stands for in `key`, which it matches.
    pub(super) fn rest<'a>(&self, key: &'a str) -> &'a str {
        let own = self.segments.len();
        key.splitn(own + 1, '/').nth(own).unwrap_or_default()
    }

    /// Whether it names a claim that means something with its issuer only.
    pub(super) fn names_issued_claim(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, Segment::Claim(name) if name != "user_id"))
    }

    /// Whether `key` lies within the pattern for this caller. A caller without the claim matches nothing.
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

    /// The keys that it matches for a caller with these claims; none without a claim that it names.
    pub(super) fn keys<'a>(&self, claim: impl Fn(&str) -> Option<&'a str>) -> Option<KeyRange> {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.as_str()),
            Segment::Claim(name) => claim(name).filter(|value| is_segment(value)),
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

/// Whether a claim's value can stand for a segment; what could be read as more or less than one does not.
fn is_segment(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@|:+=-".contains(&byte);
    (1..=128).contains(&value.len()) && value.bytes().all(plain) && value != "." && value != ".."
}

impl Segment {
    fn matches(&self, text: &str, principal: &Principal) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Claim(name) => {
                let value = principal.member().and_then(|member| member.claim(name));
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
                Segment::Literal(literal) => write!(f, "{slash}{literal}")?,
                Segment::Claim(name) => write!(f, "{slash}{{{name}}}")?,
            }
        }
        match (self.below, self.segments.is_empty()) {
            (false, _) => Ok(()),
            (true, true) => f.write_str("**"),
            (true, false) => f.write_str("/**"),
        }
    }
}

fn segment(text: &str) -> Result<Segment, PatternError> {
    if text.contains('*') {
        return Err(PatternError::Star);
    }
    if let Some(claim) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'.');
        return match claim {
            "" => Err(PatternError::ClaimName(claim.to_owned())),
            claim if claim.bytes().all(plain) => Ok(Segment::Claim(claim.to_owned())),
            claim => Err(PatternError::ClaimName(claim.to_owned())),
        };
    }
    if text.contains(['{', '}']) {
        return Err(PatternError::Brace);
    }
    if text == "." || text == ".." || text.chars().any(char::is_control) {
        return Err(PatternError::NoKey(text.to_owned()));
    }
    Ok(Segment::Literal(text.to_owned()))
}
