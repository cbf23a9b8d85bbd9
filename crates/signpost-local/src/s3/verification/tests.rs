//! Tests the verification with requests of AWS's own signer at fixed times.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{Request, StatusCode};

use super::{AuthMechanism, RequestVerifier, S3Rejection};
use crate::s3::S3Credentials;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn test_verifier() -> RequestVerifier {
    let permanent = S3Credentials {
        access_key_id: KEY.into(),
        secret_access_key: SECRET.into(),
        session_token: None,
        expires_at: None,
    };
    let temporary = S3Credentials {
        access_key_id: "ASIAEXAMPLE".into(),
        session_token: Some("token+/=".into()),
        expires_at: Some(noon() + Duration::from_mins(10)),
        ..permanent.clone()
    };
    RequestVerifier::new("eu-central-1".into(), vec![permanent, temporary])
}

/// The parameters of a signed request. The defaults are valid.
#[derive(Clone)]
struct SigningInput {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    key: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
    region: &'static str,
    expires: u64,
    location: SignatureLocation,
}

impl Default for SigningInput {
    fn default() -> Self {
        Self {
            method: "GET",
            target: "/bucket/key",
            headers: Vec::new(),
            key: KEY,
            secret: SECRET,
            token: None,
            region: "eu-central-1",
            expires: 300,
            location: SignatureLocation::QueryParams,
        }
    }
}

