//! A summary of the rules in use: counts, and whether share links and the sign-in are enabled.

use std::time::SystemTime;

use futures::FutureExt as _;
use signpost::auth::sign_in::SignInMethod;
use signpost::error::counted;
use signpost::policy::Policy;
use signpost::service::handler::Handler;

const NO_KEYS: &str = "off: SIGNPOST_KEYS is empty; create a key with `signpost key new`, without an argument";

/// A summary of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicySummary {
    rules: usize,
    tokens: usize,
    issuers: usize,
    /// The state of share links, with the reason if they are disabled.
    pub(crate) links: String,
    /// The state of the sign-in of the page, with the reason if it is disabled.
    pub(crate) sign_in: String,
}

impl PolicySummary {
    /// Summarizes the rules of a handler. Returns `None` if they are not stored locally, so that they have not been read yet.
    pub(crate) fn of_handler(handler: &Handler) -> Option<Self> {
        let policy = handler.policy(SystemTime::now()).now_or_never()??;
        Some(Self::new(&policy))
    }

    fn new(policy: &Policy) -> Self {
        let authenticators = &policy.authenticators;
        Self {
            rules: policy.len(),
            tokens: authenticators.tokens.len(),
            issuers: authenticators.issuers().count(),
            links: links(policy).to_owned(),
            sign_in: sign_in(policy),
        }
    }

    /// The counts, such as `6 rules, 3 tokens, 1 issuer`.
    pub(crate) fn counts(&self) -> String {
        [(self.rules, "rule"), (self.tokens, "token"), (self.issuers, "issuer")]
            .map(|(count, noun)| counted(count, noun))
            .join(", ")
    }
}

fn links(policy: &Policy) -> &'static str {
    let authenticators = &policy.authenticators;
    if authenticators.is_empty() {
        "off: the rules contain no [[token]] and no [[issuer]], and only identified users can create links"
    } else if authenticators.keys.is_empty() {
        NO_KEYS
    } else if policy.grants().all(|grant| grant.constraints.share.is_empty()) {
        "off: no rule has actions in `share`"
    } else {
        "on"
    }
}

fn sign_in(policy: &Policy) -> String {
    let authenticators = &policy.authenticators;
    let has_method =
        !authenticators.tokens.is_empty() || authenticators.oidc.iter().any(|issuer| issuer.client.is_some());
    match authenticators.sign_in_method() {
        Some(SignInMethod::Token) => "on, with a token".to_owned(),
        Some(SignInMethod::Issuer(issuer)) => format!("on, with the issuer {}", issuer.name),
        None if has_method => NO_KEYS.to_owned(),
        None => "off: the rules contain no [[token]], and no [[issuer]] with a `client_id`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(rules: &str, keys: &str) -> PolicySummary {
        let mut policy = Policy::parse(rules).unwrap();
        policy.authenticators.keys = keys.parse().unwrap();
        PolicySummary::new(&policy)
    }

    #[test]
    fn the_summary_counts_and_gives_the_reason_for_what_is_disabled() {
        const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let token = format!("[[token]]\nid = \"t\"\nsha256 = \"{}\"\n", "0".repeat(64));
        let rule = "[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n";
        let open = summary(&format!("version = 1\n{rule}"), KEYS);
        assert_eq!(open.counts(), "1 rule, 0 tokens, 0 issuers");
        assert!(
            open.links.contains("no [[token]]") && open.sign_in.contains("no [[token]]"),
            "{open:?}"
        );
        let without_keys = summary(&format!("version = 1\n{token}{rule}"), "");
        assert!(
            without_keys.links.contains("SIGNPOST_KEYS is empty"),
            "{without_keys:?}"
        );
        assert!(
            without_keys.sign_in.contains("SIGNPOST_KEYS is empty"),
            "{without_keys:?}"
        );
        let enabled = summary(&format!("version = 1\n{token}{rule}"), KEYS);
        assert_eq!(
            (enabled.links.as_str(), enabled.sign_in.as_str()),
            ("on", "on, with a token")
        );
        let unshared = summary(&format!("version = 1\n{token}{rule}share = []\n"), KEYS);
        assert!(
            unshared.links.contains("no rule has actions in `share`"),
            "{unshared:?}"
        );
    }
}
