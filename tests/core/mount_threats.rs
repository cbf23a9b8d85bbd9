//! The threats to a service with several buckets: a key of one mount must never reach another mount.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use signpost::key::{ObjectKey, PathEncoding};
use signpost::policy::Policy;
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::mounts::{location, rules, serve};
use crate::sts::{Answer, FakeSts, token};
use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now, parameter, settings};

#[tokio::test]
async fn a_rewrite_stays_in_the_mount_of_the_public_key() {
    let rules = r#"
version = 1
[[mount]]
at = "a/"
bucket = "bucket-a"
prefix = "p/"
[[mount]]
at = "a/b/"
bucket = "bucket-b"
[[rule]]
id = "whole"
who = ["anyone"]
can = ["read"]
on = ["a/k/**", "a/b/k/**", "k/**"]
rewrite = "b/{key}"
[[rule]]
id = "rest"
who = ["anyone"]
can = ["read"]
on = ["a/r/**", "r/**"]
rewrite = "b/{rest}"
[[rule]]
id = "all"
who = ["anyone"]
can = ["read"]
on = ["**"]
rewrite = "all/{rest}"
"#;
    let handler = serve(rules).await;
    for (path, bucket, key) in [
        ("/k/x", "example-bucket", "b/k/x"),
        ("/r/x", "example-bucket", "b/x"),
        ("/x", "example-bucket", "all/x"),
        ("/a/k/x", "bucket-a", "p/b/k/x"),
        ("/a/r/x", "bucket-a", "p/b/x"),
        ("/a/x", "bucket-a", "p/all/x"),
        ("/a/b/k/x", "bucket-b", "b/k/x"),
        ("/a/b/x/y", "bucket-b", "all/x/y"),
    ] {
        let url = location(&handler, "GET", path).await;
        assert_eq!(
            url,
            format!("https://{bucket}.s3.eu-central-1.amazonaws.com/{key}"),
            "{path}"
        );
    }
}

/// Two mounts of one bucket: `raw/x` and `all/raw/x` are one object.
const SAME_BUCKET: &str = r#"
version = 1
[[mount]]
at = "all/"
bucket = "shared-bucket"
[[mount]]
at = "raw/"
bucket = "shared-bucket"
prefix = "raw/"
[[rule]]
id = "read"
who = ["anyone"]
can = ["read", "list"]
on = ["**"]
"#;

#[tokio::test]
async fn a_deny_rule_protects_an_object_under_its_keys_in_all_mounts_of_its_bucket() {
    for (denied, open) in [
        ("raw/secret/**", "/all/raw/public"),
        ("all/raw/secret/**", "/raw/public"),
        ("raw/secret/key", "/raw/secret/other"),
    ] {
        let deny = format!(
            "{SAME_BUCKET}[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\", \"list\"]\non = [\"{denied}\"]\n"
        );
        let handler = serve(&deny).await;
        for path in ["/raw/secret/key", "/all/raw/secret/key"] {
            let response = handler.handle(&ask("GET", path), now()).await;
            assert_eq!(response.status(), 403, "{denied} {path}");
        }
        assert_eq!(
            handler.handle(&ask("GET", open), now()).await.status(),
            307,
            "{denied} {open}"
        );
    }
    let policy = Policy::parse(SAME_BUCKET).unwrap();
    let findings: Vec<_> = policy.findings().iter().map(ToString::to_string).collect();
    assert!(findings[0].contains("mounts \"all/\" and \"raw/\""), "{findings:?}");
}

#[tokio::test]
async fn mounts_with_different_endpoints_may_contain_the_same_objects() {
    let rules = r#"
version = 1
[[mount]]
at = "a/"
bucket = "bucket-a"
[[mount]]
at = "b/"
bucket = "bucket-a"
endpoint = "https://s3.eu-central-1.amazonaws.com"
[[mount]]
at = "c/"
bucket = "bucket-a"
endpoint = "http://localhost:9000"
[[mount]]
at = "d/"
bucket = "bucket-d"
endpoint = "http://localhost:9000"
[[rule]]
id = "all"
who = ["anyone"]
can = ["read"]
on = ["**"]
[[rule]]
id = "secret"
effect = "deny"
who = ["anyone"]
can = ["read"]
on = ["a/secret/**"]
"#;
    let handler = serve(rules).await;
    for (path, expected) in [
        ("/a/secret/x", 403),
        ("/b/secret/x", 403),
        ("/c/secret/x", 403),
        ("/d/secret/x", 307),
        ("/b/x", 307),
        ("/c/x", 307),
    ] {
        assert_eq!(status(&handler, path).await, expected, "{path}");
    }
}

