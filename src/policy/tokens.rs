//! The `[[token]]` tables of a rules file.

use std::collections::BTreeSet;

use http::HeaderName;
use serde::Deserialize;

use super::errors::{RulesError, invalid};
use super::field_types::{List, Text, TextOrList};
use super::identifiers::{check_id, check_unique};
use crate::auth::{Token, TokenDigest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenTable {
    id: Text,
    sha256: TextOrList,
    #[serde(default)]
    groups: List<Text>,
}

/// The SHA-256 digests of the empty text and of a newline. A script creates them if its random source fails.
const EMPTY_DIGESTS: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

/// Parses and checks the tokens.
pub(super) fn parse(tables: Vec<TokenTable>) -> Result<Vec<Token>, RulesError> {
    let (mut ids, mut digests) = (BTreeSet::new(), BTreeSet::new());
    let tokens = tables.into_iter().map(|table| {
        let place = format!("token {:?}", &*table.id);
        table.into_token(&mut ids, &mut digests).map_err(invalid(&place))
    });
    tokens.collect()
}

/// The beginnings of headers that the fronts, S3 or browsers define.
const DEFINED_HEADERS: [&str; 6] = [
    "x-amz-",
    "x-amzn-",
    "x-forwarded-",
    "x-http-method",
    "x-method-override",
    "x-requested-with",
];

/// Headers of browsers, which announce a prefetch.
const PREFETCH_HEADERS: [&str; 2] = ["x-moz", "x-purpose"];

/// Parses the name of the header that can contain a token. It must begin with `X-`, so that it is not a header with
/// another meaning.
pub(super) fn parse_header_name(text: &str) -> Result<HeaderName, String> {
    let invalid = || format!("token_header: {text:?} must be a header name such as X-Signpost-Token");
    let name: HeaderName = text.parse().map_err(|_| invalid())?;
    let is_own = name.as_str().len() > 2 && name.as_str().starts_with("x-");
    let is_defined = DEFINED_HEADERS.iter().any(|defined| name.as_str().starts_with(defined));
    if !is_own {
        return Err(invalid());
    }
    if is_defined || PREFETCH_HEADERS.contains(&name.as_str()) {
        return Err(format!(
            "token_header: {text:?} has another meaning; use a name such as X-Signpost-Token"
        ));
    }
    Ok(name)
}

impl TokenTable {
    fn into_token(self, ids: &mut BTreeSet<String>, digests: &mut BTreeSet<String>) -> Result<Token, String> {
        check_id(&self.id)?;
        check_unique(ids, &self.id)?;
        let own = self.sha256.0.iter().map(|digest| parse_digest(digest, digests));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        if own.is_empty() {
            return Err("sha256: the list is empty, so nobody can use the token; remove the token instead".into());
        }
        if self.groups.iter().any(|group| group.is_empty() || group.contains('/')) {
            return Err("groups: a group name must not be empty or contain `/`".into());
        }
        Ok(Token {
            digests: own,
            groups: self.groups.texts(),
            id: self.id.into_string(),
        })
    }
}

/// Parses a digest that is not in `digests` yet, and adds it.
fn parse_digest(text: &str, digests: &mut BTreeSet<String>) -> Result<TokenDigest, String> {
    let digest = text.to_ascii_lowercase();
    if EMPTY_DIGESTS.contains(&digest.as_str()) {
        return Err("sha256: this is the digest of an empty secret".into());
    }
    let parsed = digest.parse().map_err(|error| format!("sha256: {error}"))?;
    if digests.insert(digest) {
        Ok(parsed)
    } else {
        Err("sha256: this token or another token contains the same digest".into())
    }
}
