//! HTML pages. Each page works without the script. A name can never become markup: templates escape names, links are
//! relative and percent-encoded, and the content security policy allows only the script that is compiled in.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`shell`]: the parts that all pages have, and the content security policy.
//! 2. [`actions`]: the actions that a page actions.
//! 3. [`listing`]: the page of a folder.
//! 4. [`index`]: the list of links for programs.
//! 5. [`object`]: the page of an object, and the page that deletes it.

mod actions;
mod index;
mod listing;
mod object;
mod shell;

pub(super) use index::listing_index;
pub(super) use listing::listing_page;
pub use object::{delete_page, deleted, object_page};
pub(super) use shell::{PageShell, html_page};
