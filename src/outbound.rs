//! Calls to other services: AWS, and providers of `OpenID` Connect.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`tls`]: the TLS configuration.
//! 2. [`connection`]: one connection to a server.
//! 3. [`connection_pool`]: the connections that no request uses.
//! 4. [`https_client`]: the HTTPS client.
//! 5. [`outbound_error`]: the errors of calls, and retries.
//! 6. [`refreshing`]: cached values that are renewed.
//! 7. [`oidc_provider`]: the keys and endpoints of `OpenID` Connect providers.
//! 8. [`id_lookup`]: the results of calls to the id table.
//! 9. [`aws`]: AWS services.
//! 10. [`id_table`]: the ids of objects and the uses of share links, in `DynamoDB` or in a folder.

pub mod aws;
mod connection;
mod connection_pool;
pub(crate) mod https_client;
pub(crate) mod id_lookup;
pub(crate) mod id_table;
pub(crate) mod oidc_provider;
pub(crate) mod outbound_error;
pub(crate) mod refreshing;
mod tls;
