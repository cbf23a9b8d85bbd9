//! Signature Version 4
//! ([Create a signed request](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).
//!
//! The crate `aws-sigv4` derives the key and computes the signature. This module writes the text that is signed, in one
//! pass, and stores what does not change for a day.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::uri::Scheme;
use humantime::format_rfc3339_seconds;
use lru::LruCache;
use percent_encoding::utf8_percent_encode;
use sha2::{Digest, Sha256};

use crate::encoding::{hex, without_default_port};
use crate::key::QUERY;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Replaces the digest of the body in the signature of a URL.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The initial capacity of a URL. A session token alone has about 1,000 bytes.
const URL_CAPACITY: usize = 2048;

const SECONDS_OF_DAY: u64 = 24 * 60 * 60;

/// A name and a value.
type Pair<'a> = (&'a str, &'a str);

/// The region and the service in the scope of a signature.
#[derive(Clone, Copy)]
pub(super) struct SigningScope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// A request to S3 whose signature is in the URL.
pub(super) struct UrlRequest<'a> {
    pub(super) method: &'a str,
    /// Scheme and host.
    pub(super) origin: &'a str,
    /// The escaped path.
    pub(super) path: &'a [&'a str],
    /// The query, unescaped.
    pub(super) query: &'a [(String, String)],
    /// The signed headers besides `host`, by lower-case name.
    pub(super) headers: &'a [(String, String)],
}

/// A request whose signature is in a header.
pub(super) struct HeaderRequest<'a> {
    pub(super) method: &'a str,
    /// The path, which contains no character that must be escaped.
    pub(super) path: &'a str,
    /// All headers, by lower-case name. They include the date and the session token.
    pub(super) headers: Vec<Pair<'a>>,
    pub(super) body: &'a [u8],
}

/// Signs with the same credentials during one day.
pub(super) struct DailySigner {
    credentials: Credentials,
    region: String,
    service: String,
    /// The number of days since 1970.
    day: u64,
    /// The day as `20260710`.
    date: String,
    /// Day, region and service.
    scope: String,
    key: Vec<u8>,
    /// The value of `X-Amz-Credential`, escaped.
    credential: String,
    /// The session token, escaped.
    token: Option<String>,
}

/// The signers of the credentials that were used last.
#[derive(Clone)]
pub(super) struct SignerCache(Arc<Mutex<LruCache<String, Arc<DailySigner>>>>);

impl fmt::Debug for SignerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignerCache")
    }
}

impl SignerCache {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(capacity))))
    }

    /// Returns the signer of these credentials on the day of `time`.
    pub(super) fn get(&self, credentials: &Credentials, scope: SigningScope<'_>, time: SystemTime) -> Arc<DailySigner> {
        let mut signers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = signers.get(credentials.access_key_id())
            && signer.is_for(credentials, scope, time)
        {
            return Arc::clone(signer);
        }
        let signer = Arc::new(DailySigner::new(credentials, scope, time));
        signers.put(credentials.access_key_id().to_owned(), Arc::clone(&signer));
        signer
    }
}

impl DailySigner {
    fn new(credentials: &Credentials, scope: SigningScope<'_>, time: SystemTime) -> Self {
        let SigningScope { region, service } = scope;
        // 2026-07-10T19:19:04Z as 20260710.
        let date = format_rfc3339_seconds(time).to_string()[..10].replace('-', "");
        let scope = format!("{date}/{region}/{service}/aws4_request");
        let credential = format!("{}/{scope}", credentials.access_key_id());
        let key = generate_signing_key(credentials.secret_access_key(), time, region, service);
        Self {
            credentials: credentials.clone(),
            region: region.to_owned(),
            service: service.to_owned(),
            day: seconds(time) / SECONDS_OF_DAY,
            date,
            scope,
            key: key.as_ref().to_owned(),
            credential: escape(&credential).into_owned(),
            token: credentials.session_token().map(|token| escape(token).into_owned()),
        }
    }

    fn is_for(&self, credentials: &Credentials, scope: SigningScope<'_>, time: SystemTime) -> bool {
        let ours = &self.credentials;
        self.day == seconds(time) / SECONDS_OF_DAY
            && self.region == scope.region
            && self.service == scope.service
            && ours.access_key_id() == credentials.access_key_id()
            && ours.secret_access_key() == credentials.secret_access_key()
            && ours.session_token() == credentials.session_token()
    }

