//! CORS: the rules of a bucket, and default rules for a bucket without a CORS configuration.

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::store::records::CorsRule;

/// Represents every loopback origin. A rule cannot contain it by accident, because an origin has a scheme.
const LOOPBACK_ORIGINS: &str = "loopback";

const VARY_HEADERS: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// The reason for rejecting a preflight request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PreflightRejection {
    NoOrigin,
    NoMethod,
    NotAllowed,
    NotEnabled,
    NoSuchBucket,
}

impl PreflightRejection {
    /// Returns the rejection by a bucket that does not exist.
    pub(crate) fn of_missing_bucket(request: &HeaderMap) -> Self {
        match request.get(ORIGIN) {
            None => Self::NoOrigin,
            Some(_) => Self::NoSuchBucket,
        }
    }

    /// Returns the rejection by a bucket without a CORS configuration.
    pub(crate) fn without_configuration(self) -> Self {
        match self {
            Self::NoOrigin => Self::NoOrigin,
            _ => Self::NotEnabled,
        }
    }

    /// Returns the HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NoOrigin | Self::NoMethod => StatusCode::BAD_REQUEST,
            Self::NotAllowed | Self::NotEnabled | Self::NoSuchBucket => StatusCode::FORBIDDEN,
        }
    }

    /// Returns the error code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NoOrigin | Self::NoMethod => "BadRequest",
            Self::NotAllowed | Self::NotEnabled | Self::NoSuchBucket => "AccessForbidden",
        }
    }

    /// Returns the message of AWS, including its spelling.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::NoOrigin => "Insufficient information. Origin request header needed.",
            Self::NoMethod => "Invalid Access-Control-Request-Method: null",
            Self::NotEnabled => "CORSResponse: CORS is not enabled for this bucket.",
            Self::NoSuchBucket => "CORSResponse: Bucket not found",
            Self::NotAllowed => {
                "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
                 request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
                 whitelisted by the resource's CORS spec."
            }
        }
    }

    /// Returns the further elements of the error document.
    pub(crate) fn details(self, request: &HeaderMap) -> Vec<(&'static str, String)> {
        let requested = header_str(request, &ACCESS_CONTROL_REQUEST_METHOD);
        match self {
            Self::NoOrigin | Self::NoMethod => Vec::new(),
            Self::NoSuchBucket => vec![("Method", "OPTIONS".into()), ("ResourceType", "BUCKET".into())],
            Self::NotAllowed | Self::NotEnabled => {
                let method = requested.unwrap_or("OPTIONS").to_owned();
                let resource = if self == Self::NotEnabled { "BUCKET" } else { "OBJECT" };
                vec![("Method", method), ("ResourceType", resource.into())]
            }
        }
    }
}

/// Returns the response headers for a preflight request.
pub(crate) fn preflight_headers(rules: &[CorsRule], request: &HeaderMap) -> Result<HeaderMap, PreflightRejection> {
    let origin = header_str(request, &ORIGIN).ok_or(PreflightRejection::NoOrigin)?;
    let method = header_str(request, &ACCESS_CONTROL_REQUEST_METHOD).ok_or(PreflightRejection::NoMethod)?;
    let requested: Vec<_> = header_str(request, &ACCESS_CONTROL_REQUEST_HEADERS)
        .into_iter()
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    let rule = rules
        .iter()
        .find(|rule| matches_origin_and_method(rule, origin, method) && allows_headers(rule, &requested));
    let rule = rule.ok_or(PreflightRejection::NotAllowed)?;
    let mut headers = allow_headers(rule, origin);
    if !requested.is_empty() {
        insert_header(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, &requested.join(", "));
    }
    Ok(headers)
}

/// Returns the additional response headers for a request that is not a preflight.
pub(crate) fn response_headers(rules: &[CorsRule], request: &HeaderMap, method: &Method) -> HeaderMap {
    let rule = header_str(request, &ORIGIN).and_then(|origin| {
        rules
            .iter()
            .find(|rule| matches_origin_and_method(rule, origin, method.as_str()))
            .map(|rule| (rule, origin))
    });
    rule.map(|(rule, origin)| allow_headers(rule, origin))
        .unwrap_or_default()
}

/// Returns the rules of a bucket without a CORS configuration: allow loopback origins and `page_origins`.
pub(crate) fn default_rules(page_origins: Vec<String>) -> Arc<[CorsRule]> {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    Arc::new([CorsRule {
        allowed_origins: [LOOPBACK_ORIGINS.to_owned()].into_iter().chain(page_origins).collect(),
        allowed_methods: names(&["GET", "HEAD", "PUT", "POST", "DELETE"]),
        allowed_headers: names(&["*"]),
        expose_headers: names(&[
            "ETag",
            "Content-Range",
            "Accept-Ranges",
            "x-amz-version-id",
            "x-amz-request-id",
            "x-amz-delete-marker",
            "x-amz-checksum-crc32",
            "x-amz-checksum-crc32c",
            "x-amz-checksum-crc64nvme",
            "x-amz-checksum-sha1",
            "x-amz-checksum-sha256",
        ]),
        max_age_seconds: Some(3000),
        id: None,
    }])
}

