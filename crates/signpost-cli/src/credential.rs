//! The credential that Signpost is shown: from a file, the environment or `~/.netrc`, and never from the command line.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Variables;
use crate::problem::Problem;
use crate::secret::Secret;

/// What goes into `Authorization`, for Signpost alone: S3 refuses a request that has two credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Bearer(Secret),
    Basic { user: String, password: Secret },
}

impl Credential {
    /// The value of the header.
    pub(crate) fn header(&self) -> Secret {
        match self {
            Self::Bearer(token) => Secret::new(format!("Bearer {}", token.expose())),
            Self::Basic { user, password } => {
                let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
                Secret::new(format!("Basic {pair}"))
            }
        }
    }

    /// That of a file; `-` is standard input.
    pub(crate) fn of_file(file: &Path, stdin: &mut dyn Read) -> Result<Self, Problem> {
        token_of(Self::read(file, stdin)?.expose())
    }

    /// The text of one, as a file has it.
    pub(crate) fn read(file: &Path, stdin: &mut dyn Read) -> Result<Secret, Problem> {
        let mut text = String::new();
        let read = if file == Path::new("-") {
            stdin.read_to_string(&mut text)
        } else {
            std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text))
        };
        read.map_err(|error| Problem::io(format_args!("can't read the token from {}", file.display()), &error))?;
        Ok(Secret::new(text.trim()))
    }
}

/// Reads a token: the secret alone, or after its id and a colon.
pub(crate) fn token_of(text: &str) -> Result<Credential, Problem> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::usage("the token must be one word of visible ASCII"));
    }
    Ok(match token.split_once(':') {
        Some((user, password)) => Credential::Basic {
            user: user.to_owned(),
            password: Secret::new(password),
        },
        None => Credential::Bearer(Secret::new(token)),
    })
}

/// The token of the environment belongs to the service of the environment, where that is named.
pub(crate) fn for_service(origin: &str, variable: Variables) -> bool {
    variable("SIGNPOST_URL").is_none_or(|url| url == origin || url.starts_with(&format!("{origin}/")))
}

/// Whether nobody on the way can read what is sent there.
pub(crate) fn is_private(origin: &str) -> bool {
    origin.starts_with("https://") || is_here(host(origin))
}

/// Whether a host is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// [The file of ftp(1)](https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html), as far as it
/// names machines.
pub(crate) fn of_netrc(origin: &str, variable: Variables) -> Result<Option<Credential>, Problem> {
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".netrc"));
    let Some(file) = variable("NETRC").map(PathBuf::from).or(home) else {
        return Ok(None);
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(entry(&text, host(origin))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::io(format_args!("can't read {}", file.display()), &error)),
    }
}

fn entry(netrc: &str, host: &str) -> Option<Credential> {
    let words: Vec<_> = netrc.split_whitespace().collect();
    let start = words.windows(2).position(|pair| pair == ["machine", host])?;
    let (mut user, mut password) = (None, None);
    for pair in words[start + 2..].chunks_exact(2) {
        match pair[0] {
            "login" => user = Some(pair[1]),
            "password" => password = Some(pair[1]),
            "account" => {}
            _ => break,
        }
    }
    Some(Credential::Basic {
        user: user.unwrap_or_default().to_owned(),
        password: Secret::new(password?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic {
            user: user.into(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn a_token_alone_is_a_bearer_and_one_with_its_id_is_basic() {
        assert_eq!(token_of("abc\n"), Ok(Credential::Bearer(Secret::new("abc"))));
        assert_eq!(token_of("ci:abc"), Ok(basic("ci", "abc")));
        assert_eq!(basic("ci", "abc").header().expose(), "Basic Y2k6YWJj");
        for wrong in ["", " ", "a b", "ä"] {
            assert!(token_of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn netrc_is_read_for_the_host_alone() {
        let netrc = "machine a login x password 1\nmachine h\n  login y\n  password 2\nmachine b password 3";
        assert_eq!(entry(netrc, "a"), Some(basic("x", "1")));
        assert_eq!(entry(netrc, "h"), Some(basic("y", "2")));
        assert_eq!(entry(netrc, "b"), Some(basic("", "3")));
        assert_eq!(entry(netrc, "x"), None);
    }

    #[test]
    fn only_https_and_this_machine_are_private() {
        for origin in [
            "https://files.example.com",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:9",
        ] {
            assert!(is_private(origin), "{origin}");
        }
        assert!(!is_private("http://files.example.com"));
        assert!(!is_private("http://127.example.com.evil"));
    }

    #[test]
    fn the_token_of_the_environment_goes_to_its_own_service() {
        let at = |_: &str| Some("https://files.example.com/base".to_owned());
        assert!(for_service("https://files.example.com", at));
        assert!(!for_service("https://files.example.co", at));
        assert!(for_service("https://anywhere", |_| None));
    }
}
