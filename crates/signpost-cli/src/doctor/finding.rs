//! What an examination finds.

use std::fmt;

use crate::plain;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    /// A fragment that says what was found.
    pub(crate) what: String,
    /// A sentence that says what to do.
    pub(crate) remedy: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Good to know.
    Note,
    Wrong,
}

impl Verdict {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Right => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

impl Finding {
    pub(crate) fn right(what: impl Into<String>) -> Self {
        Self::new(Verdict::Right, what)
    }

    pub(crate) fn note(what: impl Into<String>) -> Self {
        Self::new(Verdict::Note, what)
    }

    /// Something wrong, and what to do about it.
    pub(crate) fn wrong(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..Self::new(Verdict::Wrong, what)
        }
    }

    fn new(verdict: Verdict, what: impl Into<String>) -> Self {
        Self {
            verdict,
            what: what.into(),
            remedy: None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<6}{}", self.verdict.name(), plain::line(&self.what))?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n      {}", plain::line(remedy)),
            None => Ok(()),
        }
    }
}
