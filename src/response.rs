//! HTTP responses. Only this module defines status codes and response headers.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`text`]: sizes and times as text.
//! 2. [`failure`]: errors of the service itself.
//! 3. [`status`]: the status codes of rejections and failures.
//! 4. [`http`]: the response type, and the headers of all responses.
//! 5. [`compress`]: compression with gzip.
//! 6. [`limit`]: the limit of the front on the size of a response.
//! 7. [`links`]: URLs in responses.
//! 8. [`assets`]: the script, the style sheet and the icon of the pages.
//! 9. [`page`]: the HTML pages of folders and objects, and the parts that all pages have.
//! 10. [`problem`]: responses for rejections and failures.
//! 11. [`instruction`]: responses that contain presigned URLs.
//! 12. [`share_link`]: responses that contain a new share link.
//! 13. [`post_form`]: signed HTML forms.
//! 14. [`listing`]: responses to listings.
//! 15. [`sign_in`]: the sign-in and the sign-out.
//! 16. [`service_paths`]: the health check, the identity of the caller, the API documents and the assets.
//! 17. [`dialect`]: responses of dialects.
//! 18. [`finish`]: CORS headers, compression and HEAD requests, as the last step of every response.

mod assets;
mod compress;
mod dialect;
mod failure;
mod finish;
mod http;
mod instruction;
mod limit;
mod links;
mod listing;
mod page;
mod post_form;
mod problem;
mod service_paths;
mod share_link;
mod sign_in;
mod status;
mod text;

pub use self::http::ApiResponse;
pub use dialect::{
    LfsAction, LfsResult, NewLock, lfs_batch, lock, locks, turborepo_events, turborepo_preflight, turborepo_status,
    verified_locks,
};
pub use failure::{RequestError, ServiceFailure};
pub use finish::{finish, preflight};
pub use instruction::{BulkResult, BulkResults, instruction, vary_by};
pub use limit::excess;
pub use listing::listing;
pub use page::{delete_page, deleted, object_page};
pub use post_form::{post_form_json, post_form_page};
pub use problem::{failure, rejection};
pub use service_paths::{asset, document, health, identity};
pub use share_link::share_link;
pub use sign_in::{clear_session, redirect_to_issuer, signed_in, signed_out, token_page};
