//! Rules that are stored outside the function: when they are requested, and which rules apply while they are unavailable.

use std::time::{Duration, Instant, SystemTime};

use signpost::service::handler::Handler;
use tokio::net::TcpListener;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::sts::{Answer, FakeSts, token};
use crate::support::{ask, body, credentials, handler_with, header, now, parameter};

const S3: &str = "s3://signpost-rules/live/rules.toml";
const SSM: &str = "ssm:/signpost/rules";

/// Lets anyone read below `place`.
fn reading(place: &str) -> String {
    format!("version = 1\n[[rule]]\nid = \"{place}\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"{place}/**\"]\n")
}

/// The response of S3 for an object; 304 if the client has its current version.
fn object(text: &str, tag: &str) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    let (text, tag) = (text.to_owned(), format!("\"{tag}\""));
    move |request| {
        let known = request
            .headers
            .get("if-none-match")
            .map(|known| known.to_str().unwrap());
        if known == Some(&tag) {
            return (304, vec![("etag", tag.clone())], String::new());
        }
        (200, vec![("etag", tag.clone())], text.clone())
    }
}

fn stored(text: &str, version: u32) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    let parameter = serde_json::json!({"Parameter": {"Name": "/signpost/rules", "Version": version, "Value": text}});
    move |_| (200, Vec::new(), parameter.to_string())
}

fn missing(_: &ReceivedRequest) -> FakeResponse {
    (404, Vec::new(), "<Error><Code>NoSuchKey</Code></Error>".to_owned())
}

fn at(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

async fn ruled_by(source: &str, fake: &Fake, more: &[(&str, &str)]) -> Handler {
    let base = [("SIGNPOST_RULES_SOURCE", source), ("AWS_ENDPOINT_URL", &fake.endpoint)];
    let env: Vec<_> = more.iter().copied().chain(base).collect();
    handler_with(&env, credentials(Some("token"), None)).await
}

async fn status(handler: &Handler, path: &str, time: SystemTime) -> u16 {
    handler.handle(&ask("GET", path), time).await.status().as_u16()
}

#[tokio::test]
async fn a_policy_object_is_requested_at_the_first_request_and_again_after_a_minute() {
    let s3 = Fake::start(object(&reading("a"), "1")).await;
    let handler = ruled_by(S3, &s3, &[]).await;
    assert!(s3.requests().is_empty(), "the start does not wait for the network");
    for second in [0, 1, 59] {
        assert_eq!(status(&handler, "/a/k", at(second)).await, 307, "{second}");
        assert_eq!(status(&handler, "/b/k", at(second)).await, 403, "{second}");
    }
    assert_eq!(s3.requests().len(), 1);
    let first = &s3.requests()[0];
    let (path, _) = first.path.split_once('?').unwrap();
    assert_eq!(
        (first.method.as_str(), path),
        ("GET", "/signpost-rules/live/rules.toml")
    );
    assert_eq!(parameter(&first.path, "X-Amz-Security-Token").unwrap(), "token");
    assert!(parameter(&first.path, "X-Amz-Signature").is_some());
    assert!(first.headers.get("if-none-match").is_none());

    assert_eq!(status(&handler, "/a/k", at(60)).await, 307);
    assert_eq!(s3.requests()[1].headers["if-none-match"], "\"1\"");
    s3.answer(object(&reading("b"), "2"));
    assert_eq!(status(&handler, "/b/k", at(119)).await, 403);
    assert_eq!(
        status(&handler, "/b/k", at(120)).await,
        307,
        "a change counts within a minute"
    );
    assert_eq!(status(&handler, "/a/k", at(120)).await, 403);
    assert_eq!(s3.requests().len(), 3);
}

#[tokio::test]
async fn a_parameter_is_requested_decrypted_and_parsed_again_only_for_a_new_version() {
    let ssm = Fake::start(stored(&reading("a"), 7)).await;
    let handler = ruled_by(SSM, &ssm, &[]).await;
    assert_eq!(status(&handler, "/a/k", at(0)).await, 307);
    let request = &ssm.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert_eq!(request.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(request.body, r#"{"Name":"/signpost/rules","WithDecryption":true}"#);
    let signature = request.headers["authorization"].to_str().unwrap();
    assert!(signature.contains("/eu-central-1/ssm/aws4_request"), "{signature}");
    assert!(signature.contains("x-amz-target"), "{signature}");
    // The same version is not parsed again, even with another content.
    ssm.answer(stored("nonsense", 7));
    assert_eq!(status(&handler, "/a/k", at(60)).await, 307);
    ssm.answer(stored(&reading("b"), 8));
    assert_eq!(status(&handler, "/a/k", at(120)).await, 403);
    assert_eq!(status(&handler, "/b/k", at(120)).await, 307);
}

#[tokio::test]
async fn unconfirmed_rules_are_used_for_ten_minutes_and_then_every_request_is_rejected() {
    for failing in [missing, |_: &ReceivedRequest| {
        (200, vec![("etag", "\"2\"".into())], "nonsense".into())
    }] {
        let s3 = Fake::start(object(&reading("a"), "1")).await;
        let handler = ruled_by(S3, &s3, &[]).await;
        assert_eq!(status(&handler, "/a/k", at(0)).await, 307);
        s3.answer(failing);
        for second in [60, 300, 599] {
            assert_eq!(status(&handler, "/a/k", at(second)).await, 307, "{second}");
        }
        for path in ["/a/k", "/b/k", "/-/health"] {
            let refused = handler.handle(&ask("GET", path), at(600)).await;
            assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "5"));
            assert!(!body(&refused).contains("S3"), "{}", body(&refused));
        }
        s3.answer(object(&reading("a"), "1"));
        assert_eq!(
            status(&handler, "/a/k", at(608)).await,
            503,
            "the source is left alone for ten seconds"
        );
        assert_eq!(status(&handler, "/a/k", at(609)).await, 307);
    }
}

#[tokio::test]
async fn every_request_is_rejected_until_the_first_policy_is_loaded() {
    let s3 = Fake::start(missing).await;
    let handler = ruled_by(S3, &s3, &[]).await;
    for second in [0, 5, 9] {
        assert_eq!(status(&handler, "/a/k", at(second)).await, 503);
    }
    assert_eq!(
        s3.requests().len(),
        1,
        "a request does not always cause a request to S3"
    );
    s3.answer(object(&reading("a"), "1"));
    assert_eq!(status(&handler, "/a/k", at(10)).await, 307);
}

#[tokio::test]
async fn concurrent_requests_wait_for_the_same_policy_request() {
    let s3 = Fake::start(|request: &ReceivedRequest| {
        std::thread::sleep(Duration::from_millis(100));
        object(&reading("a"), "1")(request)
    })
    .await;
    let handler = ruled_by(S3, &s3, &[]).await;
    let asking = (0..20).map(|_| {
        let handler = handler.clone();
        tokio::spawn(async move { status(&handler, "/a/k", at(0)).await })
    });
    for answer in asking.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), 307);
    }
    assert_eq!(s3.requests().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_extend_the_use_of_rules() {
    let s3 = Fake::start(object(&reading("a"), "1")).await;
    let handler = ruled_by(S3, &s3, &[]).await;
    assert_eq!(status(&handler, "/a/k", at(3600)).await, 307);
    s3.answer(object(&reading("b"), "2"));
    assert_eq!(status(&handler, "/b/k", at(0)).await, 307);
}

const ROLE: (&str, &str) = ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/signer");

#[tokio::test]
async fn rules_that_prevent_the_start_are_not_accepted_from_a_source() {
    let s3 = Fake::start(object(&reading("a"), "1")).await;
    let sts = FakeSts::start(Answer::SessionUntil(at(7200))).await;
    let member = [
        ROLE,
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = ruled_by(S3, &s3, &member).await;
    assert_eq!(status(&handler, "/a/k", at(0)).await, 307);
    s3.answer(object(&(reading("b") + "sse = \"aws:kms\"\n"), "2"));
    assert_eq!(
        status(&handler, "/a/k", at(60)).await,
        307,
        "a member's session could not serve the new rules"
    );
    assert_eq!(status(&handler, "/b/k", at(60)).await, 403);
}

#[tokio::test]
async fn a_new_epoch_makes_running_functions_assume_the_role_again() {
    for mode in ["signer", "scoped"] {
        let s3 = Fake::start(object(&reading("a"), "1")).await;
        let sts = FakeSts::start(Answer::SessionUntil(at(3600))).await;
        let env = [
            ROLE,
            ("SIGNPOST_SIGNING_MODE", mode),
            ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
        ];
        let handler = ruled_by(S3, &s3, &env).await;
        let signed_by = async |second| {
            let response = handler.handle(&ask("GET", "/a/k"), at(second)).await;
            parameter(header(&response, "location"), "X-Amz-Security-Token").unwrap()
        };
        assert_eq!(signed_by(0).await, token(1));
        s3.answer(object(&(reading("a") + "[signer]\nepoch = \"after-the-leak\"\n"), "2"));
        assert_eq!(signed_by(59).await, token(1));
        assert_eq!(signed_by(60).await, token(2));
        assert_eq!(signed_by(61).await, token(2));
        let name = sts.calls()[1]["RoleSessionName"].clone();
        assert!(name.ends_with(".after-the-leak"), "{name}");
    }
}

#[tokio::test]
async fn several_silent_services_together_do_not_use_up_the_time_of_the_function() {
    let s3 = Fake::start(object(&reading("a"), "1")).await;
    let sts = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sts = format!("http://{}", sts.local_addr().unwrap());
    let handler = ruled_by(
        S3,
        &s3,
        &[
            ROLE,
            ("SIGNPOST_SIGNING_MODE", "signer"),
            ("AWS_ENDPOINT_URL_STS", &sts),
        ],
    )
    .await;
    assert_eq!(status(&handler, "/-/health", at(0)).await, 200);

    s3.delay(Duration::from_mins(1));
    let began = Instant::now();
    let response = handler.handle(&ask("GET", "/a/k"), at(60)).await;
    let took = began.elapsed();
    assert!((7..9).contains(&took.as_secs()), "{took:?} of ten seconds");
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "5");
    assert!(body(&response).contains("took too long"), "{}", body(&response));
}
