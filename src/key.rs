//! The object key. It is parsed once from a request path, and never changes until it is written to a URL.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// S3's limit on the length of a key, in bytes of UTF-8
/// ([Naming Amazon S3 objects](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)).
pub const MAX_KEY_BYTES: usize = 1024;

/// The characters that are escaped in a query value: all but the unreserved characters of RFC 3986.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The characters that are escaped in the path of a signed URL: `QUERY` without the slash, as `SigV4` requires for S3.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The reserved prefix: paths below it do not name objects.
pub(crate) const RESERVED: &str = "-/";

/// The encoding of the path that a front delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEncoding {
    /// Percent-encoded, as the client sent it.
    Percent,
    /// Decoded once by the front.
    Decoded,
}

/// The key of an S3 object.
///
/// Invariants: 1 to 1,024 bytes of UTF-8; no segment is `.` or `..`, because clients normalise such a `Location`
/// in different ways; no control character. Everything else is valid and preserved byte for byte: `//`, a leading or
/// trailing `/`, `+`, `%`, spaces, any Unicode, unnormalised.
///
/// ```
/// use signpost::key::{KeyError, ObjectKey, PathEncoding};
///
/// let key = ObjectKey::from_path("/a%20b//c+d%2Fe", PathEncoding::Percent)?;
/// assert_eq!(key.as_str(), "a b//c+d/e");
/// assert_eq!(key.to_path(), "/a%20b//c%2Bd/e");
///
/// let decoded = ObjectKey::from_path("/100%25", PathEncoding::Decoded)?;
/// assert_eq!(decoded.as_str(), "100%25");
///
/// for (path, problem) in [
///     ("/", KeyError::Empty),
///     ("/a/%2e%2E/b", KeyError::DotSegment),
///     ("/a%2", KeyError::BadEscape),
///     ("/a%FF", KeyError::NotUtf8),
///     ("/a%0A", KeyError::ControlCharacter),
/// ] {
///     assert_eq!(ObjectKey::from_path(path, PathEncoding::Percent), Err(problem));
/// }
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// The reason why a path is not an object key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is empty.
    #[error("the object key is empty")]
    Empty,
    /// The key is longer than [`MAX_KEY_BYTES`].
    #[error("the object key has {bytes} bytes, and S3 allows {MAX_KEY_BYTES}")]
    TooLong {
        /// The length of the key in bytes.
        bytes: usize,
    },
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("the path has a % that is not followed by two hexadecimal digits")]
    BadEscape,
    /// The decoded bytes are not UTF-8.
    #[error("the path does not decode to UTF-8")]
    NotUtf8,
    /// A segment is `.` or `..`.
    #[error("the object key has a segment that is `.` or `..`, which clients rewrite in different ways")]
    DotSegment,
    /// The key begins with `-/`.
    #[error("object keys cannot begin with `-/`, which is reserved for Signpost")]
    Reserved,
    /// A control character (Unicode category Cc).
    #[error("the object key has a control character")]
    ControlCharacter,
}

impl ObjectKey {
    /// Parses the key from a URL path: removes one leading `/`, and decodes the rest according to `encoding`.
    pub fn from_path(path: &str, encoding: PathEncoding) -> Result<Self, KeyError> {
        Self::new(decode_path(path, encoding)?)
    }

    /// Creates a key from unescaped text.
    pub fn new(key: impl Into<String>) -> Result<Self, KeyError> {
        let key = key.into();
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong { bytes: key.len() });
        }
        if key.chars().any(char::is_control) {
            return Err(KeyError::ControlCharacter);
        }
        if key.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(KeyError::DotSegment);
        }
        Ok(Self(key))
    }

    /// Creates a key from unescaped text. Rejects keys that no path can name, for keys that do not come from a path.
    pub fn with_path(key: impl Into<String>) -> Result<Self, KeyError> {
        let key = Self::new(key)?;
        if key.0.starts_with(RESERVED) {
            return Err(KeyError::Reserved);
        }
        Ok(key)
    }

    /// The inverse of [`ObjectKey::from_path`] for percent-encoded paths: `/` and the escaped key.
    pub fn to_path(&self) -> String {
        format!("/{}", utf8_percent_encode(&self.0, PATH))
    }

    /// The key, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Escapes a key, or a part of a key, for a relative URL.
pub(crate) fn to_relative(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, PATH)
}

/// Removes one leading `/` and the percent-encoding that the front has not decoded.
pub(crate) fn decode_path(path: &str, encoding: PathEncoding) -> Result<String, KeyError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    match encoding {
        PathEncoding::Decoded => Ok(path.to_owned()),
        PathEncoding::Percent => percent_decode(path),
    }
}

/// Percent-decodes once. A `+` remains a `+`.
pub(crate) fn percent_decode(text: &str) -> Result<String, KeyError> {
    let bytes = text.as_bytes();
    let is_escape = |at: usize| {
        bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit) && bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit)
    };
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !is_escape(at)) {
        return Err(KeyError::BadEscape);
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| KeyError::NotUtf8)?.into_owned())
}
