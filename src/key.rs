//! The object key: parsed once from a request path, written back as one, and never changed between.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// S3's limit on the length of a key, in bytes of UTF-8
/// ([Naming Amazon S3 objects](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)).
pub const MAX_KEY_BYTES: usize = 1024;

/// What stands unescaped in a query value: the unreserved characters of RFC 3986.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands unescaped in the path of a signed URL: `QUERY` and the slash, as `SigV4` wants for S3.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The segment below which paths name no objects.
pub(crate) const RESERVED: &str = "-/";

/// How a front spells the path that it delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEncoding {
    /// Percent-encoded, as the client sent it.
    Percent,
    /// Already decoded once by the front.
    Decoded,
}

/// The key of an S3 object.
///
/// Invariants: 1 to 1,024 bytes of UTF-8; no segment is `.` or `..`, because clients normalise such a `Location`
/// in different ways; no control character. Everything else is legal and kept byte for byte: `//`, a leading or
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

/// Why a path is not an object key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The path names no object.
    #[error("the object key is empty")]
    Empty,
    /// More than [`MAX_KEY_BYTES`].
    #[error("the object key has {bytes} bytes, and S3 allows {MAX_KEY_BYTES}")]
    TooLong {
        /// The length of the key in bytes.
        bytes: usize,
    },
    /// A `%` that does not start two hexadecimal digits.
    #[error("the path has a % that does not start two hexadecimal digits")]
    BadEscape,
    /// The decoded bytes are not UTF-8.
    #[error("the path does not decode to UTF-8")]
    NotUtf8,
    /// A segment is `.` or `..`.
    #[error("the object key has a segment that is `.` or `..`, which clients rewrite in different ways")]
    DotSegment,
    /// It begins with `-/`.
    #[error("no object can be reached below `-/`, which Signpost keeps for itself")]
    Reserved,
    /// A control character (Unicode category Cc).
    #[error("the object key has a control character")]
    ControlCharacter,
}

impl ObjectKey {
    /// Reads the key from a URL path: one leading `/` is dropped, and the rest is decoded as `encoding` says.
    pub fn from_path(path: &str, encoding: PathEncoding) -> Result<Self, KeyError> {
        Self::new(decode_path(path, encoding)?)
    }

    /// Takes `key` as it is.
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

    /// Takes `key` as it is, if there is a path for it: for keys that come by another way.
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

/// A key, or a part of one, as the end of a relative URL.
pub(crate) fn to_relative(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, PATH)
}

/// Drops one leading `/` and undoes the percent-encoding that the front left in place.
pub(crate) fn decode_path(path: &str, encoding: PathEncoding) -> Result<String, KeyError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    match encoding {
        PathEncoding::Decoded => Ok(path.to_owned()),
        PathEncoding::Percent => percent_decode(path),
    }
}

/// Percent-decodes once; `+` stays `+`.
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
