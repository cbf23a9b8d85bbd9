//! Signing: equal to the presigning of the SDK, exact about expiry times, and a pure function of its arguments.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::presigning::PresigningConfig;
use proptest::prelude::*;
use signpost::key::ObjectKey;
use signpost::operation::Operation;
use signpost::outbound::aws::Presigner;
use signpost::plan::{PresignError, PresignPlan};
use signpost::policy::GrantScope;

use crate::support::{SESSION_TOKEN, credentials, now, parameter, settings};

/// A token with characters that a query must escape.
const UPLOAD_ID: &str = "2~abc/D_e.f+g=";

fn plan(operation: Operation, key: &str) -> PresignPlan {
    PresignPlan {
        operation,
        key: ObjectKey::new(key).unwrap(),
        public_key: ObjectKey::new(key).unwrap(),
        headers: Vec::new(),
        query: Vec::new(),
        reuse_url_for: None,
        expires: Duration::from_mins(5),
        scope: GrantScope::default(),
        link_use: None,
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_plan_for_the_metadata_has_the_audit_record_and_no_other_parameter() {
    let mut upload = plan(Operation::PutObject, "k");
    upload.headers = vec![pair("if-none-match", "*")];
    upload.query = vec![
        pair("partNumber", "1"),
        pair("x-signpost", "rule=a"),
        pair("uploadId", "u"),
    ];
    let head = upload.head();
    assert_eq!(head.operation, Operation::HeadObject);
    assert_eq!(head.headers, []);
    assert_eq!(head.query, [pair("x-signpost", "rule=a")]);
}

#[test]
fn only_if_none_match_with_a_star_forbids_the_replacement_of_an_object() {
    for (header, create_only) in [
        (pair("if-none-match", "*"), true),
        (pair("If-None-Match", "*"), true),
        (pair("if-none-match", "\"etag\""), false),
        (pair("if-match", "*"), false),
        (pair("x-amz-meta-note", "*"), false),
    ] {
        let with_header = PresignPlan {
            headers: vec![header.clone()],
            ..plan(Operation::PutObject, "k")
        };
        let with_parameter = PresignPlan {
            query: vec![header.clone()],
            ..plan(Operation::PutObject, "k")
        };
        assert_eq!(with_header.is_create_only(), create_only, "{header:?}");
        assert_eq!(with_parameter.is_create_only(), create_only, "{header:?}");
    }
}

fn sdk(credentials: Credentials) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The URL that the SDK signs for the same plan.
async fn oracle(client: &aws_sdk_s3::Client, plan: &PresignPlan, time: SystemTime) -> String {
    let presigning = PresigningConfig::builder()
        .start_time(time)
        .expires_in(plan.expires)
        .build()
        .unwrap();
    let key = plan.key.as_str();
    let bucket = "example-bucket";
    let presigned = match plan.operation {
        Operation::GetObject => client
            .get_object()
            .bucket(bucket)
            .key(key)
            .presigned(presigning)
            .await
            .unwrap(),
        Operation::HeadObject => client
            .head_object()
            .bucket(bucket)
            .key(key)
            .presigned(presigning)
            .await
            .unwrap(),
        Operation::DeleteObject => client
            .delete_object()
            .bucket(bucket)
            .key(key)
            .presigned(presigning)
            .await
            .unwrap(),
        Operation::PutObject => {
            let put = client.put_object().bucket(bucket).key(key);
            let header = |expected: &str| {
                plan.headers
                    .iter()
                    .find(|(name, _)| name == expected)
                    .map(|(_, value)| value.clone())
            };
            put.set_content_length(header("content-length").map(|length| length.parse().unwrap()))
                .set_content_type(header("content-type"))
                .set_if_none_match(header("if-none-match"))
                .set_checksum_sha256(header("x-amz-checksum-sha256"))
                .set_metadata(header("x-amz-meta-a").map(|value| [("a".to_owned(), value)].into()))
                .presigned(presigning)
                .await
                .unwrap()
        }
        Operation::UploadPart => client
            .upload_part()
            .bucket(bucket)
            .key(key)
            .part_number(7)
            .upload_id(UPLOAD_ID)
            .presigned(presigning)
            .await
            .unwrap(),
        Operation::CreateMultipartUpload
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => unreachable!("the SDK presigns no {}", plan.operation.name()),
    };
    presigned.uri().to_owned()
}

/// The operations that the SDK for Rust presigns.
const PRESIGNED_BY_THE_SDK: [Operation; 5] = [
    Operation::GetObject,
    Operation::HeadObject,
    Operation::PutObject,
    Operation::DeleteObject,
    Operation::UploadPart,
];

fn operation() -> impl Strategy<Value = Operation> {
    prop::sample::select(&PRESIGNED_BY_THE_SDK[..])
}

fn put_headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = |name: &'static str, pattern: &'static str| {
        prop::option::of(pattern).prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    };
    let headers = (
        value("content-length", "[1-9][0-9]{0,9}"),
        value("content-type", "[a-z]{1,8}/[a-z]{1,8}(; charset=utf-8)?"),
        value("if-none-match", "\\*"),
        value("x-amz-checksum-sha256", "[A-Za-z0-9+/]{43}="),
        value("x-amz-meta-a", "[!-~]([ -~]{0,20}[!-~])?"),
    );
    headers.prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The SDK adds `x-id` (except for HEAD), a parameter that S3 ignores. The test adds it to our URL as well, so
    /// that the signatures can be compared.
    #[test]
    fn the_signature_equals_the_signature_of_the_sdk(
        operation in operation(),
        key in "[a-z][a-zA-Z0-9 +%&=?#'\"()*!/~_é☃🦀-]{0,60}",
        headers in put_headers(),
        with_token in any::<bool>(),
    ) {
        let Ok(key) = ObjectKey::new(key) else { return Ok(()) };
        let mut plan = PresignPlan { key, ..plan(operation, "k") };
        if operation == Operation::PutObject {
            plan.headers = headers;
        }
        if operation == Operation::UploadPart {
            plan.query = vec![("partNumber".into(), "7".into()), ("uploadId".into(), UPLOAD_ID.into())];
        }
        if operation != Operation::HeadObject {
            plan.query.push(("x-id".into(), operation.name().into()));
        }
        let credentials = credentials(with_token.then_some(SESSION_TOKEN), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (ours, theirs) = runtime.block_on(async {
            let signer = Presigner::resolve(&settings(&[])).await.unwrap();
            let theirs = oracle(&sdk(credentials.clone()), &plan, now()).await;
            (signer.sign(plan, &credentials, now()).unwrap(), theirs)
        });
        let ours = ours.url.expose();
        prop_assert_eq!(ours.split_once('?').unwrap().0, theirs.split_once('?').unwrap().0);
        for name in ["X-Amz-SignedHeaders", "X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature"] {
            prop_assert_eq!(parameter(ours, name), parameter(&theirs, name), "{}", name);
        }
    }
}

#[tokio::test]
async fn the_sdk_itself_signs_no_checksum_of_an_empty_body() {
    let url = oracle(&sdk(credentials(None, None)), &plan(Operation::PutObject, "k"), now()).await;
    assert_eq!(parameter(&url, "X-Amz-SignedHeaders").unwrap(), "host");
    assert!(!url.contains("checksum"));
}

#[tokio::test]
async fn signing_is_a_pure_function_of_plan_credentials_and_time() {
    let signer = Presigner::resolve(&settings(&[])).await.unwrap();
    let sign = |time| {
        signer
            .sign(plan(Operation::GetObject, "k"), &credentials(None, None), time)
            .unwrap()
    };
    assert_eq!(sign(now()), sign(now() + Duration::from_millis(999)));
    assert_ne!(sign(now()).url, sign(now() + Duration::from_secs(1)).url);
}

#[tokio::test]
async fn no_url_is_valid_for_longer_than_the_credentials() {
    let signer = Presigner::resolve(&settings(&[])).await.unwrap();
    for (left, expires_in) in [
        (3600, Some(300)),
        (300, Some(300)),
        (299, Some(299)),
        (60, Some(60)),
        (59, None),
        (0, None),
    ] {
        let credentials = credentials(Some(SESSION_TOKEN), Some(now() + Duration::from_secs(left)));
        let outcome = signer.sign(
            plan(Operation::GetObject, "k"),
            &credentials,
            now() + Duration::from_millis(1),
        );
        match (outcome, expires_in) {
            (Ok(instruction), Some(seconds)) => {
                assert_eq!(instruction.expires_in, Duration::from_secs(seconds));
                assert_eq!(instruction.expires_at, now() + instruction.expires_in);
                assert_eq!(
                    parameter(instruction.url.expose(), "X-Amz-Expires").unwrap(),
                    seconds.to_string()
                );
            }
            (Err(PresignError::CredentialsExpire), None) => {}
            (outcome, _) => panic!("{left} s left: {outcome:?}"),
        }
    }
}
