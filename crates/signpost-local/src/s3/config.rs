//! The configuration of the embedded S3.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

/// The data directory, the bucket, and the accepted credentials of the embedded S3.
#[derive(Debug, Clone)]
pub struct EmbeddedS3Config {
    /// The data directory. It is created if it does not exist.
    pub data_dir: PathBuf,
    /// The bucket that is created at the start if it does not exist.
    pub bucket: String,
    /// The region that signatures must contain.
    pub region: String,
    /// The credentials whose signatures are accepted.
    pub credentials: Vec<S3Credentials>,
    /// True if the credentials are allowed to list. Otherwise a missing key returns 403 instead of 404, as on AWS.
    pub allow_listing: bool,
    /// The origins that may use the bucket in addition to loopback origins, if the bucket has no CORS configuration.
    pub page_origins: Vec<String>,
}

/// An access key. Temporary credentials also have a session token and an expiry.
#[derive(Clone)]
pub struct S3Credentials {
    /// The access key id, which every signature contains.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretAccessKey,
    /// The session token that requests with temporary credentials must contain.
    pub session_token: Option<String>,
    /// The time after which no signature of these credentials is accepted.
    pub expires_at: Option<SystemTime>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key)
            .field("session_token", &self.session_token.as_ref().map(|_| "[redacted]"))
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// A secret access key. Its `Debug` output is redacted.
#[derive(Clone)]
pub struct SecretAccessKey(String);

impl SecretAccessKey {
    /// Returns the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretAccessKey {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for SecretAccessKey {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_secret_nor_token() {
        let credentials = S3Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "the-secret".into(),
            session_token: Some("the-token".into()),
            expires_at: None,
        };
        let debug_text = format!("{credentials:?}");
        assert!(debug_text.contains("AKIDEXAMPLE"), "{debug_text}");
        assert!(
            !debug_text.contains("the-secret") && !debug_text.contains("the-token"),
            "{debug_text}"
        );
    }
}
