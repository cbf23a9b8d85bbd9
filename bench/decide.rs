//! Measures a redirect: deciding and signing, and a complete event. The bare `SigV4` cryptography and the `.presigned()` of
//! the SDK are measured in the same run for comparison. Also measures how long it takes to authenticate and to reject a caller, and
//! to sign a batch of git-lfs.

#[path = "../tests/core/issuer.rs"]
#[expect(dead_code, reason = "only the tests use the whole module")]
mod issuer;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use sha2::{Digest, Sha256};
use signpost::auth::KeySet;
use signpost::config::Settings;
use signpost::decide::{Decision, decide};
use signpost::key::PathEncoding;
use signpost::lambda::respond;
use signpost::outbound::aws::{CredentialSource, Presigner};
use signpost::plan::Instruction;
use signpost::plan::ObjectLocation;
use signpost::policy::Policy;
use signpost::request::{ApiRequest, BodyLength};
use signpost::service::handler::Handler;
use tokio::runtime::Runtime;

use issuer::{SigningKey, jwks};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const KEY: &str = "docs/2026/report.pdf";
const OPEN_RULES: &str = r#"
version = 1
[[rule]]
id = "open"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["**"]
allow_anonymous_write = true
"#;

criterion_group!(
    benches,
    sign,
    sign_many,
    lfs_batch,
    decide_with_many_rules,
    decide_with_many_mounts,
    authenticate_callers
);
criterion_main!(benches);

fn sign(criterion: &mut Criterion) {
    let runtime = runtime();
    let policy = Policy::parse(OPEN_RULES).expect("the rules are valid");
    let signer = runtime
        .block_on(Presigner::resolve(&settings()))
        .expect("the signer can be created");
    let sdk = sdk();
    let credentials = credentials();
    let decide_and_sign = |request: &ApiRequest| decide_and_sign(&policy, request, None, &signer, &credentials);
    for method in ["GET", "PUT"] {
        let request = request(method);
        let mut group = criterion.benchmark_group(method);
        group.bench_function("decide and sign", |bencher| {
            bencher.iter(|| decide_and_sign(black_box(&request)));
        });
        let canonical = canonical_request(&decide_and_sign(&request));
        group.bench_function("bare SigV4 cryptography", |bencher| {
            bencher.iter(|| bare_signature(black_box(&canonical)));
        });
        group.bench_function("the SDK's .presigned()", |bencher| {
            bencher.iter(|| runtime.block_on(presigned(&sdk, black_box(method))));
        });
        let event = std::fs::read_to_string(format!("events/rest-{}.json", method.to_ascii_lowercase()));
        let event = event.expect("the event file exists");
        let handler = runtime.block_on(handler());
        group.bench_function("complete event", |bencher| {
            bencher.iter(|| runtime.block_on(respond(&handler, black_box(&event), "invocation", now())));
        });
    }
}

/// Measures a decision with 1,000 mounts: next to each other, and each inside the previous one. The difference to no mount is
/// the time of the look-ups.
fn decide_with_many_mounts(criterion: &mut Criterion) {
    let mount = |at: &str| format!("[[mount]]\nat = \"{at}\"\nbucket = \"mounted-bucket\"\nprefix = \"2026/\"\n");
    let siblings: String = (0..1000).map(|number| mount(&format!("docs/{number}/"))).collect();
    let nested: String = (1..=300).map(|depth| mount(&"a/".repeat(depth))).collect();
    let request = |path: String| ApiRequest { path, ..request("GET") };
    let mut group = criterion.benchmark_group("mounts");
    for (name, mounts, path) in [
        ("none", "", "/docs/500/report.pdf".to_owned()),
        ("none, key with 300 segments", "", format!("/{}k", "a/".repeat(300))),
        (
            "1,000 mounts, key in one",
            siblings.as_str(),
            "/docs/500/report.pdf".to_owned(),
        ),
        (
            "1,000 mounts, key outside",
            siblings.as_str(),
            "/docs/report.pdf".to_owned(),
        ),
        (
            "300 nested mounts, key in the innermost",
            nested.as_str(),
            format!("/{}k", "a/".repeat(300)),
        ),
        (
            "300 nested mounts, key in the outermost",
            nested.as_str(),
            format!("/a/b/{}k", "a/".repeat(300)),
        ),
    ] {
        let policy = Policy::parse(&format!("{OPEN_RULES}{mounts}")).expect("the rules are valid");
        let request = request(path);
        group.bench_function(name, |bencher| {
            bencher.iter(|| decide(&policy, black_box(&request), None, now()).expect("the request is allowed"));
        });
    }
}

