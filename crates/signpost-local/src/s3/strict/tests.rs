//! The strict layer against signatures of AWS's own signer, at chosen times.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{Request, StatusCode};

use super::{Mechanism, Refusal, Strict};
use crate::s3::S3Credentials;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn strict() -> Strict {
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
    Strict::new("eu-central-1".into(), vec![permanent, temporary])
}

/// What a test signs; all but the interesting field as it should be.
#[derive(Clone)]
struct Signing {
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

impl Default for Signing {
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

impl Signing {
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

fn admit(head: &mut Parts) -> Result<(), Refusal> {
    strict().admit(head, noon()).map(|_| ())
}

fn code(result: Result<(), Refusal>) -> (u16, String) {
    let refusal = result.expect_err("a refusal");
    refusal.with_body(|body| (body.status.as_u16(), body.code.to_owned()))
}

fn change_target(head: &mut Parts, change: impl Fn(&str) -> String) {
    head.uri = change(&head.uri.to_string()).parse().expect("a target");
}

#[test]
fn what_aws_signs_is_admitted() {
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
                &mut Signing {
                    target,
                    location,
                    ..Signing::default()
                }
                .request(),
            );
            assert_eq!(result, Ok(()), "{target} {location:?}");
        }
    }
}

#[test]
fn a_tampered_request_is_refused() {
    type Tamper = fn(&mut Parts);
    let tampers: [(&str, Tamper); 8] = [
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
        let mut head = Signing {
            target: "/bucket/key?x-signpost=1",
            ..Signing::default()
        }
        .request();
        tamper(&mut head);
        assert_eq!(code(admit(&mut head)), (403, "SignatureDoesNotMatch".into()), "{what}");
    }
}

#[test]
fn signed_headers_must_come_as_signed() {
    let signing = Signing {
        method: "PUT",
        headers: vec![("content-length", "5"), ("content-type", "text/plain")],
        ..Signing::default()
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
fn unsigned_amz_headers_are_refused_and_named() {
    let cases = [
        ("x-amz-acl", "public-read", true),
        ("x-amz-meta-a", "1", true),
        ("x-amz-copy-source", "/bucket/other", true),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD", false),
        ("content-type", "text/plain", false),
        ("if-none-match", "*", false),
    ];
    for (name, value, refused) in cases {
        let mut head = Signing::default().request();
        head.headers.insert(name, value.parse().expect("a value"));
        let result = admit(&mut head);
        if refused {
            assert_eq!(result, Err(Refusal::HeadersNotSigned(vec![name.to_owned()])), "{name}");
        } else {
            assert_eq!(result, Ok(()), "{name}");
        }
    }
}

#[test]
fn two_mechanisms_are_one_too_many() {
    let mut head = Signing::default().request();
    head.headers
        .insert("authorization", "Basic eDp5".parse().expect("a value"));
    assert_eq!(code(admit(&mut head)), (400, "InvalidArgument".into()));
}

#[test]
fn a_url_lives_from_its_date_to_its_end() {
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
        let result = strict().admit(&mut Signing::default().request(), now).map(|_| ());
        match expected {
            Ok(()) => assert_eq!(result, Ok(()), "{offset}"),
            Err(expected) => assert_eq!(code(result), (403, expected.into()), "{offset}"),
        }
    }
}

#[test]
fn a_malformed_query_is_refused() {
    type Tamper = fn(&str) -> String;
    let cases: [(&str, Tamper); 8] = [
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
        let mut head = Signing::default().request();
        change_target(&mut head, tamper);
        assert_eq!(
            code(admit(&mut head)),
            (400, "AuthorizationQueryParametersError".into()),
            "{what}"
        );
    }
}

#[test]
fn credentials_must_be_known_whole_and_alive() {
    let temporary = Signing {
        key: "ASIAEXAMPLE",
        token: Some("token+/="),
        ..Signing::default()
    };
    let cases = [
        (
            "foreign key",
            Signing {
                key: "AKIDOTHER",
                ..Signing::default()
            },
            0,
            (403, "InvalidAccessKeyId"),
        ),
        (
            "foreign secret",
            Signing {
                secret: "other",
                ..Signing::default()
            },
            0,
            (403, "SignatureDoesNotMatch"),
        ),
        (
            "no token",
            Signing {
                token: None,
                ..temporary.clone()
            },
            0,
            (403, "InvalidAccessKeyId"),
        ),
        (
            "wrong token",
            Signing {
                token: Some("other"),
                ..temporary.clone()
            },
            0,
            (400, "InvalidToken"),
        ),
        (
            "superfluous token",
            Signing {
                token: Some("any"),
                ..Signing::default()
            },
            0,
            (400, "InvalidToken"),
        ),
        (
            "ended",
            Signing {
                expires: 3600,
                ..temporary.clone()
            },
            600,
            (400, "ExpiredToken"),
        ),
    ];
    for (what, signing, later, (status, expected)) in cases {
        for location in [SignatureLocation::QueryParams, SignatureLocation::Headers] {
            let signing = Signing {
                location,
                ..signing.clone()
            };
            let result = strict()
                .admit(&mut signing.request(), noon() + Duration::from_secs(later))
                .map(|_| ());
            assert_eq!(code(result), (status, expected.into()), "{what} {location:?}");
        }
    }
    let alive = Signing {
        expires: 3600,
        ..temporary
    };
    let result = strict().admit(&mut alive.request(), noon() + Duration::from_secs(599));
    assert_eq!(result, Ok(Mechanism::Query));
}

#[test]
fn an_unsigned_or_old_request_is_refused() {
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
fn an_upload_tells_its_length() {
    let put = Signing {
        method: "PUT",
        ..Signing::default()
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
        let status = admit(&mut head).map_or_else(|refusal| refusal.with_body(|body| body.status), |()| StatusCode::OK);
        assert_eq!(status.as_u16(), expected, "{headers:?}");
    }
}

#[test]
fn signed_parameters_become_headers() {
    let target = "/bucket/key?If-None-Match=%2A&x-amz-meta-Owner=ann&x-amz-storage-class=STANDARD_IA\
                  &x-amz-server-side-encryption=AES256&x-amz-tagging=a%3Db&x-amz-checksum-crc32=AAAAAA%3D%3D\
                  &x-signpost=r&x-amz-copy-source=%2Fbucket%2Fother";
    let mut head = Signing {
        target,
        ..Signing::default()
    }
    .request();
    // The client's own condition does not weaken the signed one.
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
fn a_path_signed_unescaped_is_refused() {
    for target in ["/bucket/a+b", "/bucket/a(b)", "/bucket/a@b"] {
        let result = admit(
            &mut Signing {
                target,
                ..Signing::default()
            }
            .request(),
        );
        assert_eq!(code(result), (403, "SignatureDoesNotMatch".into()), "{target}");
    }
}

#[test]
fn an_answer_never_shows_the_token_or_the_signature() {
    let temporary = Signing {
        key: "ASIAEXAMPLE",
        token: Some("token+/="),
        ..Signing::default()
    };
    for location in [SignatureLocation::QueryParams, SignatureLocation::Headers] {
        let mut head = Signing {
            location,
            ..temporary.clone()
        }
        .request();
        head.method = http::Method::PUT;
        head.headers.insert("content-length", "0".parse().expect("a value"));
        let refusal = admit(&mut head).expect_err("a refusal");
        let shown = format!("{refusal:?}");
        assert!(matches!(refusal, Refusal::SignatureDoesNotMatch { .. }), "{shown}");
        assert!(!shown.contains("token+") && !shown.contains("token%2B"), "{shown}");
    }
}
