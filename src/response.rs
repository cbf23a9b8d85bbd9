//! HTTP responses. Only this module defines status codes and response headers.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`text`]: sizes and times as text.
//! 2. [`failure`]: errors of the service itself.
//! 3. [`status`]: the status codes of rejections and failures.
//! 4. [`http`]: the response type, and the headers of all responses.
//! 5. [`compress`]: compression with gzip.
//! 6. [`links`]: URLs in responses.
//! 7. [`assets`]: the script, the style sheet and the icon of the pages.
//! 8. [`page`]: the HTML pages of folders and objects, and the parts that all pages have.
//! 9. [`problem`]: responses for rejections and failures.
//! 10. [`instruction`]: responses that contain presigned URLs.
//! 11. [`share_link`]: responses that contain a new share link.
//! 12. [`post_form`]: signed HTML forms.
//! 13. [`listing`]: responses to listings.
//! 14. [`sign_in`]: the sign-in and the sign-out.
//! 15. [`service_paths`]: the health check, the API documents and the assets.
//! 16. [`finish`]: CORS headers, compression and HEAD requests, as the last step of every response.

mod assets;
mod compress;
mod failure;
mod finish;
mod http;
mod instruction;
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
pub use failure::{RequestError, ServiceFailure};
pub use finish::{finish, preflight};
pub use instruction::{BulkResult, BulkResults, instruction};
pub use listing::listing;
pub use page::{delete_page, deleted, object_page};
pub use post_form::{post_form_json, post_form_page};
pub use problem::{failure, rejection};
pub use service_paths::{asset, document, health};
pub use share_link::share_link;
pub use sign_in::{clear_session, redirect_to_issuer, signed_in, signed_out, token_page};
