//! Mechanisms, credentials and validity periods.

use std::time::Duration;

use aws_sigv4::http_request::SignatureLocation;
use http::Request;

use super::{SigningInput, change_target, error_code, noon, test_verifier, verify};
use crate::s3::verification::AuthMechanism;

#[test]
fn a_request_with_two_mechanisms_is_rejected() {
    let mut head = SigningInput::default().request();
    head.headers
        .insert("authorization", "Basic eDp5".parse().expect("a value"));
    assert_eq!(error_code(verify(&mut head)), (400, "InvalidArgument".into()));
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
            Err(expected) => assert_eq!(error_code(result), (403, expected.into()), "{offset}"),
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
            error_code(verify(&mut head)),
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
            assert_eq!(error_code(result), (status, expected.into()), "{what} {location:?}");
        }
    }
    let alive = SigningInput {
        expires: 3600,
        ..temporary
    };
    let result = test_verifier().verify_request(&mut alive.request(), noon() + Duration::from_secs(599));
    assert_eq!(result.map(|(mechanism, _)| mechanism), Ok(AuthMechanism::Query));
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
    assert_eq!(
        error_code(verify(&mut head("/bucket/key"))),
        (403, "AccessDenied".into())
    );
    assert_eq!(
        error_code(verify(&mut head("/bucket/key?AWSAccessKeyId=a&Signature=b&Expires=1"))),
        (400, "InvalidRequest".into())
    );
}