/// Rules for share links. The secret of the token is `secret`.
fn sharing(mounts: &str) -> String {
    format!(
        "version = 1\n[[token]]\nid = \"ann\"\nsha256 = \
         \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n[[rule]]\nid = \"r\"\nwho = [\"token:ann\"]\n\
         can = [\"read\", \"write\"]\non = [\"**\"]\nshare = [\"read\", \"write\"]\n{mounts}"
    )
}

async fn share(handler: &Handler, target: Value) -> String {
    let request = ApiRequest {
        body: Bytes::from(target.to_string()),
        ..ask("POST", "/-/share")
    };
    let request = request
        .with("authorization", "Bearer secret")
        .with("accept", "application/json");
    let response = handler.handle(&request, now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    let url = json(&response)["url"].as_str().unwrap().to_owned();
    url.split_once("?share=").unwrap().1.to_owned()
}

async fn status(handler: &Handler, path: &str) -> u16 {
    handler.handle(&ask("GET", path), now()).await.status().as_u16()
}

const ONE_MOUNT: &str = "[[mount]]\nat = \"a/\"\nbucket = \"bucket-a\"\n";
const MOVED_MOUNT: &str = "[[mount]]\nat = \"a/\"\nbucket = \"bucket-b\"\n";

#[tokio::test]
async fn a_share_link_is_valid_only_in_the_mount_in_which_it_was_created() {
    let (plain, mounted, moved) = (
        serve(&sharing("")).await,
        serve(&sharing(ONE_MOUNT)).await,
        serve(&sharing(MOVED_MOUNT)).await,
    );
    for target in [json!({"key": "a/x"}), json!({"prefix": "a/"})] {
        let before = share(&plain, target.clone()).await;
        let after = share(&mounted, target.clone()).await;
        for (handler, link, expected) in [
            (&plain, &before, 307),
            (&mounted, &before, 403),
            (&mounted, &after, 307),
            (&plain, &after, 403),
            (&moved, &after, 403),
        ] {
            assert_eq!(
                status(handler, &format!("/a/x?share={link}")).await,
                expected,
                "{target}"
            );
        }
    }
    let outer = share(&mounted, json!({"prefix": "b/"})).await;
    assert_eq!(status(&mounted, &format!("/b/x?share={outer}")).await, 307);
}

#[tokio::test]
async fn a_share_link_for_an_outer_folder_does_not_reach_a_mount_in_it() {
    let inner = "[[mount]]\nat = \"a/b/\"\nbucket = \"bucket-b\"\n";
    let (before, after) = (
        serve(&sharing(ONE_MOUNT)).await,
        serve(&sharing(&format!("{ONE_MOUNT}{inner}"))).await,
    );
    for handler in [&before, &after] {
        let link = share(handler, json!({"prefix": "a/"})).await;
        for (path, expected) in [
            ("/a/x", 307),
            ("/a/b", 307),
            ("/a/b/x", 403),
            ("/a%2Fb%2Fx", 403),
            ("/a/b%2fx", 403),
        ] {
            assert_eq!(
                status(&after, &format!("{path}?share={link}")).await,
                expected,
                "{path}"
            );
        }
    }
    let link = share(&before, json!({"prefix": "a/"})).await;
    assert_eq!(status(&before, &format!("/a/b/x?share={link}")).await, 307);
}

#[tokio::test]
async fn the_cached_session_of_a_removed_or_changed_mount_signs_nothing() {
    const ROLE: &str = "arn:aws:iam::210987654321:role/one";
    let sts = FakeSts::start(Answer::SessionUntil(now() + std::time::Duration::from_hours(1))).await;
    let mounted = rules(&format!("{ONE_MOUNT}sign_as = \"{ROLE}\"\n"));
    let env = [
        ("SIGNPOST_RULES", mounted.as_str()),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let settings = settings(&env);
    let handler = handler_with(&env, credentials(None, None)).await;
    let session = async |handler: &Handler| {
        let response = handler.handle(&ask("GET", "/a/x"), now()).await;
        let url = header(&response, "location").to_owned();
        (
            url.split('/').nth(2).unwrap().to_owned(),
            parameter(&url, "X-Amz-Security-Token"),
        )
    };
    let (host, service) = (
        "bucket-a.s3.eu-central-1.amazonaws.com".to_owned(),
        "example-bucket.s3.eu-central-1.amazonaws.com".to_owned(),
    );
    assert_eq!(session(&handler).await, (host.clone(), Some(token(1))));
    let removed = handler.with_rules(&rules(""), &settings).unwrap();
    assert_eq!(session(&removed).await, (service, None));
    let unsigned = removed.with_rules(&rules(ONE_MOUNT), &settings).unwrap();
    assert_eq!(session(&unsigned).await, (host.clone(), None));
    let other = mounted.replace("role/one", "role/two");
    let other = unsigned.with_rules(&other, &settings).unwrap();
    assert_eq!(session(&other).await, (host.clone(), Some(token(2))));
    assert_eq!(sts.calls()[1]["RoleArn"], ROLE.replace("one", "two"));
    let again = other.with_rules(&mounted, &settings).unwrap();
    assert_eq!(
        session(&again).await,
        (host, Some(token(3))),
        "the session ended with its mount"
    );
}

#[tokio::test]
async fn an_upload_id_of_a_removed_mount_reaches_only_the_bucket_that_now_stores_the_key() {
    let path = "/a/x?partNumber=1&uploadId=u";
    let mounted = serve(&rules(ONE_MOUNT)).await;
    assert_eq!(
        location(&mounted, "PUT", path).await,
        "https://bucket-a.s3.eu-central-1.amazonaws.com/x"
    );
    let plain = serve(&rules("")).await;
    assert_eq!(
        location(&plain, "PUT", path).await,
        "https://example-bucket.s3.eu-central-1.amazonaws.com/a/x"
    );
}

const SEGMENTS: [&str; 6] = ["a", "b", "ab", "", "a b", "%2F"];

fn key() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&SEGMENTS[..]), 1..6).prop_map(|segments| segments.join("/"))
}

