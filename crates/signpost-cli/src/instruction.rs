//! What Signpost says is to be sent to S3.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    /// In seconds, from when it was signed.
    expires_in: u64,
    #[serde(skip, default = "Instant::now")]
    received: Instant,
}

/// What a request may take to reach S3, at the most; of a short life a quarter.
const MARGIN: Duration = Duration::from_secs(5);

impl Instruction {
    /// Whether S3 will still take it. Only this machine's own clock is asked, and how much time has passed on it.
    pub(crate) fn is_fresh(&self) -> bool {
        let life = Duration::from_secs(self.expires_in);
        self.received.elapsed() + MARGIN.min(life / 4) < life
    }
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PresignedUrl, D::Error> {
    String::deserialize(deserializer).map(PresignedUrl::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_left_alone_shortly_before_it_expires() {
        let living = |seconds: u64, age: u64| {
            let told = format!("{{\"method\":\"GET\",\"url\":\"https://h/\",\"key\":\"k\",\"expires_in\":{seconds}}}");
            let mut instruction: Instruction = serde_json::from_str(&told).unwrap();
            instruction.received -= Duration::from_secs(age);
            instruction.is_fresh()
        };
        assert!(living(300, 0) && living(300, 294) && !living(300, 295));
        assert!(living(5, 3) && !living(5, 4));
    }
}
