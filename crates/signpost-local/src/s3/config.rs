//! What the embedded S3 is told at its start.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

/// Where the embedded S3 keeps its data, what its bucket is called, and who may ask.
#[derive(Debug, Clone)]
pub struct EmbeddedS3Config {
    /// The folder of the data; made when missing.
    pub data: PathBuf,
    /// The bucket that exists from the start.
    pub bucket: String,
    /// The region that signatures must name.
    pub region: String,
    /// The credentials whose signatures are accepted.
    pub credentials: Vec<S3Credentials>,
    /// Whether they may list: otherwise a missing key is 403 and not 404, as on AWS.
    pub may_list: bool,
    /// The origin of the page that uses the bucket, beside those of this machine, while the bucket has no CORS
    /// configuration of its own.
    pub page: Option<String>,
}

/// One key pair, with a session token and an end when it is temporary.
#[derive(Clone)]
pub struct S3Credentials {
    /// The public half, named in every signature.
    pub access_key_id: String,
    /// The secret half, known to both sides.
    pub secret_access_key: SecretAccessKey,
    /// The token that temporary credentials must present.
    pub session_token: Option<String>,
    /// The moment from which nothing signed with them is accepted.
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

/// A secret access key, which its `Debug` never shows.
#[derive(Clone)]
pub struct SecretAccessKey(String);

impl SecretAccessKey {
    /// The secret itself.
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
        let shown = format!("{credentials:?}");
        assert!(shown.contains("AKIDEXAMPLE"), "{shown}");
        assert!(!shown.contains("the-secret") && !shown.contains("the-token"), "{shown}");
    }
}