    /// Returns the time as in `X-Amz-Date`. It must be on the day of the signer.
    pub(super) fn date_time(&self, time: SystemTime) -> String {
        let second = u32::try_from(seconds(time) % SECONDS_OF_DAY).unwrap_or_default();
        let mut text = String::with_capacity(16);
        text.push_str(&self.date);
        text.push('T');
        for number in [second / 3600, second / 60 % 60, second % 60] {
            text.extend(
                [number / 10, number % 10]
                    .into_iter()
                    .filter_map(|digit| char::from_digit(digit, 10)),
            );
        }
        text.push('Z');
        text
    }

    /// Day, region and service, as in `X-Amz-Credential`.
    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    /// Returns the signature of a text that is not a request.
    pub(super) fn sign_text(&self, text: &str) -> String {
        calculate_signature(&self.key, text.as_bytes())
    }

    /// Returns the URL with the signature in its query, which is in the canonical order.
    pub(super) fn sign_url(&self, request: &UrlRequest<'_>, time: SystemTime, lifetime: Duration) -> String {
        let host = host_of(request.origin);
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = CanonicalHeaders::new(headers.chain([("host", host)]).collect());
        let mut url = String::with_capacity(URL_CAPACITY);
        url.push_str(request.origin);
        url.extend(request.path.iter().copied());
        let path_end = url.len();
        url.push('?');
        let date_time = self.date_time(time);
        self.push_query(&mut url, request.query, &date_time, lifetime, &headers);
        let mut digest = Sha256::new();
        for part in [
            request.method,
            "\n",
            &url[request.origin.len()..path_end],
            "\n",
            &url[path_end + 1..],
            "\n",
        ] {
            digest.update(part);
        }
        headers.update(&mut digest);
        digest.update(UNSIGNED_PAYLOAD);
        let signature = self.sign_digest(&date_time, digest);
        push_parameter(&mut url, "X-Amz-Signature", &signature);
        url
    }

    /// Writes the parameters of the request and those of the signature, sorted.
    fn push_query(
        &self,
        url: &mut String,
        query: &[(String, String)],
        date_time: &str,
        lifetime: Duration,
        headers: &CanonicalHeaders<'_>,
    ) {
        let own = query.iter().map(|(name, value)| (escape(name), escape(value)));
        let mut own: Vec<_> = own.collect();
        own.sort_unstable();
        let mut own = own
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .peekable();
        let expires = lifetime.as_secs().to_string();
        let names = escape(&headers.names);
        let signature = [
            Some(("X-Amz-Algorithm", ALGORITHM)),
            Some(("X-Amz-Credential", &self.credential)),
            Some(("X-Amz-Date", date_time)),
            Some(("X-Amz-Expires", &expires)),
            self.token.as_deref().map(|token| ("X-Amz-Security-Token", token)),
            Some(("X-Amz-SignedHeaders", &names)),
        ];
        for (name, value) in signature.into_iter().flatten() {
            while let Some((name, value)) = own.next_if(|own| *own < (name, value)) {
                push_parameter(url, name, value);
            }
            push_parameter(url, name, value);
        }
        own.for_each(|(name, value)| push_parameter(url, name, value));
    }

    /// Returns the value of the header `authorization`.
    pub(super) fn authorization(&self, request: HeaderRequest<'_>, date_time: &str) -> String {
        let headers = CanonicalHeaders::new(request.headers);
        let mut digest = Sha256::new();
        for part in [request.method, "\n", request.path, "\n\n"] {
            digest.update(part);
        }
        headers.update(&mut digest);
        digest.update(hex(&Sha256::digest(request.body)));
        let signature = self.sign_digest(date_time, digest);
        let (access_key_id, scope) = (self.credentials.access_key_id(), &self.scope);
        let names = &headers.names;
        format!("{ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    fn sign_digest(&self, date_time: &str, canonical: Sha256) -> String {
        let digest = hex(&canonical.finalize());
        self.sign_text(&[ALGORITHM, "\n", date_time, "\n", &self.scope, "\n", &digest].concat())
    }
}

/// The signed headers, sorted by name.
struct CanonicalHeaders<'a> {
    headers: Vec<Pair<'a>>,
    /// The names, separated by semicolons.
    names: String,
}

