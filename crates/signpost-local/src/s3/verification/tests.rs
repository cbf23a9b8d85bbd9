//! Tests the verification with requests of AWS's own signer at fixed times.

mod credentials;
mod request_heads;
mod signatures;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use http::Request;
use http::request::Parts;

use super::{RequestVerifier, S3Rejection};
use crate::s3::S3Credentials;

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn test_verifier() -> RequestVerifier {
    let permanent = S3Credentials {
        access_key_id: ACCESS_KEY.into(),
        secret_access_key: SECRET_KEY.into(),
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
            key: ACCESS_KEY,
            secret: SECRET_KEY,
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

/// Verifies a request at the time of its signature.
fn verify(head: &mut Parts) -> Result<(), S3Rejection> {
    test_verifier().verify_request(head, noon()).map(|_| ())
}

/// Returns the status and the error code of a rejection.
fn error_code(result: Result<(), S3Rejection>) -> (u16, String) {
    let rejection = result.expect_err("a rejection");
    rejection.with_body(|body| (body.status.as_u16(), body.code.to_owned()))
}

fn change_target(head: &mut Parts, change: impl Fn(&str) -> String) {
    head.uri = change(&head.uri.to_string()).parse().expect("a target");
}
