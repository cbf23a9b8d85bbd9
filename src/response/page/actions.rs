//! The actions that a page offers.

use std::fmt;

use crate::decide::PageActions;

/// The actions that a page offers, by the names that the script reads.
pub(super) struct ActionNames(Vec<&'static str>);

impl ActionNames {
    pub(super) fn new(actions: &PageActions) -> Self {
        let names = actions.can.iter().map(|action| action.name());
        Self(names.chain(actions.share.then_some("share")).collect())
    }

    pub(super) fn has(&self, action: &str) -> bool {
        self.0.contains(&action)
    }
}

impl fmt::Display for ActionNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
