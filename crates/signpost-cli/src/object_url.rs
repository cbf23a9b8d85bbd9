//! The URL of an object or a prefix, from an argument that is a URL or a key.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use signpost::auth::share::ShareLink;
use signpost::key::{ObjectKey, PathEncoding};
use signpost::request::is_tracking_parameter;

use crate::operation_error::OperationError;
use crate::secret_text::SecretText;

/// The characters that are not allowed in the path of a URL. `%` is handled separately.
const PATH_ESCAPES: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The URL of an object or a prefix. The share token is never printed or stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectUrl {
    url: String,
    /// The token of the share link.
    pub(crate) share_token: Option<SecretText>,
}

impl ObjectUrl {
    /// Parses a URL, or a key at the service with the URL `base`.
    pub(crate) fn parse(text: &str, base: Option<&str>) -> Result<Self, OperationError> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Self::from_url(text);
        }
        let base = base.ok_or_else(|| {
            OperationError::usage(format!("{text:?} is a key, but no service is configured"))
                .with_remedy("Give the complete URL, or set SIGNPOST_URL to the URL of the service.")
        })?;
        let path = match text {
            "" | "/" => "/".to_owned(),
            key => ObjectKey::new(key)
                .map_err(|error| OperationError::usage(error.to_string()))?
                .to_path(),
        };
        Self::from_url(&format!("{}{path}", base.trim_end_matches('/')))
    }

    fn from_url(text: &str) -> Result<Self, OperationError> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains('@') {
            return Err(OperationError::usage("the URL must have a host and no user name")
                .with_remedy("Use --token-file, SIGNPOST_TOKEN or ~/.netrc for the token."));
        }
        if address.contains('#') {
            return Err(OperationError::usage(
                "a # starts a fragment, which is never sent; write it as %23",
            ));
        }
        let path = format!("/{}", encode_path(path));
        let sent = reqwest::Url::parse(&format!("{scheme}://{authority}{path}"))
            .map_err(|error| OperationError::usage(format!("{text:?}: {error}")))?;
        if sent.path() != path {
            return Err(OperationError::usage(
                "the URL has a `.` or `..` segment, or an invalid host",
            ));
        }
        Ok(Self {
            url: format!("{}{path}", sent.origin().ascii_serialization()),
            share_token: share_token(query)?,
        })
    }

    /// The content of the share link. It is not verified, because only the service can do that.
    pub(crate) fn share_link(&self) -> Option<ShareLink> {
        let payload = self.share_token.as_ref()?.expose().split('.').nth(1)?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// Returns true if the share link can be used only a limited number of times.
    pub(crate) fn has_limited_uses(&self) -> bool {
        self.share_link().is_some_and(|link| link.uses.is_some())
    }

    /// The URL, without a query.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns true if the URL is a prefix, not an object.
    pub(crate) fn is_prefix(&self) -> bool {
        self.url.ends_with('/')
    }

    /// The URL with a slash at the end.
    pub(crate) fn as_prefix(&self) -> Self {
        let slash = if self.is_prefix() { "" } else { "/" };
        Self {
            url: format!("{}{slash}", self.url),
            share_token: self.share_token.clone(),
        }
    }

    /// The scheme, host and port, in the form that browsers compare: in lower case, and without the default port.
    pub(crate) fn origin(&self) -> &str {
        self.url.split_at(self.path_start()).0
    }

    /// The decoded text after the last slash.
    pub(crate) fn last_segment(&self) -> Option<String> {
        let (_, name) = self.url.rsplit_once('/')?;
        let key = ObjectKey::from_path(&format!("/{name}"), PathEncoding::Percent).ok()?;
        Some(key.as_str().to_owned())
    }

    /// The URL of this name, or relative key, below this prefix.
    pub(crate) fn join(&self, name: &str) -> Result<Self, OperationError> {
        let path = ObjectKey::new(name).map_err(|error| OperationError::usage(format!("{name:?}: {error}")))?;
        Ok(Self {
            url: format!("{}{}", self.url.strip_suffix('/').unwrap_or(&self.url), path.to_path()),
            share_token: self.share_token.clone(),
        })
    }

    /// The URL of the service, if the URL of this object ends in `key`.
    pub(crate) fn base_for_key(&self, key: &str) -> Option<&str> {
        let slashes = self.url.match_indices('/').map(|(at, _)| at);
        let matches_key = |at: &usize| {
            ObjectKey::from_path(&self.url[*at..], PathEncoding::Percent).is_ok_and(|parsed| parsed.as_str() == key)
        };
        let start = slashes.filter(|at| *at >= self.path_start()).find(matches_key)?;
        // An HTTP API merges slashes, so `//a` arrives as `a`, which is another object.
        Some(&self.url[..start]).filter(|base| !base.ends_with('/'))
    }

    /// Returns true if the object is at the service with this URL.
    pub(crate) fn is_at_service(&self, base: &str) -> bool {
        self.url.strip_prefix(base).is_some_and(|path| path.starts_with('/'))
    }

    /// The key of this object at the service with this URL.
    pub(crate) fn key_at(&self, base: &str) -> Option<String> {
        let path = self.url.strip_prefix(base).filter(|path| path.starts_with('/'))?;
        let key = ObjectKey::from_path(path, PathEncoding::Percent).ok()?;
        Some(key.as_str().to_owned())
    }

    fn path_start(&self) -> usize {
        let authority = self.url.find("://").map_or(0, |at| at + 3);
        self.url[authority..]
            .find('/')
            .map_or(self.url.len(), |at| authority + at)
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Escapes the characters that are not allowed in a path, and preserves existing escapes.
fn encode_path(path: &str) -> String {
    let mut parts = path.split('%');
    let mut encoded = utf8_percent_encode(parts.next().unwrap_or_default(), PATH_ESCAPES).to_string();
    for part in parts {
        let is_escape = part.len() > 1 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        encoded.push_str(if is_escape { "%" } else { "%25" });
        encoded.extend(utf8_percent_encode(part, PATH_ESCAPES));
    }
    encoded
}

fn share_token(query: &str) -> Result<Option<SecretText>, OperationError> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let known: Vec<_> = pairs
        .filter(|(name, _)| !name.is_empty() && !is_tracking_parameter(name))
        .collect();
    match known[..] {
        [] => Ok(None),
        [("share", token)] if !token.contains('%') => Ok(Some(SecretText::new(token))),
        _ => Err(OperationError::usage("the only supported query is `?share=…`")
            .with_remedy("If the ? is part of the key, write it as %3F.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_keys_are_parsed() {
        let base = Some("https://h/base/");
        for (text, url) in [
            ("https://h/a%20b", "https://h/a%20b"),
            ("https://h/a b", "https://h/a%20b"),
            ("https://h/100%", "https://h/100%25"),
            ("https://h/ä", "https://h/%C3%A4"),
            ("https://h", "https://h/"),
            ("https://H.Example:443/A", "https://h.example/A"),
            ("http://h:80/a:80", "http://h/a:80"),
            ("https://h:80/a", "https://h:80/a"),
            ("http://[::1]:80/a", "http://[::1]/a"),
            ("https://h//a//b+c", "https://h//a//b+c"),
            ("https://h/a?utm_source=x&fbclid=y%20z&_=1", "https://h/a"),
            ("https://h/a?gclid&share=t&utm_term=", "https://h/a"),
            ("a b+c?d", "https://h/base/a%20b%2Bc%3Fd"),
            ("", "https://h/base/"),
        ] {
            assert_eq!(ObjectUrl::parse(text, base).unwrap().url(), url, "{text}");
        }
    }

    #[test]
    fn urls_that_clients_would_change_are_rejected() {
        for text in [
            "key",
            "https://",
            "https://user:secret@h/a",
            "https://h/a#b",
            "https://h/a/../b",
            "https://h/a/%2e%2E/b",
            "https://h/a?b",
            "https://h/a?share=b&c=d",
        ] {
            let error = ObjectUrl::parse(text, None).unwrap_err();
            assert_eq!(error.exit_status, crate::exit_status::ExitStatus::Usage, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn the_base_url_is_the_part_before_the_key() {
        let object_url = ObjectUrl::parse("https://h/base/a+b/c%2Fd", None).unwrap();
        assert_eq!(object_url.base_for_key("a+b/c/d"), Some("https://h/base"));
        assert_eq!(object_url.base_for_key("base/a+b/c/d"), Some("https://h"));
        assert_eq!(object_url.base_for_key("other"), None);
        let leading = ObjectUrl::parse("https://h//a//b", None).unwrap();
        assert_eq!(leading.base_for_key("/a//b"), Some("https://h"));
        for merged in ["a/b", "a//b", "/a/b", "b"] {
            assert_eq!(leading.base_for_key(merged), None, "{merged}");
        }
    }

    #[test]
    fn a_share_token_is_never_printed() {
        let object_url = ObjectUrl::parse("https://h/a?share=s3cret", None).unwrap();
        assert_eq!(object_url.share_token.as_ref().unwrap().expose(), "s3cret");
        assert!(!format!("{object_url} {object_url:?}").contains("s3cret"));
    }

    #[test]
    fn names_join_below_a_prefix() {
        let prefix = ObjectUrl::parse("https://h/p/", None).unwrap();
        let object_url = prefix.join("a b/ü").unwrap();
        assert_eq!(object_url.url(), "https://h/p/a%20b/%C3%BC");
        assert_eq!(object_url.last_segment().as_deref(), Some("ü"));
        assert!(prefix.is_prefix() && !object_url.is_prefix());
        assert!(prefix.join("../x").is_err());
        let odd = ObjectUrl::parse("https://h/p//", None).unwrap();
        assert_eq!(odd.join("x").unwrap().url(), "https://h/p//x");
        assert_eq!(ObjectUrl::parse("https://h/p", None).unwrap().as_prefix(), prefix);
        assert_eq!(prefix.key_at("https://h").as_deref(), Some("p/"));
        assert_eq!(prefix.key_at("https://h/p/x"), None);
        assert!(prefix.is_at_service("https://h") && !prefix.is_at_service("https://hh"));
    }
}
