//! The TLS configuration of all connections.

use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An error of any type.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Trusts the certificate authorities of the system. Their certificates are read on first use, because that takes longer
/// than the rest of the start-up. The configuration also stores the TLS sessions that new connections resume.
#[derive(Default)]
pub(super) struct Tls(OnceLock<TlsConnector>);

impl Tls {
    pub(super) fn connector(&self) -> Result<&TlsConnector, BoxError> {
        if let Some(connector) = self.0.get() {
            return Ok(connector);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(system_roots()?)
            .with_no_client_auth();
        Ok(self.0.get_or_init(|| TlsConnector::from(Arc::new(config))))
    }
}

fn system_roots() -> Result<RootCertStore, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("the system trusts no certificate authority".into());
    }
    Ok(roots)
}
