//! The actions that a page offers.

use std::fmt;

use crate::decide::Offers;

/// The actions that a page offers, by the names that the script reads.
pub(super) struct PageActions(Vec<&'static str>);

impl PageActions {
    pub(super) fn new(offers: &Offers) -> Self {
        let actions = offers.can.iter().map(|action| action.name());
        Self(actions.chain(offers.share.then_some("share")).collect())
    }

    pub(super) fn has(&self, action: &str) -> bool {
        self.0.contains(&action)
    }
}

impl fmt::Display for PageActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
