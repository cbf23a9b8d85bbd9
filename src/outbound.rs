//! Calls to other services: AWS, OpenID Connect providers, and the HTTPS client that carries these calls.

pub mod aws;
pub(crate) mod https_client;
pub(crate) mod id_table;
pub(crate) mod oidc_provider;