fn mount_points() -> impl Strategy<Value = Vec<String>> {
    let segment = proptest::sample::select(&SEGMENTS[..3]);
    let at = proptest::collection::vec(segment, 1..4).prop_map(|segments| segments.join("/") + "/");
    proptest::collection::btree_set(at, 0..8).prop_map(|set| set.into_iter().collect())
}

/// The mount of a key by the definition: the longest prefix.
fn expected_mount<'a>(mounts: &'a [String], key: &str) -> Option<&'a String> {
    mounts
        .iter()
        .filter(|at| key.starts_with(at.as_str()))
        .max_by_key(|at| at.len())
}

/// Escapes a random part of the characters, also of those that need no escape.
fn escaped(key: &str, seed: u64) -> String {
    let escape = |(index, byte): (usize, u8)| {
        let is_optional = byte.is_ascii_alphanumeric() || byte == b'/';
        if is_optional && (seed >> (index % 64)) & 1 == 0 {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    };
    key.bytes().enumerate().map(escape).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_key_of_one_mount_never_reaches_another(
        mounts in mount_points(), key in key(), seed in any::<u64>(), rewrite in 0..4_usize, decoded in any::<bool>(),
    ) {
        let tables: Vec<_> = mounts.iter().enumerate().map(|(index, at)| {
            let prefix = ["", "prefix = \"a/\"\n", "prefix = \"b/a/\"\n"][index % 3];
            format!("[[mount]]\nat = \"{at}\"\nbucket = \"bucket-{index}\"\n{prefix}")
        }).collect();
        let tables = tables.concat();
        let rewrite = ["", "rewrite = \"a/{rest}\"\n", "rewrite = \"b/a/{key}\"\n", "rewrite = \"ab/{rest}\"\n"][rewrite];
        let rules = format!("version = 1\n{tables}[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n{rewrite}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let response = runtime.block_on(async {
            let handler = serve(&rules).await;
            let path = format!("/{}", if decoded { key.clone() } else { escaped(&key, seed) });
            let encoding = if decoded { PathEncoding::Decoded } else { PathEncoding::Percent };
            handler.handle(&ApiRequest { encoding, ..ask("GET", &path) }, now()).await
        });
        let url = header(&response, "location");
        // Listings and keys that are not valid have no redirect.
        prop_assert_eq!(url.is_empty(), response.status() != 307);
        if !url.is_empty() {
            let at = expected_mount(&mounts, &key);
            let index = at.map(|at| mounts.iter().position(|other| other == at).unwrap());
            let bucket = index.map_or("example-bucket".to_owned(), |index| format!("bucket-{index}"));
            let path = url.strip_prefix(&format!("https://{bucket}.s3.eu-central-1.amazonaws.com"));
            let path = path.ok_or_else(|| TestCaseError::fail(format!("{key:?} in {mounts:?}: {url}")))?;
            let stored = ObjectKey::from_path(path.split('?').next().unwrap(), PathEncoding::Percent).unwrap();
            let prefix = index.map_or("", |index| ["", "a/", "b/a/"][index % 3]);
            let relative = stored.as_str().strip_prefix(prefix);
            let relative = relative.ok_or_else(|| TestCaseError::fail(format!("{stored} is outside {prefix}")))?;
            let own = key.strip_prefix(at.map_or("", |at| at.as_str())).unwrap();
            prop_assert!(relative.ends_with(own), "{} for {}", relative, key);
        }
    }

    /// The mounts are at `0/`, `0/1/` and so on, but only those whose bit is set.
    #[test]
    fn the_lookup_finds_the_innermost_of_many_nested_mounts(exists in proptest::collection::vec(any::<bool>(), 1..120)) {
        let folder = |depth: usize| (0..depth).map(|segment| format!("{segment}/")).collect::<Vec<_>>().concat();
        let depths = 1..=exists.len();
        let mounts: Vec<_> = depths.clone().filter(|depth| exists[depth - 1]).map(folder).collect();
        let tables: Vec<_> = mounts.iter().map(|at| format!("[[mount]]\nat = \"{at}\"\nbucket = \"abc\"\n")).collect();
        let tables = tables.concat();
        let policy = Policy::parse(&format!("version = 1\n{tables}")).unwrap();
        for key in depths.flat_map(|depth| [folder(depth), folder(depth) + "key", folder(depth) + "~/key"]) {
            let found = policy.mounts.find(&key).map(|mount| mount.at.as_str());
            prop_assert_eq!(found, Some(expected_mount(&mounts, &key).map_or("", |at| at.as_str())), "{}", key);
        }
    }

    #[test]
    fn the_lookup_finds_the_longest_prefix(mounts in mount_points(), keys in proptest::collection::vec(key(), 20)) {
        let tables: Vec<_> = mounts.iter().map(|at| format!("[[mount]]\nat = \"{at}\"\nbucket = \"abc\"\n")).collect();
        let tables = tables.concat();
        let policy = Policy::parse(&format!("version = 1\n{tables}")).unwrap();
        for key in keys {
            let found = policy.mounts.find(&key).map(|mount| mount.at.as_str());
            prop_assert_eq!(found, Some(expected_mount(&mounts, &key).map_or("", |at| at.as_str())), "{}", key);
            let below: Vec<_> = policy.mounts.directly_below(&key).map(|mount| mount.at.as_str()).collect();
            let is_below = |at: &&String| at.starts_with(&key) && at.len() > key.len();
            let outermost = mounts.iter().filter(is_below).filter(|at| {
                !mounts.iter().filter(is_below).any(|other| other != *at && at.starts_with(other.as_str()))
            });
            let outermost: Vec<_> = outermost.map(String::as_str).collect();
            prop_assert_eq!(below, outermost, "{}", key);
        }
    }
}

#[tokio::test]
async fn a_deny_rule_protects_an_object_under_the_name_that_a_rule_for_an_outer_folder_gives_it() {
    let rules = r#"
version = 1
[[mount]]
at = "a/b/"
bucket = "bucket-b"
[[rule]]
id = "direct"
who = ["anyone"]
can = ["read"]
on = ["a/b/s/**"]
[[rule]]
id = "names"
who = ["anyone"]
can = ["read"]
on = ["a/**"]
rewrite = "s/{rest}"
[[rule]]
id = "secret"
effect = "deny"
who = ["anyone"]
can = ["read"]
on = ["a/b/secret/**"]
"#;
    let handler = serve(rules).await;
    for (path, expected) in [
        ("/a/b/secret/x", 403),
        ("/a/b/s/secret/x", 403),
        ("/a/b/s/open/x", 307),
        ("/a/b/open/x", 307),
    ] {
        assert_eq!(status(&handler, path).await, expected, "{path}");
    }
}
