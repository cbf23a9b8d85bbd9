//! Sets of keys, as patterns whose claims can be unknown, and their intersection.

use std::collections::BTreeMap;

use signpost::policy::is_segment;

/// The keys that begin with these segments. Without `below`, the key has no further segment; otherwise, it has at least
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyTerm {
    pub(super) segments: Vec<Segment>,
    pub(super) below: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Text(String),
    /// Any plain text. It is the same in all segments with this name.
    Unknown(String),
}

/// The values of unknown segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings(BTreeMap<String, Segment>);

impl KeyTerm {
    /// Parses a pattern of a rules file. Its claims are unknown.
    pub(super) fn parse(pattern: &str) -> Self {
        let mut segments: Vec<_> = pattern.split('/').map(Segment::parse).collect();
        let below = segments.pop_if(|last| *last == Segment::Text("**".into())).is_some();
        Self { segments, below }
    }

    /// Returns the set of all keys.
    pub(super) const fn all() -> Self {
        Self {
            segments: Vec::new(),
            below: true,
        }
    }

    /// Returns the names of the unknown segments.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Unknown(name) => Some(name.as_str()),
            Segment::Text(_) => None,
        })
    }

    /// Returns the literal segments.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Text(text) => Some(text.as_str()),
            Segment::Unknown(_) => None,
        })
    }

    /// Renames the unknown segments.
    pub(super) fn renamed(&self, rename: impl Fn(&str) -> String) -> Self {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Unknown(name) => Segment::Unknown(rename(name)),
            Segment::Text(_) => segment.clone(),
        });
        Self {
            segments: segments.collect(),
            below: self.below,
        }
    }

    /// Returns the keys in both sets. The bindings contain the values that this requires.
    pub(super) fn intersect(&self, other: &Self, bindings: &mut Bindings) -> Option<Self> {
        let pairs = self.segments.iter().zip(&other.segments);
        for (own, segment) in pairs {
            if !bindings.unify(own, segment) {
                return None;
            }
        }
        let (longer, shorter) = if self.segments.len() >= other.segments.len() {
            (self, other)
        } else {
            (other, self)
        };
        let fits = if longer.segments.len() == shorter.segments.len() {
            longer.below == shorter.below
        } else {
            shorter.below
        };
        fits.then(|| longer.clone())
    }

    /// Returns this set below `folder`.
    pub(super) fn inside(&self, folder: &[Segment]) -> Self {
        Self {
            segments: [folder, &self.segments].concat(),
            below: self.below,
        }
    }

    /// Returns the set without its first segments. If there are fewer, every key is possible.
    pub(super) fn without_first(&self, count: usize) -> Self {
        Self {
            segments: self.segments.get(count..).unwrap_or_default().to_vec(),
            below: self.below,
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        let claim = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        claim.map_or_else(|| Self::Text(text.to_owned()), |claim| Self::Unknown(claim.to_owned()))
    }
}

impl Bindings {
    /// Returns the value of a segment as far as it is known.
    pub(super) fn resolve(&self, segment: &Segment) -> Segment {
        let mut found = segment;
        while let Segment::Unknown(name) = found
            && let Some(bound) = self.0.get(name)
        {
            found = bound;
        }
        found.clone()
    }

    /// Makes two segments equal, or returns false if they cannot be equal.
    pub(super) fn unify(&mut self, one: &Segment, other: &Segment) -> bool {
        match (self.resolve(one), self.resolve(other)) {
            (Segment::Text(one), Segment::Text(other)) => one == other,
            (Segment::Unknown(name), Segment::Text(text)) | (Segment::Text(text), Segment::Unknown(name)) => {
                let is_plain = is_segment(&text);
                self.0.insert(name, Segment::Text(text));
                is_plain
            }
            (Segment::Unknown(one), Segment::Unknown(other)) => {
                if one != other {
                    self.0.insert(one, Segment::Unknown(other));
                }
                true
            }
        }
    }
}