impl<'a> CanonicalHeaders<'a> {
    fn new(mut headers: Vec<Pair<'a>>) -> Self {
        // Stable, because the order of headers with the same name matters.
        headers.sort_by_key(|(name, _)| *name);
        let mut names = String::new();
        for header in headers.chunk_by(same_name) {
            if !names.is_empty() {
                names.push(';');
            }
            names.push_str(header[0].0);
        }
        Self { headers, names }
    }

    /// Adds the headers and their names to the digest of the canonical request.
    fn update(&self, digest: &mut Sha256) {
        for header in self.headers.chunk_by(same_name) {
            digest.update(header[0].0);
            let mut separator = ":";
            for (_, value) in header {
                digest.update(separator);
                digest.update(trimmed(value).as_bytes());
                separator = ",";
            }
            digest.update("\n");
        }
        for part in ["\n", &self.names, "\n"] {
            digest.update(part);
        }
    }
}

fn same_name((first, _): &Pair<'_>, (second, _): &Pair<'_>) -> bool {
    first == second
}

/// Returns the value without spaces at its ends, and with single spaces inside.
fn trimmed(value: &str) -> Cow<'_, str> {
    let value = value.trim_matches(' ');
    if !value.contains("  ") {
        return Cow::Borrowed(value);
    }
    let words = value.split(' ').filter(|word| !word.is_empty());
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// Returns the value of the header `host`: the host, and the port if it is not the default port of the scheme.
fn host_of(origin: &str) -> &str {
    let (scheme, authority) = origin.split_once("://").unwrap_or(("https", origin));
    let scheme = if scheme == "http" { Scheme::HTTP } else { Scheme::HTTPS };
    without_default_port(&scheme, authority)
}

fn push_parameter(url: &mut String, name: &str, value: &str) {
    if !url.ends_with('?') {
        url.push('&');
    }
    for part in [name, "=", value] {
        url.push_str(part);
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, QUERY).into()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: SigningScope<'_> = SigningScope {
        region: "eu-central-1",
        service: "s3",
    };

    fn credentials(secret: &str, token: Option<&str>) -> Credentials {
        Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test")
    }

    #[test]
    fn a_signer_is_used_again_only_for_the_same_credentials_scope_and_day() {
        let signers = SignerCache::new(NonZeroUsize::MIN);
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * SECONDS_OF_DAY + SECONDS_OF_DAY / 2);
        let own = credentials("secret", Some("token"));
        let after = |seconds: u64| noon + Duration::from_secs(seconds);
        let first = signers.get(&own, SCOPE, noon);
        let again = signers.get(&own, SCOPE, after(SECONDS_OF_DAY / 2 - 1));
        assert!(Arc::ptr_eq(&first, &again), "the same day");
        for (change, credentials, scope, time) in [
            ("the next day", &own, SCOPE, after(SECONDS_OF_DAY / 2)),
            ("the secret", &credentials("other", Some("token")), SCOPE, noon),
            ("the token", &credentials("secret", Some("other")), SCOPE, noon),
            ("no token", &credentials("secret", None), SCOPE, noon),
            (
                "the region",
                &own,
                SigningScope {
                    region: "eu-west-1",
                    ..SCOPE
                },
                noon,
            ),
            (
                "the service",
                &own,
                SigningScope {
                    service: "sts",
                    ..SCOPE
                },
                noon,
            ),
        ] {
            let first = signers.get(&own, SCOPE, noon);
            assert!(!Arc::ptr_eq(&first, &signers.get(credentials, scope, time)), "{change}");
        }
    }

    #[test]
    fn the_host_has_a_port_only_if_it_is_not_the_default_of_the_scheme() {
        for (origin, host) in [
            ("https://s3.example", "s3.example"),
            ("https://s3.example:443", "s3.example"),
            ("https://s3.example:80", "s3.example:80"),
            ("http://s3.example:80", "s3.example"),
            ("http://s3.example:443", "s3.example:443"),
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
        ] {
            assert_eq!(host_of(origin), host, "{origin}");
        }
    }
}