fn matches_origin_and_method(rule: &CorsRule, origin: &str, method: &str) -> bool {
    let origins = &rule.allowed_origins;
    origins.iter().any(|pattern| {
        if pattern == LOOPBACK_ORIGINS {
            is_loopback(origin)
        } else {
            matches_wildcard(pattern, origin)
        }
    }) && rule.allowed_methods.iter().any(|allowed| allowed == method)
}

fn allows_headers(rule: &CorsRule, requested: &[String]) -> bool {
    let allows = |name: &String| {
        rule.allowed_headers
            .iter()
            .any(|pattern| matches_wildcard(&pattern.to_ascii_lowercase(), name))
    };
    requested.iter().all(allows)
}

fn allow_headers(rule: &CorsRule, origin: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let any = rule.allowed_origins.iter().any(|pattern| pattern == "*");
    insert_header(
        &mut headers,
        ACCESS_CONTROL_ALLOW_ORIGIN,
        if any { "*" } else { origin },
    );
    insert_header(
        &mut headers,
        ACCESS_CONTROL_ALLOW_METHODS,
        &rule.allowed_methods.join(", "),
    );
    if !rule.expose_headers.is_empty() {
        insert_header(
            &mut headers,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            &rule.expose_headers.join(", "),
        );
    }
    if !any {
        insert_header(
            &mut headers,
            HeaderName::from_static("access-control-allow-credentials"),
            "true",
        );
    }
    if let Some(seconds) = rule.max_age_seconds {
        insert_header(&mut headers, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    insert_header(&mut headers, VARY, VARY_HEADERS);
    headers
}

/// Returns the error message for a rule that S3 does not accept.
pub(crate) fn invalid_rule_message(rule: &CorsRule) -> Option<String> {
    const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];
    if let Some(method) = rule
        .allowed_methods
        .iter()
        .find(|method| !METHODS.contains(&method.as_str()))
    {
        return Some(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        ));
    }
    let patterns = [
        ("AllowedOrigin", &rule.allowed_origins),
        ("AllowedHeader", &rule.allowed_headers),
    ];
    patterns.into_iter().find_map(|(name, patterns)| {
        let pattern = patterns.iter().find(|pattern| pattern.matches('*').count() > 1)?;
        Some(format!("{name} \"{pattern}\" can not have more than one wildcard."))
    })
}

fn is_loopback(origin: &str) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let is_web = matches!(origin.scheme_str(), Some("http" | "https"));
    let host = origin
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let is_local = host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    is_web && is_local
}

/// Matches a pattern with at most one `*`, which represents any text, as in the rules of S3.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

fn header_str<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_origins_are_allowed_without_a_configuration() {
        let cases = [
            ("http://localhost:8080", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9:1", true),
            ("https://[::1]:3000", true),
            ("https://app.localhost", true),
            ("null", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("https://example.com", false),
            ("file://localhost", false),
        ];
        let rules = default_rules(Vec::new());
        for (origin, allowed) in cases {
            let mut request = HeaderMap::new();
            insert_header(&mut request, ORIGIN, origin);
            insert_header(&mut request, ACCESS_CONTROL_REQUEST_METHOD, "PUT");
            assert_eq!(preflight_headers(&rules, &request).is_ok(), allowed, "{origin}");
            assert_eq!(
                response_headers(&rules, &request, &Method::PUT).is_empty(),
                !allowed,
                "{origin}"
            );
        }
    }

    #[test]
    fn the_page_origin_is_allowed_and_no_other_origin_of_its_host() {
        let rules = default_rules(vec!["http://192.168.1.5:8080".into()]);
        for (origin, allowed) in [
            ("http://192.168.1.5:8080", true),
            ("http://192.168.1.5:8081", false),
            ("https://192.168.1.5:8080", false),
            ("http://192.168.1.5", false),
            ("http://192.168.1.6:8080", false),
        ] {
            let mut request = HeaderMap::new();
            insert_header(&mut request, ORIGIN, origin);
            assert_eq!(
                response_headers(&rules, &request, &Method::PUT).is_empty(),
                !allowed,
                "{origin}"
            );
        }
    }

    #[test]
    fn a_cors_configuration_replaces_the_default_rules() {
        let rule = CorsRule {
            allowed_origins: vec!["https://*.example.com".into()],
            allowed_methods: vec!["PUT".into()],
            allowed_headers: vec!["x-amz-*".into()],
            expose_headers: vec!["ETag".into()],
            ..CorsRule::default()
        };
        let rules = std::slice::from_ref(&rule);
        let cases = [
            ("https://a.example.com", "PUT", "x-amz-date, X-Amz-Meta-A", true),
            ("https://a.example.com", "PUT", "content-type", false),
            ("https://a.example.com", "DELETE", "", false),
            ("https://example.com", "PUT", "", false),
            ("http://localhost", "PUT", "", false),
        ];
        for (origin, method, headers, allowed) in cases {
            let mut request = HeaderMap::new();
            insert_header(&mut request, ORIGIN, origin);
            insert_header(&mut request, ACCESS_CONTROL_REQUEST_METHOD, method);
            insert_header(&mut request, ACCESS_CONTROL_REQUEST_HEADERS, headers);
            assert_eq!(
                preflight_headers(rules, &request).is_ok(),
                allowed,
                "{origin} {method} {headers}"
            );
        }
    }
}
