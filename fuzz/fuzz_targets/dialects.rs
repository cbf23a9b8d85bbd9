//! Sends requests of Turborepo, Nx and git-lfs to the handler, with valid and invalid parts. It must not panic, and must sign and
//! change only what the request names.
//!
//! Run it with `cargo +nightly fuzz run dialects -- -max_total_time=300`.

#![no_main]

#[path = "support/bucket.rs"]
mod bucket;
#[path = "support/dialect_input.rs"]
mod dialect_input;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bucket::Bucket;
use dialect_input::{Input, Target};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use signpost::config::{IdTableLocation, Settings};
use signpost::lambda::respond;
use signpost::outbound::aws::CredentialSource;
use signpost::service::handler::Handler;
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
id = "t"
who = ["token:t"]
can = ["read", "write", "delete"]
on = ["turbo/acme/**", "nx/**", "lfs/game/**"]
"#;

/// The locks are removed after this number of inputs.
const INPUTS_BETWEEN_CLEANINGS: usize = 1000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
static BUCKET: LazyLock<Bucket> = LazyLock::new(Bucket::start);
static LOCKS: LazyLock<PathBuf> = LazyLock::new(|| std::env::temp_dir().join(format!("signpost-fuzz-{}", std::process::id())));
static INPUTS: AtomicUsize = AtomicUsize::new(0);

static HANDLER: LazyLock<Handler> = LazyLock::new(|| {
    let env = [
        ("SIGNPOST_BUCKET", "example-bucket"),
        ("SIGNPOST_ENDPOINT", BUCKET.origin.as_str()),
        ("SIGNPOST_PUBLIC_URL", "https://files.example.com"),
        ("AWS_REGION", "eu-central-1"),
        ("SIGNPOST_RULES", RULES),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = Settings::from_env(env).expect("valid settings");
    settings.table = Some(IdTableLocation::Folder(LOCKS.clone()));
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "fuzz");
    RUNTIME
        .block_on(Handler::start(settings, CredentialSource::from_provider(credentials)))
        .expect("a handler")
});

fuzz_target!(|input: Input<'_>| {
    if INPUTS.fetch_add(1, Ordering::Relaxed) % INPUTS_BETWEEN_CLEANINGS == 0 {
        let _ = std::fs::remove_dir_all(&*LOCKS);
        std::fs::create_dir(&*LOCKS).expect("a folder for the locks");
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_783_711_144);
    let response = RUNTIME.block_on(respond(&HANDLER, &input.event().to_string(), "invocation", now));
    let response: Value = serde_json::from_str(&response).expect("the response is JSON");
    let status = response["statusCode"].as_u64().expect("the response has a status");
    assert!((200..600).contains(&status) && status != 500, "{response}");
    if !input.has_credential() {
        assert!(signed_url(&response).is_none(), "{response}");
    }
    check_redirect(&input, &response);
    if let Target::Lfs { repository, .. } = &input.target {
        check_lfs(&repository.decoded(), &response);
    }
});

/// The URL in the header `location`.
fn signed_url(response: &Value) -> Option<&str> {
    let single = response["headers"]["location"].as_str();
    single.or(response["multiValueHeaders"]["location"][0].as_str())
}

/// The key to which a URL leads.
fn key_of(url: &str) -> String {
    let path = url.split('?').next().expect("a path");
    let key = path.strip_prefix(&format!("{}/example-bucket/", BUCKET.origin));
    let key = key.unwrap_or_else(|| panic!("{url} does not lead to the bucket"));
    percent_encoding::percent_decode_str(key).decode_utf8().expect("UTF-8").into_owned()
}

/// Checks that a redirect leads to the artifact in the path.
fn check_redirect(input: &Input<'_>, response: &Value) {
    let Some(url) = signed_url(response) else { return };
    let key = key_of(url);
    let expected = match &input.target {
        Target::Turborepo { hash } => format!("turbo/acme/{}", hash.decoded()),
        Target::Nx { hash } => format!("nx/{}", hash.decoded()),
        other => panic!("{other:?} led to {key}"),
    };
    assert_eq!(key, expected);
    assert!(!key.split('/').any(|segment| matches!(segment, "" | "." | "..")), "{key}");
}

/// Checks that each action leads to the object of its entry, and that each lock belongs to the caller.
fn check_lfs(repository: &str, response: &Value) {
    let text = response["body"].as_str().unwrap_or_default();
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    for object in body["objects"].as_array().into_iter().flatten() {
        let oid = object["oid"].as_str().expect("an id");
        assert!(object["actions"].is_null() || object["error"].is_null(), "{object}");
        for (_, action) in object["actions"].as_object().into_iter().flatten() {
            let path = format!("lfs/{repository}/{}/{}/{oid}", &oid[..2], &oid[2..4]);
            let href = action["href"].as_str().expect("a URL");
            assert!(href == format!("https://files.example.com/{path}") || key_of(href) == path, "{href}");
        }
    }
    let locks = ["locks", "ours", "theirs"].map(|name| body[name].as_array().cloned().unwrap_or_default());
    for lock in locks.iter().flatten().chain(body.get("lock")) {
        assert_eq!(lock["owner"]["name"], "t", "{lock}");
    }
    assert!(!text.contains("eyJ") && !text.contains("Bearer secret"), "the response contains a credential");
}
