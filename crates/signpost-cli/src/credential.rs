//! The credential for Signpost: from a file, the environment or `~/.netrc`, but never from the command line.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::VariableReader;
use crate::operation_error::OperationError;
use crate::secret_text::SecretText;

/// The value of the `Authorization` header. It is sent only to Signpost: S3 rejects a request with two credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServiceCredential {
    Bearer(SecretText),
    Basic { user: String, password: SecretText },
}

impl ServiceCredential {
    /// The header value.
    pub(crate) fn header(&self) -> SecretText {
        match self {
            Self::Bearer(token) => SecretText::new(format!("Bearer {}", token.expose())),
            Self::Basic { user, password } => {
                let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
                SecretText::new(format!("Basic {pair}"))
            }
        }
    }

    /// Returns true if this is a generated token, and not a JSON Web Token of an issuer.
    pub(crate) fn is_generated(&self) -> bool {
        match self {
            Self::Bearer(token) => token.expose().split('.').count() != 3,
            Self::Basic { .. } => true,
        }
    }

    /// Reads the credential from a file; `-` is standard input.
    pub(crate) fn from_file(file: &Path, stdin: &mut dyn Read) -> Result<Self, OperationError> {
        parse_token(Self::read_token(file, stdin)?.expose())
    }

    /// Reads the token text from a file.
    pub(crate) fn read_token(file: &Path, stdin: &mut dyn Read) -> Result<SecretText, OperationError> {
        let mut text = String::new();
        let read = if file == Path::new("-") {
            stdin.read_to_string(&mut text)
        } else {
            std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text))
        };
        read.map_err(|error| {
            OperationError::io(format_args!("failed to read the token from {}", file.display()), &error)
        })?;
        Ok(SecretText::new(text.trim()))
    }
}

/// Parses a token: the secret, or `ID:SECRET`.
pub(crate) fn parse_token(text: &str) -> Result<ServiceCredential, OperationError> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(OperationError::usage(
            "the token must be one word of printable ASCII characters",
        ));
    }
    Ok(match token.split_once(':') {
        Some((user, password)) => ServiceCredential::Basic {
            user: user.to_owned(),
            password: SecretText::new(password),
        },
        None => ServiceCredential::Bearer(SecretText::new(token)),
    })
}

/// Returns true if `SIGNPOST_TOKEN` belongs to this service: it belongs to the service of `SIGNPOST_URL`, if that is
/// set.
pub(crate) fn token_matches_service(origin: &str, variable: VariableReader) -> bool {
    variable("SIGNPOST_URL").is_none_or(|url| has_origin(&url, origin))
}

/// Returns true if a URL has this origin, which is in lower case and has no default port.
pub(crate) fn has_origin(url: &str, origin: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| url.origin().ascii_serialization() == origin)
}

/// Returns true if the connection cannot be read by others: it uses TLS, or stays on this machine.
pub(crate) fn is_secure_origin(origin: &str) -> bool {
    origin.starts_with("https://") || is_loopback(origin_host(origin))
}

/// Returns true if the host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn origin_host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Reads [the `.netrc` file of
/// ftp(1)](https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html). Only `machine` entries
/// are supported.
pub(crate) fn netrc_credential(
    origin: &str,
    variable: VariableReader,
) -> Result<Option<ServiceCredential>, OperationError> {
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".netrc"));
    let Some(file) = variable("NETRC").map(PathBuf::from).or(home) else {
        return Ok(None);
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(netrc_entry(&text, origin_host(origin))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OperationError::io(
            format_args!("failed to read {}", file.display()),
            &error,
        )),
    }
}

fn netrc_entry(netrc: &str, host: &str) -> Option<ServiceCredential> {
    let words: Vec<_> = netrc.split_whitespace().collect();
    let start = words
        .windows(2)
        .position(|pair| pair[0] == "machine" && pair[1].eq_ignore_ascii_case(host))?;
    let (mut user, mut password) = (None, None);
    for pair in words[start + 2..].chunks_exact(2) {
        match pair[0] {
            "login" => user = Some(pair[1]),
            "password" => password = Some(pair[1]),
            "account" => {}
            _ => break,
        }
    }
    Some(ServiceCredential::Basic {
        user: user.unwrap_or_default().to_owned(),
        password: SecretText::new(password?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> ServiceCredential {
        ServiceCredential::Basic {
            user: user.into(),
            password: SecretText::new(password),
        }
    }

    #[test]
    fn a_secret_is_sent_as_bearer_and_a_token_with_an_id_as_basic() {
        assert_eq!(
            parse_token("abc\n"),
            Ok(ServiceCredential::Bearer(SecretText::new("abc")))
        );
        assert_eq!(parse_token("ci:abc"), Ok(basic("ci", "abc")));
        assert_eq!(basic("ci", "abc").header().expose(), "Basic Y2k6YWJj");
        for wrong in ["", " ", "a b", "ä"] {
            assert!(parse_token(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_netrc_entry_of_the_host_is_used() {
        let netrc = "machine a login x password 1\nmachine h\n  login y\n  password 2\nmachine b password 3";
        assert_eq!(netrc_entry(netrc, "a"), Some(basic("x", "1")));
        assert_eq!(netrc_entry(netrc, "h"), Some(basic("y", "2")));
        assert_eq!(netrc_entry(netrc, "b"), Some(basic("", "3")));
        assert_eq!(netrc_entry(netrc, "x"), None);
    }

    #[test]
    fn only_https_and_loopback_origins_are_secure() {
        for origin in [
            "https://files.example.com",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:9",
        ] {
            assert!(is_secure_origin(origin), "{origin}");
        }
        assert!(!is_secure_origin("http://files.example.com"));
        assert!(!is_secure_origin("http://127.example.com.evil"));
    }

    #[test]
    fn the_environment_token_is_used_only_for_its_own_service() {
        let at = |_: &str| Some("https://files.example.com/base".to_owned());
        assert!(token_matches_service("https://files.example.com", at));
        assert!(!token_matches_service("https://files.example.co", at));
        assert!(token_matches_service("https://anywhere", |_| None));
    }

    #[test]
    fn an_origin_has_no_default_port_and_is_in_lower_case() {
        for (url, is_same) in [
            ("https://files.example.com:443", true),
            ("HTTPS://Files.Example.com/base", true),
            ("http://files.example.com:443", false),
            ("https://files.example.com:444", false),
            ("https://files.example.com.evil", false),
            ("files.example.com", false),
        ] {
            assert_eq!(has_origin(url, "https://files.example.com"), is_same, "{url}");
        }
    }
}
