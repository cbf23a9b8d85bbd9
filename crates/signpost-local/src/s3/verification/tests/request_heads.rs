//! Lengths, and signed parameters that become headers.

use http::StatusCode;

use super::{SigningInput, verify};

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
            verify(&mut head).map_or_else(|rejection| rejection.with_body(|body| body.status), |()| StatusCode::OK);
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
    assert_eq!(verify(&mut head), Ok(()));
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