fn decide_and_sign(
    policy: &Policy,
    request: &ApiRequest,
    keys: Option<&KeySet>,
    signer: &Presigner,
    credentials: &Credentials,
) -> Instruction {
    match decide(policy, request, keys, now()) {
        Ok(Decision::Instruct { plan, .. }) => {
            let (ObjectLocation::Key(key), plan) = plan.replace_key(()) else {
                panic!("the rules do not need the id table")
            };
            let ((), plan) = plan.replace_key(key);
            signer.sign(plan, credentials, now()).expect("the plan can be signed")
        }
        other => panic!("not an instruction: {other:?}"),
    }
}

const USER_RULES: &str = r#"
version = 1
[[issuer]]
name = "idp"
iss = "https://id.example.com/pool"
aud = ["signpost"]
alg = ["RS256", "ES256"]
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "users"
who = ["authenticated"]
can = ["read"]
on = ["docs/**"]
"#;

/// Measures deciding and signing for callers with a static token or with a JWT whose keys are cached. Also measures rejected
/// callers, because anyone can send any number of such requests.
fn authenticate_callers(criterion: &mut Criterion) {
    let signer = runtime()
        .block_on(Presigner::resolve(&settings()))
        .expect("the signer can be created");
    let policy = Policy::parse(USER_RULES).expect("the rules are valid");
    let credentials = credentials();
    let (rsa, p256) = (SigningKey::rsa("rsa"), SigningKey::p256("ec"));
    let keys = KeySet::parse(jwks(&[&rsa, &p256]).to_string().as_bytes()).expect("a JWK set");
    let claims = serde_json::json!({
        "iss": "https://id.example.com/pool", "sub": "alice", "aud": "signpost", "exp": 1_783_711_444,
    });
    let with_token = |token: &str| {
        let mut request = request("GET");
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is visible ASCII");
        request.headers.insert(HeaderName::from_static("authorization"), bearer);
        request
    };
    let (rs256, es256) = (rsa.token("RS256", &claims), p256.token("ES256", &claims));
    // Changes the first character of the signature, because the last one can contain unused bits.
    let forged = |token: &str| {
        let (head, signature) = token.rsplit_once('.').expect("a token has three parts");
        let first = if signature.starts_with('A') { "B" } else { "A" };
        with_token(&format!("{head}.{first}{}", &signature[1..]))
    };
    let mut group = criterion.benchmark_group("caller");
    for (name, request) in [
        ("static token", with_token("secret")),
        ("RS256", with_token(&rs256)),
        ("ES256", with_token(&es256)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| decide_and_sign(&policy, black_box(&request), Some(&keys), &signer, &credentials));
        });
    }
    for (name, request) in [
        ("anonymous, rejected", request("GET")),
        ("wrong static token, rejected", with_token("guess")),
        ("forged RS256, rejected", forged(&rs256)),
        ("forged ES256, rejected", forged(&es256)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                decide(&policy, black_box(&request), Some(&keys), now()).expect_err("the request is rejected")
            });
        });
    }
}

/// Measures a decision with many rules of which only the last one allows the request, for an anonymous caller and with a token.
fn decide_with_many_rules(criterion: &mut Criterion) {
    for rules in [1, 100, 1000] {
        decide_with_rules(criterion, rules);
    }
}

fn decide_with_rules(criterion: &mut Criterion, rules: usize) {
    let policy = Policy::parse(&many_rules(rules)).expect("the rules are valid");
    let anonymous = request("GET");
    let mut authenticated = request("GET");
    let bearer = HeaderValue::from_static("Bearer secret");
    authenticated
        .headers
        .insert(HeaderName::from_static("authorization"), bearer);
    let mut group = criterion.benchmark_group(format!("rules_{rules}"));
    for (name, request) in [("anonymous", anonymous), ("authenticated", authenticated)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| decide(&policy, black_box(&request), None, now()).expect("the last rule allows it"));
        });
    }
}

