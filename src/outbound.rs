//! Calls to other services: AWS, and providers of `OpenID` Connect.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`https_client`]: the HTTPS client.
//! 2. [`outbound_error`]: the errors of calls, and retries.
//! 3. [`refreshing`]: cached values that are renewed.
//! 4. [`oidc_provider`]: the keys and endpoints of `OpenID` Connect providers.
//! 5. [`id_lookup`]: the results of calls to the id table.
//! 6. [`aws`]: AWS services.
//! 7. [`id_table`]: the ids of objects and the uses of share links, in `DynamoDB` or in a folder.

pub mod aws;
pub(crate) mod https_client;
pub(crate) mod id_lookup;
pub(crate) mod id_table;
pub(crate) mod oidc_provider;
pub(crate) mod outbound_error;
pub(crate) mod refreshing;