impl SigningInput {
    fn request(&self) -> Parts {
        let uri = format!("http://127.0.0.1:9000{}", self.target);
        let credentials = Credentials::new(self.key, self.secret, self.token.map(String::from), None, "test");
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.signature_location = self.location;
        if self.location == SignatureLocation::QueryParams {
            settings.expires_in = Some(Duration::from_secs(self.expires));
        } else {
            settings.payload_checksum_kind = aws_sigv4::http_request::PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("s3")
            .time(noon())
            .settings(settings)
            .build()
            .expect("complete parameters")
            .into();
        let headers = self.headers.iter().copied();
        let signable = SignableRequest::new(self.method, uri.as_str(), headers, SignableBody::UnsignedPayload);
        let (instructions, _) = sign(signable.expect("a signable request"), &parameters)
            .expect("signed")
            .into_parts();
        let mut request = Request::builder()
            .method(self.method)
            .uri(&uri)
            .header("host", "127.0.0.1:9000");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        instructions.apply_to_request_http1x(&mut request);
        let (mut head, ()) = request.into_parts();
        head.uri = head
            .uri
            .path_and_query()
            .expect("a target")
            .as_str()
            .parse()
            .expect("a target");
        head
    }
}

fn admit(head: &mut Parts) -> Result<(), S3Rejection> {
    test_verifier().verify_request(head, noon()).map(|_| ())
}

fn code(result: Result<(), S3Rejection>) -> (u16, String) {
    let rejection = result.expect_err("a refusal");
    rejection.with_body(|body| (body.status.as_u16(), body.code.to_owned()))
}

fn change_target(head: &mut Parts, change: impl Fn(&str) -> String) {
    head.uri = change(&head.uri.to_string()).parse().expect("a target");
}

#[test]
fn requests_of_the_aws_signer_are_accepted() {
    let targets = [
        "/bucket/key",
        "/bucket/a//b",
        "/bucket//lead",
        "/bucket/trail/",
        "/bucket/sp%20ace",
        "/bucket/pl%2Bus",
        "/bucket/per%2525cent",
        "/bucket/%F0%9F%98%80",
        "/bucket/q%3Fm%26e%3D",
        "/bucket/key?partNumber=1&uploadId=abc",
        "/bucket/key?x-signpost=r.u.rule",
        "/bucket/key?response-content-disposition=attachment%3B%20filename%3D%22a%20b%22",
        "/bucket/key?If-None-Match=%2A",
    ];
    for target in targets {
        for location in [SignatureLocation::QueryParams, SignatureLocation::Headers] {
            let result = admit(
                &mut SigningInput {
                    target,
                    location,
                    ..SigningInput::default()
                }
                .request(),
            );
            assert_eq!(result, Ok(()), "{target} {location:?}");
        }
    }
}

#[test]
fn a_tampered_request_is_rejected() {
    type TamperFn = fn(&mut Parts);
    let tampers: [(&str, TamperFn); 8] = [
        ("method", |head| head.method = http::Method::HEAD),
        ("key", |head| {
            change_target(head, |target| target.replace("/bucket/key", "/bucket/kez"));
        }),
        ("bucket", |head| {
            change_target(head, |target| target.replace("/bucket/", "/other/"));
        }),
        ("added parameter", |head| {
            change_target(head, |target| format!("{target}&versionId=1"));
        }),
        ("changed parameter", |head| {
            change_target(head, |target| target.replace("Expires=300", "Expires=301"));
        }),
        ("removed parameter", |head| {
            change_target(head, |target| target.replace("x-signpost=1&", ""));
        }),
        ("signature", |head| {
            change_target(head, |target| {
                let (rest, last) = target.split_at(target.len() - 1);
                format!("{rest}{}", if last == "0" { "1" } else { "0" })
            });
        }),
        ("host", |head| {
            head.headers.insert("host", "127.0.0.1:9001".parse().expect("a host"));
        }),
    ];
    for (what, tamper) in tampers {
        let mut head = SigningInput {
            target: "/bucket/key?x-signpost=1",
            ..SigningInput::default()
        }
        .request();
        tamper(&mut head);
        assert_eq!(code(admit(&mut head)), (403, "SignatureDoesNotMatch".into()), "{what}");
    }
}

#[test]
fn changed_signed_headers_are_rejected() {
    let signing = SigningInput {
        method: "PUT",
        headers: vec![("content-length", "5"), ("content-type", "text/plain")],
        ..SigningInput::default()
    };
    assert_eq!(admit(&mut signing.request()), Ok(()));
    for (name, value) in [
        ("content-length", Some("6")),
        ("content-type", Some("text/html")),
        ("content-type", None),
    ] {
        let mut head = signing.request();
        match value {
            Some(value) => drop(head.headers.insert(name, value.parse().expect("a value"))),
            None => drop(head.headers.remove(name)),
        }
        assert_eq!(
            code(admit(&mut head)),
            (403, "SignatureDoesNotMatch".into()),
            "{name} {value:?}"
        );
    }
}

#[test]
fn unsigned_amz_headers_are_rejected_and_listed() {
    let cases = [
        ("x-amz-acl", "public-read", true),
        ("x-amz-meta-a", "1", true),
        ("x-amz-copy-source", "/bucket/other", true),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD", false),
        ("content-type", "text/plain", false),
        ("if-none-match", "*", false),
    ];
    for (name, value, refused) in cases {
        let mut head = SigningInput::default().request();
        head.headers.insert(name, value.parse().expect("a value"));
        let result = admit(&mut head);
        if refused {
            assert_eq!(
                result,
                Err(S3Rejection::HeadersNotSigned(vec![name.to_owned()])),
                "{name}"
            );
        } else {
            assert_eq!(result, Ok(()), "{name}");
        }
    }
}

#[test]
fn a_request_with_two_mechanisms_is_rejected() {
    let mut head = SigningInput::default().request();
    head.headers
        .insert("authorization", "Basic eDp5".parse().expect("a value"));
    assert_eq!(code(admit(&mut head)), (400, "InvalidArgument".into()));
}

#[test]
fn a_url_is_valid_from_its_date_to_its_expiry() {
    let cases = [
        (-16 * 60_i32, Err("AccessDenied")),
        (-14 * 60, Ok(())),
        (0, Ok(())),
        (300, Ok(())),
        (301, Err("AccessDenied")),
    ];
    for (offset, expected) in cases {
        let now = if offset < 0 {
            noon() - Duration::from_secs(offset.unsigned_abs().into())
        } else {
            noon() + Duration::from_secs(offset.unsigned_abs().into())
        };
        let result = test_verifier()
            .verify_request(&mut SigningInput::default().request(), now)
            .map(|_| ());
        match expected {
            Ok(()) => assert_eq!(result, Ok(()), "{offset}"),
            Err(expected) => assert_eq!(code(result), (403, expected.into()), "{offset}"),
        }
    }
}

#[test]
fn a_malformed_query_is_rejected() {
    type TamperFn = fn(&str) -> String;
    let cases: [(&str, TamperFn); 8] = [
        ("more than a week", |target| {
            target.replace("Expires=300", "Expires=604801")
        }),
        ("negative", |target| target.replace("Expires=300", "Expires=-1")),
        ("no number", |target| target.replace("Expires=300", "Expires=soon")),
        ("no expiry", |target| target.replace("X-Amz-Expires=300&", "")),
        ("twice", |target| format!("{target}&X-Amz-Expires=300")),
        ("other region", |target| target.replace("eu-central-1", "us-east-1")),
        ("other service", |target| target.replace("%2Fs3%2F", "%2Fsts%2F")),
        ("other algorithm", |target| {
            target.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")
        }),
    ];
    for (what, tamper) in cases {
        let mut head = SigningInput::default().request();
        change_target(&mut head, tamper);
        assert_eq!(
            code(admit(&mut head)),
            (400, "AuthorizationQueryParametersError".into()),
            "{what}"
        );
    }
}

#[test]
fn unknown_incomplete_or_expired_credentials_are_rejected() {
    let temporary = SigningInput {
        key: "ASIAEXAMPLE",
        token: Some("token+/="),
        ..SigningInput::default()
    };
    let cases = [
        (
            "unknown key",
            SigningInput {
                key: "AKIDOTHER",
                ..SigningInput::default()
            },
            0,
            (403, "InvalidAccessKeyId"),
        ),
        (
            "wrong secret",
            SigningInput {
                secret: "other",
                ..SigningInput::default()
            },
            0,
            (403, "SignatureDoesNotMatch"),
        ),
        (
            "no token",
            SigningInput {
                token: None,
                ..temporary.clone()
            },
            0,
            (403, "InvalidAccessKeyId"),
        ),
        (
            "wrong token",
            SigningInput {
                token: Some("other"),
                ..temporary.clone()
            },
            0,
            (400, "InvalidToken"),
        ),
        (
            "unexpected token",
            SigningInput {
                token: Some("any"),
                ..SigningInput::default()
            },
            0,
            (400, "InvalidToken"),
        ),
        (
            "expired",
            SigningInput {
                expires: 3600,
                ..temporary.clone()
            },
            600,
            (400, "ExpiredToken"),
        ),
    ];
    for (what, signing, later, (status, expected)) in cases {
        for location in [SignatureLocation::QueryParams, SignatureLocation::Headers] {
            let signing = SigningInput {
                location,
                ..signing.clone()
            };
            let result = test_verifier()
                .verify_request(&mut signing.request(), noon() + Duration::from_secs(later))
                .map(|_| ());
            assert_eq!(code(result), (status, expected.into()), "{what} {location:?}");
        }
    }
    let alive = SigningInput {
        expires: 3600,
        ..temporary
    };
    let result = test_verifier().verify_request(&mut alive.request(), noon() + Duration::from_secs(599));
    assert_eq!(result, Ok(AuthMechanism::Query));
}

#[test]
fn an_unsigned_request_and_signature_v2_are_rejected() {
    let head = |target: &str| {
        Request::builder()
            .uri(target)
            .header("host", "h")
            .body(())
            .expect("a request")
            .into_parts()
            .0
    };
    assert_eq!(code(admit(&mut head("/bucket/key"))), (403, "AccessDenied".into()));
    assert_eq!(
        code(admit(&mut head("/bucket/key?AWSAccessKeyId=a&Signature=b&Expires=1"))),
        (400, "InvalidRequest".into())
    );
}

#[test]
fn an_upload_requires_a_valid_length() {
    let put = SigningInput {
        method: "PUT",
        ..SigningInput::default()
    };
    let cases: [(&[(&str, &str)], u16); 6] = [
        (&[("content-length", "0")], 200),
        (&[("content-length", "5368709120")], 200),
        (&[("content-length", "5368709121")], 400),
        (&[], 411),
        (&[("transfer-encoding", "chunked")], 501),
        (&[("content-length", "many")], 400),
    ];
    for (headers, expected) in cases {
        let mut head = put.request();
        for (name, value) in headers {
            head.headers.insert(*name, value.parse().expect("a value"));
        }
        let status =
            admit(&mut head).map_or_else(|rejection| rejection.with_body(|body| body.status), |()| StatusCode::OK);
        assert_eq!(status.as_u16(), expected, "{headers:?}");
    }
}

#[test]
fn signed_parameters_become_headers() {
    let target = "/bucket/key?If-None-Match=%2A&x-amz-meta-Owner=ann&x-amz-storage-class=STANDARD_IA\
                  &x-amz-server-side-encryption=AES256&x-amz-tagging=a%3Db&x-amz-checksum-crc32=AAAAAA%3D%3D\
                  &x-signpost=r&x-amz-copy-source=%2Fbucket%2Fother";
    let mut head = SigningInput {
        target,
        ..SigningInput::default()
    }
    .request();
    // A condition of the client must not replace the signed one.
    head.headers
        .insert("if-none-match", "\"other\"".parse().expect("a value"));
    assert_eq!(admit(&mut head), Ok(()));
    let applied = [
        ("if-none-match", Some("*")),
        ("x-amz-meta-owner", Some("ann")),
        ("x-amz-storage-class", Some("STANDARD_IA")),
        ("x-amz-server-side-encryption", Some("AES256")),
        ("x-amz-tagging", Some("a=b")),
        ("x-amz-checksum-crc32", None),
        ("x-amz-copy-source", None),
        ("x-signpost", None),
    ];
    for (name, value) in applied {
        assert_eq!(
            head.headers.get(name).map(|found| found.to_str().expect("text")),
            value,
            "{name}"
        );
    }
}

#[test]
fn a_path_signed_unescaped_is_rejected() {
    for target in ["/bucket/a+b", "/bucket/a(b)", "/bucket/a@b"] {
        let result = admit(
            &mut SigningInput {
                target,
                ..SigningInput::default()
            }
            .request(),
        );
        assert_eq!(code(result), (403, "SignatureDoesNotMatch".into()), "{target}");
    }
}

#[test]
fn an_error_response_never_contains_the_session_token() {
    let temporary = SigningInput {
        key: "ASIAEXAMPLE",
        token: Some("token+/="),
        ..SigningInput::default()
    };
    for location in [SignatureLocation::QueryParams, SignatureLocation::Headers] {
        let mut head = SigningInput {
            location,
            ..temporary.clone()
        }
        .request();
        head.method = http::Method::PUT;
        head.headers.insert("content-length", "0".parse().expect("a value"));
        let rejection = admit(&mut head).expect_err("a refusal");
        let debug_text = format!("{rejection:?}");
        assert!(
            matches!(rejection, S3Rejection::SignatureDoesNotMatch { .. }),
            "{debug_text}"
        );
        assert!(
            !debug_text.contains("token+") && !debug_text.contains("token%2B"),
            "{debug_text}"
        );
    }
}
