//! The response of Signpost that describes a signed request to S3.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use signpost::plan::PresignedUrl;
use signpost::wire::InstructionBody;

/// A signed request to S3. It can be sent until it expires.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "InstructionBody")]
pub(crate) struct Instruction {
    pub(crate) method: String,
    pub(crate) url: PresignedUrl,
    /// The headers that must be sent, unchanged.
    pub(crate) headers: BTreeMap<String, String>,
    /// The key that Signpost signed the request for.
    pub(crate) key: String,
    /// The lifetime in seconds, from the time of signing.
    expires_in: u64,
    received_at: Instant,
}

/// The maximum time that a request may need to reach S3. For short lifetimes, a quarter of the lifetime is used
/// instead.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5);

impl From<InstructionBody> for Instruction {
    fn from(body: InstructionBody) -> Self {
        Self {
            method: body.method,
            url: body.url,
            headers: body.headers,
            key: body.key,
            expires_in: body.expires_in,
            received_at: Instant::now(),
        }
    }
}

impl Instruction {
    /// Returns true if S3 still accepts the URL. Only the elapsed time on this machine is compared, so clock skew has
    /// no effect.
    pub(crate) fn is_unexpired(&self) -> bool {
        let lifetime = Duration::from_secs(self.expires_in);
        self.received_at.elapsed() + EXPIRY_MARGIN.min(lifetime / 4) < lifetime
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_not_used_shortly_before_it_expires() {
        let living = |seconds: u64, age: u64| {
            let json = format!("{{\"method\":\"GET\",\"url\":\"https://h/\",\"key\":\"k\",\"expires_in\":{seconds}}}");
            let mut instruction: Instruction = serde_json::from_str(&json).unwrap();
            instruction.received_at -= Duration::from_secs(age);
            instruction.is_unexpired()
        };
        assert!(living(300, 0) && living(300, 294) && !living(300, 295));
        assert!(living(5, 3) && !living(5, 4));
    }
}
