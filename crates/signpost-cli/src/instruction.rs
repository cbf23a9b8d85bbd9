//! What Signpost says is to be sent to S3.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use signpost::plan::PresignedUrl;

/// A request to S3, signed; it may be sent until it expires.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Instruction {
    pub(crate) method: String,
    #[serde(deserialize_with = "url")]
    pub(crate) url: PresignedUrl,
    /// What must be sent with it, verbatim.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The key, as Signpost decided on it.
    pub(crate) key: String,
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PresignedUrl, D::Error> {
    String::deserialize(deserializer).map(PresignedUrl::new)
}
