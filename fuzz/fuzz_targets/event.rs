//! Sends arbitrary events to the handler. It must not panic, must return a valid response, and must sign only the requested key.
//!
//! Run it with `cargo +nightly fuzz run event -- -max_total_time=300`.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use arbitrary::Arbitrary;
use aws_credential_types::Credentials;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use signpost::outbound::aws::CredentialSource;
use signpost::service::handler::Handler;
use signpost::lambda::respond;
use signpost::config::Settings;
use tokio::runtime::{Builder, Runtime};

const RULES: &str = r#"
version = 1
[turborepo]
at = "turbo/"
[nx]
at = "nx/"
[lfs]
at = "lfs/"
[[token]]
id = "t"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "open"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["**"]
allow_anonymous_write = true
client_may_set = ["versionId"]
"#;

const BUCKET: &str = "https://example-bucket.s3.eu-central-1.amazonaws.com/";

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Raw(&'a str),
    Http {
        front: Front,
        method: &'a str,
        path: &'a str,
        query: &'a str,
        headers: Vec<(&'a str, &'a str)>,
        body: Option<&'a str>,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Front {
    Rest,
    HttpApi,
    FunctionUrl,
    Alb,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

static HANDLER: LazyLock<Handler> = LazyLock::new(|| {
    let env = [
        ("SIGNPOST_BUCKET", "example-bucket"),
        ("AWS_REGION", "eu-central-1"),
        ("SIGNPOST_RULES", RULES),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::from_env(env).expect("valid settings");
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "fuzz");
    RUNTIME
        .block_on(Handler::start(settings, CredentialSource::from_provider(credentials)))
        .expect("a handler")
});

fuzz_target!(|input: Input<'_>| {
    let event = match &input {
        Input::Raw(text) => (*text).to_owned(),
        Input::Http { .. } => event(&input).to_string(),
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_783_711_144);
    let response = RUNTIME.block_on(respond(&HANDLER, &event, "invocation", now));
    let response: Value = serde_json::from_str(&response).expect("the response is JSON");
    let status = response["statusCode"].as_u64().expect("the response has a status");
    assert!((200..600).contains(&status));
    if let Input::Http { front, path, .. } = input {
        check_key(front, path, &response);
    }
});

fn event(input: &Input<'_>) -> Value {
    let Input::Http {
        front,
        method,
        path,
        query,
        headers,
        body,
    } = input
    else {
        unreachable!("only an HTTP input is converted to an event")
    };
    let headers: serde_json::Map<_, _> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    match front {
        Front::Rest => {
            let proxy = path.trim_start_matches('/');
            let proxy = proxy.strip_suffix('/').unwrap_or(proxy);
            json!({
                "resource": if proxy.is_empty() { "/" } else { "/{proxy+}" },
                "httpMethod": method, "path": format!("/{}", path.trim_start_matches('/')), "headers": headers,
                "pathParameters": {"proxy": proxy}, "queryStringParameters": {*query: query}, "body": body,
                "requestContext": {"resourceId": "r", "path": format!("/live/{path}"), "stage": "live"},
            })
        }
        Front::HttpApi | Front::FunctionUrl => {
            let domain = if matches!(front, Front::HttpApi) {
                "x.execute-api.y"
            } else {
                "x.lambda-url.y.on.aws"
            };
            json!({
                "version": "2.0", "rawPath": format!("/{path}"), "rawQueryString": query, "headers": headers, "body": body,
                "requestContext": {"http": {"method": method}, "domainName": domain, "stage": "$default"},
            })
        }
        Front::Alb => json!({
            "httpMethod": method, "path": format!("/{path}"), "headers": headers, "body": body,
            "queryStringParameters": {*query: query}, "requestContext": {"elb": {}},
        }),
    }
}

/// Checks that a redirect of a tool leads to an artifact below the prefix of its table.
fn check_artifact(key: &str) {
    let key = key.split('?').next().expect("a path");
    let segments: Vec<_> = key.split('/').collect();
    let is_artifact = matches!(segments[..], ["turbo", _, _] | ["nx", _]);
    let is_plain = !segments.iter().any(|segment| matches!(*segment, "" | "." | ".."));
    assert!(is_artifact && is_plain, "{key}");
}

/// Checks that a redirect leads to exactly the key in the path.
fn check_key(front: Front, path: &str, response: &Value) {
    let location = response["headers"]["location"]
        .as_str()
        .or(response["multiValueHeaders"]["location"][0].as_str());
    let Some(key) = location.and_then(|url| url.strip_prefix(BUCKET)) else {
        return;
    };
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .expect("UTF-8")
            .into_owned()
    };
    let expected = if matches!(front, Front::HttpApi) {
        path.to_owned()
    } else {
        decode(path)
    };
    if expected.starts_with("-/") {
        return check_artifact(key);
    }
    assert_eq!(decode(key.split('?').next().expect("a path")), expected);
}