/// Measures 300 URLs in three requests to `POST /-/sign`, and the URLs of 100 parts of an upload in one.
fn sign_many(criterion: &mut Criterion) {
    let runtime = runtime();
    let handler = runtime.block_on(handler());
    let object = |number: usize| json!({"method": "GET", "key": format!("docs/{number}.pdf")});
    let part = |number: usize| json!({"method": "PUT", "key": KEY, "query": {"partNumber": number, "uploadId": "id"}});
    let objects: Vec<_> = (1..=100).map(object).collect();
    let parts: Vec<_> = (1..=100).map(part).collect();
    let mut group = criterion.benchmark_group("sign many");
    for (name, items, calls) in [("300 URLs in three requests", objects, 3), ("100 parts", parts, 1)] {
        let request = ApiRequest {
            path: "/-/sign".into(),
            body: json!(items).to_string().into(),
            ..request("POST")
        };
        let sign = || runtime.block_on(handler.handle(black_box(&request), now()));
        let signed = String::from_utf8_lossy(sign().body())
            .matches("X-Amz-Signature")
            .count();
        assert_eq!(signed, 100);
        group.bench_function(name, |bencher| bencher.iter(|| (0..calls).for_each(|_| drop(sign()))));
    }
}

/// Measures a batch of git-lfs for 100 downloads, which needs no request to S3, and 100 URLs that `aws-sigv4` signs.
fn lfs_batch(criterion: &mut Criterion) {
    let runtime = runtime();
    let handler = runtime.block_on(handler_with(&format!("{OPEN_RULES}[lfs]\nat = \"lfs/\"\n")));
    let oids: Vec<_> = (0..100).map(|number| format!("{number:064x}")).collect();
    let objects: Vec<_> = oids.iter().map(|oid| json!({"oid": oid, "size": 1024})).collect();
    let body = json!({"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects});
    let request = ApiRequest {
        path: "/-/lfs/game/objects/batch".into(),
        body: body.to_string().into(),
        ..request("POST")
    };
    let batch = || runtime.block_on(handler.handle(black_box(&request), now()));
    let response = String::from_utf8_lossy(batch().body()).into_owned();
    assert_eq!(response.matches("X-Amz-Signature").count(), 100, "{response}");
    let mut group = criterion.benchmark_group("git-lfs");
    group.bench_function("a batch of 100 objects", |bencher| bencher.iter(&batch));
    let credentials = credentials();
    group.bench_function("100 URLs of aws-sigv4", |bencher| {
        bencher.iter(|| oids.iter().for_each(|oid| drop(black_box(sigv4(oid, &credentials)))));
    });
}

/// Signs the URL of one object as an SDK does.
fn sigv4(oid: &str, credentials: &Credentials) -> String {
    let key = format!("lfs/game/{}/{}/{oid}", &oid[..2], &oid[2..4]);
    let url =
        format!("https://example-bucket.s3.eu-central-1.amazonaws.com/{key}?response-content-disposition=attachment");
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_mins(5));
    let identity = credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("s3")
        .time(now())
        .settings(settings);
    let params = params.build().expect("the parameters are complete").into();
    let body = SignableBody::UnsignedPayload;
    let request = SignableRequest::new("GET", &url, std::iter::empty(), body).expect("the URL is valid");
    let (instructions, _) = aws_sigv4::http_request::sign(request, &params)
        .expect("the request can be signed")
        .into_parts();
    let mut signed = http::Request::get(&url).body(()).expect("the URL is valid");
    instructions.apply_to_request_http1x(&mut signed);
    signed.uri().to_string()
}

/// Rules of which only the last one allows the request.
fn many_rules(count: usize) -> String {
    let digest = Sha256::digest(b"secret").iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    });
    let mut rules = format!("version = 1\n[[token]]\nid = \"ci\"\nsha256 = \"{digest}\"\ngroups = [\"deployers\"]\n");
    for number in 0..count - 1 {
        let (who, on) = match number % 3 {
            0 => ("authenticated", "docs/{user_id}/**".to_owned()),
            1 => ("group:deployers", format!("docs/{number}/**")),
            _ => ("anyone", format!("public/{number}/images/**")),
        };
        write!(
            rules,
            "[[rule]]\nid = \"r{number}\"\nwho = [\"{who}\"]\ncan = [\"read\"]\non = [\"{on}\"]\n"
        )
        .expect("writing to a String cannot fail");
    }
    rules + "[[rule]]\nid = \"last\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"docs/**\"]\n"
}

/// Computes the four HMACs of the signing key, the digest of the canonical request, the string to sign and its HMAC.
fn bare_signature(canonical: &str) -> String {
    let key = hmac(format!("AWS4{SECRET_KEY}").as_bytes(), b"20260710");
    let key = ["eu-central-1", "s3", "aws4_request"]
        .into_iter()
        .fold(key, |key, scope| hmac(&key, scope.as_bytes()));
    let digest = hex(&Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n20260710T191904Z\n20260710/eu-central-1/s3/aws4_request\n{digest}");
    hex(&hmac(&key, to_sign.as_bytes()))
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC accepts keys of every length");
    mac.chain_update(text).finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Returns a canonical request with the length of the one that was signed.
fn canonical_request(instruction: &Instruction) -> String {
    let url = instruction.url.expose();
    let (host_and_path, query) = url.split_once('?').expect("a presigned URL has a query");
    let query = query.split("&X-Amz-Signature").next().unwrap_or_default();
    let headers = instruction.plan.headers.iter();
    let headers = headers.fold(String::new(), |text, (name, value)| text + name + ":" + value + "\n");
    format!("GET\n{host_and_path}\n{query}\nhost:\n{headers}\nhost\nUNSIGNED-PAYLOAD")
}

async fn presigned(sdk: &aws_sdk_s3::Client, method: &str) -> String {
    let presigning = PresigningConfig::builder()
        .start_time(now())
        .expires_in(Duration::from_mins(5));
    let presigning = presigning.build().expect("the lifetime is allowed");
    if method == "PUT" {
        let put = sdk.put_object().bucket("example-bucket").key(KEY).content_length(1024);
        let presigned = put.if_none_match("*").presigned(presigning).await;
        presigned.expect("the plan can be signed").uri().to_owned()
    } else {
        let get = sdk.get_object().bucket("example-bucket").key(KEY);
        let presigned = get
            .response_content_disposition("attachment")
            .presigned(presigning)
            .await;
        presigned.expect("the plan can be signed").uri().to_owned()
    }
}

fn sdk() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

async fn handler() -> Handler {
    handler_with(OPEN_RULES).await
}

async fn handler_with(rules: &str) -> Handler {
    let mut settings = settings();
    settings.rules = Some(rules.into());
    let source = CredentialSource::from_provider(credentials());
    Handler::start(settings, source).await.expect("the handler starts")
}

fn settings() -> Settings {
    let env = [("SIGNPOST_BUCKET", "example-bucket"), ("AWS_REGION", "eu-central-1")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Settings::from_env(env).expect("the settings are valid")
}

/// Credentials with a session token, like those of a function's role.
fn credentials() -> Credentials {
    let token = "IQoJb3JpZ2luX2VjEXAMPLE/".repeat(16);
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET_KEY, Some(token), None, "bench")
}

/// 2026-07-10T19:19:04Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_783_711_144)
}

fn request(method: &str) -> ApiRequest {
    let headers = [
        ("host", "files.example.com"),
        ("user-agent", "curl/8.7.1"),
        ("accept", "*/*"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
        ("x-amzn-trace-id", "Root=1-6a5145a8-536f3e792f6be9b44c1f46fa"),
    ];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    ApiRequest {
        method: method.into(),
        path: format!("/{KEY}"),
        encoding: PathEncoding::Percent,
        query: Vec::new(),
        headers: HeaderMap::from_iter(headers),
        length: if method == "PUT" {
            BodyLength::Declared(1024)
        } else {
            BodyLength::Missing
        },
        base_url: "https://files.example.com".into(),
        max_response_bytes: 6 << 20,
        request_id: "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0".into(),
        invocation: "00000000-0000-4000-8000-000000000001".into(),
        body: Bytes::new(),
        gateway: None,
        parse_error: None,
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts")
}
