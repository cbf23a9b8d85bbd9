//! Signatures of valid and of changed requests.

use aws_sigv4::http_request::SignatureLocation;
use http::request::Parts;

use super::{SigningInput, change_target, error_code, verify};
use crate::s3::verification::S3Rejection;

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
            let result = verify(
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
        assert_eq!(
            error_code(verify(&mut head)),
            (403, "SignatureDoesNotMatch".into()),
            "{what}"
        );
    }
}

#[test]
fn changed_signed_headers_are_rejected() {
    let signing = SigningInput {
        method: "PUT",
        headers: vec![("content-length", "5"), ("content-type", "text/plain")],
        ..SigningInput::default()
    };
    assert_eq!(verify(&mut signing.request()), Ok(()));
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
            error_code(verify(&mut head)),
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
    for (name, value, is_rejected) in cases {
        let mut head = SigningInput::default().request();
        head.headers.insert(name, value.parse().expect("a value"));
        let result = verify(&mut head);
        if is_rejected {
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
fn a_path_signed_unescaped_is_rejected() {
    for target in ["/bucket/a+b", "/bucket/a(b)", "/bucket/a@b"] {
        let result = verify(
            &mut SigningInput {
                target,
                ..SigningInput::default()
            }
            .request(),
        );
        assert_eq!(error_code(result), (403, "SignatureDoesNotMatch".into()), "{target}");
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
        let rejection = verify(&mut head).expect_err("a rejection");
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
