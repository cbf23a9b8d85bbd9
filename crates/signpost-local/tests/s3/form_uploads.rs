//! Form uploads and their policies.

use std::fmt::Write;

use crate::support::{ACCESS_KEY, REGION, S3TestServer, SECRET_KEY, TestResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use signpost_local::s3::S3Credentials;
use time::OffsetDateTime;
use time::macros::format_description;

/// A form upload, with its fields before the file.
struct Form {
    access_key: &'static str,
    expires_in: i64,
    conditions: String,
    fields: Vec<(&'static str, String)>,
    file: &'static [u8],
    forged: bool,
}

impl Form {
    fn new() -> Self {
        Self {
            access_key: ACCESS_KEY,
            expires_in: 300,
            conditions: r#"["starts-with","$key","in/"],["content-length-range",1,10],{"bucket":"bucket"}"#.into(),
            fields: vec![("key", "in/file".into())],
            file: b"content",
            forged: false,
        }
    }

    fn send(mut self, server: &S3TestServer) -> TestResponse {
        let now = OffsetDateTime::now_utc();
        let day = now.format(format_description!("[year][month][day]")).expect("a date");
        let date = now
            .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
            .expect("a date");
        let end = now + time::Duration::seconds(self.expires_in);
        let end = end
            .format(format_description!(
                "[year]-[month]-[day]T[hour]:[minute]:[second].000Z"
            ))
            .expect("a date");
        let credential = format!("{}/{day}/{REGION}/s3/aws4_request", self.access_key);
        let policy = format!(
            r#"{{"expiration":"{end}","conditions":[{},{{"x-amz-algorithm":"AWS4-HMAC-SHA256"}},{{"x-amz-credential":"{credential}"}},{{"x-amz-date":"{date}"}}]}}"#,
            self.conditions
        );
        let policy = STANDARD.encode(policy);
        let signature = if self.forged {
            "0".repeat(64)
        } else {
            signature(&day, &policy)
        };
        self.fields.extend([
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".into()),
            ("x-amz-credential", credential),
            ("x-amz-date", date),
            ("policy", policy),
            ("x-amz-signature", signature),
        ]);
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            body.extend(
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        body.extend(b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n");
        body.extend(self.file);
        body.extend(b"\r\n--edge--\r\n");
        server.send_raw(
            "POST",
            "/bucket",
            &[("content-type", "multipart/form-data; boundary=edge")],
            &body,
        )
    }
}

fn signature(day: &str, policy: &str) -> String {
    let sign = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let key = [day, REGION, "s3", "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET_KEY}").into_bytes(), |key, step| sign(&key, step));
    sign(&key, policy).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn a_form_upload_that_matches_its_policy_is_stored() {
    let server = S3TestServer::start();
    let response = Form::new().send(&server);
    assert_eq!(response.status, 204, "{}", response.text());
    assert_eq!(server.get("in/file").text(), "content");
}

#[test]
fn a_form_upload_that_violates_its_policy_is_rejected() {
    let server = S3TestServer::start();
    let forms = [
        (
            "key",
            Form {
                fields: vec![("key", "out/file".into())],
                ..Form::new()
            },
        ),
        (
            "too long",
            Form {
                file: b"12345678901",
                ..Form::new()
            },
        ),
        (
            "too short",
            Form {
                file: b"",
                ..Form::new()
            },
        ),
        (
            "extra field",
            Form {
                fields: vec![("key", "in/file".into()), ("content-type", "text/html".into())],
                ..Form::new()
            },
        ),
        (
            "expired",
            Form {
                expires_in: -1,
                ..Form::new()
            },
        ),
        (
            "foreign key",
            Form {
                access_key: "AKIDOTHER",
                ..Form::new()
            },
        ),
        (
            "forged",
            Form {
                forged: true,
                ..Form::new()
            },
        ),
    ];
    for (what, form) in forms {
        let response = form.send(&server);
        assert!(
            (400..=403).contains(&response.status),
            "{what}: {} {}",
            response.status,
            response.text()
        );
        assert!(!response.element("Code").is_empty(), "{what}");
    }
    assert_eq!(server.blob_count(), 0);
}

#[test]
fn each_content_type_of_a_list_must_match_the_policy() {
    let server = S3TestServer::start();
    let upload = |content_type: &str| {
        let mut form = Form::new();
        form.conditions += r#",["starts-with","$Content-Type","video/"]"#;
        form.fields.push(("Content-Type", content_type.to_owned()));
        form.send(&server)
    };
    for content_type in [
        "video/mp4,text/html",
        "text/html,video/mp4",
        "video/mp4, text/html",
        "video/mp4,",
        "text/html",
    ] {
        let response = upload(content_type).expect(403, "AccessDenied");
        let message = response.element("Message");
        assert!(
            message.starts_with("Invalid according to Policy: Policy Condition failed"),
            "{content_type}: {message}"
        );
    }
    assert_eq!(server.blob_count(), 0);
    for content_type in ["video/mp4", "video/mp4,video/webm", "video/mp4, video/webm"] {
        assert_eq!(upload(content_type).status, 204, "{content_type}");
    }
}

#[test]
fn a_form_upload_with_temporary_credentials_requires_their_token() {
    let server = S3TestServer::start_with(|config| {
        config.credentials.push(S3Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: SECRET_KEY.into(),
            session_token: Some("token".into()),
            expires_at: None,
        });
    });
    let form = |token: Option<&str>| {
        let mut form = Form {
            access_key: "ASIAEXAMPLE",
            ..Form::new()
        };
        if let Some(token) = token {
            let _ = write!(form.conditions, r#",{{"x-amz-security-token":"{token}"}}"#);
            form.fields.push(("x-amz-security-token", token.to_owned()));
        }
        form.send(&server)
    };
    form(None).expect(403, "InvalidAccessKeyId");
    form(Some("other")).expect(400, "InvalidToken");
    assert_eq!(form(Some("token")).status, 204);
}
