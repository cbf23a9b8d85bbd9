//! What an argument names: an object or a prefix, by its URL or by its key at the service that is set.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use signpost::key::{ObjectKey, PathEncoding};

use crate::problem::Problem;
use crate::secret::Secret;

/// What cannot stand in the path of a URL; a `%` is looked at apart.
const UNUSABLE: &AsciiSet = &CONTROLS
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

/// Where an object or a prefix is. The share link stays out of everything that is printed or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    url: String,
    /// The share link by which it is reached.
    pub(crate) share: Option<Secret>,
}

impl Place {
    /// Reads a URL, or a key at the service whose URL is `base`.
    pub(crate) fn parse(text: &str, base: Option<&str>) -> Result<Self, Problem> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Self::from_url(text);
        }
        let base = base.ok_or_else(|| {
            Problem::usage(format!("{text:?} is a key, and no service is set"))
                .advising("Give the whole URL, or set SIGNPOST_URL to the URL of the service.")
        })?;
        let path = match text {
            "" | "/" => "/".to_owned(),
            key => ObjectKey::new(key)
                .map_err(|error| Problem::usage(error.to_string()))?
                .to_path(),
        };
        Self::from_url(&format!("{}{path}", base.trim_end_matches('/')))
    }

    fn from_url(text: &str) -> Result<Self, Problem> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains('@') {
            return Err(Problem::usage("the URL must name a host, and no user")
                .advising("Tokens come from --token-file, SIGNPOST_TOKEN or ~/.netrc."));
        }
        if address.contains('#') {
            return Err(Problem::usage(
                "a # begins a fragment, which is never sent; write it as %23",
            ));
        }
        let place = Self {
            url: format!("{scheme}://{authority}/{}", encode(path)),
            share: share(query)?,
        };
        let sent = reqwest::Url::parse(&place.url).map_err(|error| Problem::usage(format!("{text:?}: {error}")))?;
        if sent.path() != place.path() {
            return Err(Problem::usage(
                "the URL has a segment that is `.` or `..`, or a host that is none",
            ));
        }
        Ok(place)
    }

    /// Its URL, without a query.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is a prefix, and no object.
    pub(crate) fn is_prefix(&self) -> bool {
        self.url.ends_with('/')
    }

    /// The prefix of this name: with the slash at its end, typed or not.
    pub(crate) fn as_prefix(&self) -> Self {
        let slash = if self.is_prefix() { "" } else { "/" };
        Self {
            url: format!("{}{slash}", self.url),
            share: self.share.clone(),
        }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        self.url.split_at(self.path_start()).0
    }

    /// What stands after its last slash, decoded.
    pub(crate) fn name(&self) -> Option<String> {
        let (_, name) = self.url.rsplit_once('/')?;
        let key = ObjectKey::from_path(&format!("/{name}"), PathEncoding::Percent).ok()?;
        Some(key.as_str().to_owned())
    }

    /// The place of this name, or relative key, below this prefix.
    pub(crate) fn join(&self, name: &str) -> Result<Self, Problem> {
        let path = ObjectKey::new(name).map_err(|error| Problem::usage(format!("{name:?}: {error}")))?;
        Ok(Self {
            url: format!("{}{}", self.url.strip_suffix('/').unwrap_or(&self.url), path.to_path()),
            share: self.share.clone(),
        })
    }

    /// The URL of the service, when `key` is what Signpost calls this place.
    pub(crate) fn base(&self, key: &str) -> Option<&str> {
        let slashes = self.url.match_indices('/').map(|(at, _)| at);
        let names_key = |at: &usize| {
            ObjectKey::from_path(&self.url[*at..], PathEncoding::Percent).is_ok_and(|found| found.as_str() == key)
        };
        let start = slashes.filter(|at| *at >= self.path_start()).find(names_key)?;
        Some(&self.url[..start])
    }

    /// Whether the service of this URL has it.
    pub(crate) fn is_below(&self, base: &str) -> bool {
        self.url.strip_prefix(base).is_some_and(|path| path.starts_with('/'))
    }

    /// The key of this place at the service of this URL.
    pub(crate) fn key(&self, base: &str) -> Option<String> {
        let path = self.url.strip_prefix(base).filter(|path| path.starts_with('/'))?;
        let key = ObjectKey::from_path(path, PathEncoding::Percent).ok()?;
        Some(key.as_str().to_owned())
    }

    fn path(&self) -> &str {
        &self.url[self.path_start()..]
    }

    fn path_start(&self) -> usize {
        let authority = self.url.find("://").map_or(0, |at| at + 3);
        self.url[authority..]
            .find('/')
            .map_or(self.url.len(), |at| authority + at)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Escapes what cannot stand in a path, and leaves the escapes that are there.
fn encode(path: &str) -> String {
    let mut parts = path.split('%');
    let mut encoded = utf8_percent_encode(parts.next().unwrap_or_default(), UNUSABLE).to_string();
    for part in parts {
        let is_escape = part.len() > 1 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        encoded.push_str(if is_escape { "%" } else { "%25" });
        encoded.extend(utf8_percent_encode(part, UNUSABLE));
    }
    encoded
}

fn share(query: &str) -> Result<Option<Secret>, Problem> {
    match query.split_once('=') {
        _ if query.is_empty() => Ok(None),
        Some(("share", token)) if !token.contains(['&', '%']) => Ok(Some(Secret::new(token))),
        _ => Err(Problem::usage("the only query that a URL may have here is `?share=…`")
            .advising("Write a ? that belongs to the key as %3F.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_keys_name_places() {
        let base = Some("https://h/base/");
        for (text, url) in [
            ("https://h/a%20b", "https://h/a%20b"),
            ("https://h/a b", "https://h/a%20b"),
            ("https://h/100%", "https://h/100%25"),
            ("https://h/ä", "https://h/%C3%A4"),
            ("https://h", "https://h/"),
            ("https://h//a//b+c", "https://h//a//b+c"),
            ("a b+c?d", "https://h/base/a%20b%2Bc%3Fd"),
            ("", "https://h/base/"),
        ] {
            assert_eq!(Place::parse(text, base).unwrap().url(), url, "{text}");
        }
    }

    #[test]
    fn what_would_change_on_its_way_is_refused() {
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
            let problem = Place::parse(text, None).unwrap_err();
            assert_eq!(problem.ending, crate::report::Ending::Misused, "{text}");
            assert!(!problem.to_string().contains("secret"));
        }
    }

    #[test]
    fn the_base_is_what_stands_before_the_key() {
        let place = Place::parse("https://h/base/a+b/c%2Fd", None).unwrap();
        assert_eq!(place.base("a+b/c/d"), Some("https://h/base"));
        assert_eq!(place.base("base/a+b/c/d"), Some("https://h"));
        assert_eq!(place.base("other"), None);
    }

    #[test]
    fn a_share_link_is_never_shown() {
        let place = Place::parse("https://h/a?share=s3cret", None).unwrap();
        assert_eq!(place.share.as_ref().unwrap().expose(), "s3cret");
        assert!(!format!("{place} {place:?}").contains("s3cret"));
    }

    #[test]
    fn names_join_below_a_prefix() {
        let prefix = Place::parse("https://h/p/", None).unwrap();
        let place = prefix.join("a b/ü").unwrap();
        assert_eq!(place.url(), "https://h/p/a%20b/%C3%BC");
        assert_eq!(place.name().as_deref(), Some("ü"));
        assert!(prefix.is_prefix() && !place.is_prefix());
        assert!(prefix.join("../x").is_err());
        let odd = Place::parse("https://h/p//", None).unwrap();
        assert_eq!(odd.join("x").unwrap().url(), "https://h/p//x");
        assert_eq!(Place::parse("https://h/p", None).unwrap().as_prefix(), prefix);
        assert_eq!(prefix.key("https://h").as_deref(), Some("p/"));
        assert_eq!(prefix.key("https://h/p/x"), None);
        assert!(prefix.is_below("https://h") && !prefix.is_below("https://hh"));
    }
}
