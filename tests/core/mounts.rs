//! Mounts: the bucket and the storage key of each public key, in every kind of request.

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::mount::{Mount, MountCredentials};
use signpost::policy::Policy;
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::support::{OPEN_RULES, With as _, ask, body, credentials, handler_with, header, json, now, parameter};

const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const MOUNTS: &str = r#"
[[mount]]
at = "archive/"
bucket = "acme-archive"
prefix = "2024/"
region = "eu-west-1"

[[mount]]
at = "archive/hot/"
bucket = "acme-hot"

[[mount]]
at = "minio/"
bucket = "data"
endpoint = "https://minio.example.com:9000"
"#;

/// The rules that allow everything, with mounts.
pub(crate) fn rules(mounts: &str) -> String {
    format!("{OPEN_RULES}{mounts}")
}

pub(crate) async fn serve(rules: &str) -> Handler {
    handler_with(
        &[("SIGNPOST_RULES", rules), ("SIGNPOST_KEYS", KEYS)],
        credentials(None, None),
    )
    .await
}

/// A handler without a bucket for the keys outside every mount.
async fn serve_without_root(rules: &str) -> Handler {
    let env = [("SIGNPOST_RULES", rules), ("SIGNPOST_BUCKET", "")];
    handler_with(&env, credentials(None, None)).await
}

/// The URL of a redirect without its query.
pub(crate) async fn location(handler: &Handler, method: &str, path: &str) -> String {
    let response = handler.handle(&ask(method, path).sized(5), now()).await;
    assert_eq!(response.status(), 307, "{method} {path}: {}", body(&response));
    header(&response, "location").split('?').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_longest_mount_stores_the_object() {
    let handler = serve(&rules(MOUNTS)).await;
    for (path, url) in [
        ("/a", "https://example-bucket.s3.eu-central-1.amazonaws.com/a"),
        (
            "/archive",
            "https://example-bucket.s3.eu-central-1.amazonaws.com/archive",
        ),
        (
            "/archives/a",
            "https://example-bucket.s3.eu-central-1.amazonaws.com/archives/a",
        ),
        (
            "/Archive/a",
            "https://example-bucket.s3.eu-central-1.amazonaws.com/Archive/a",
        ),
        (
            "//archive/a",
            "https://example-bucket.s3.eu-central-1.amazonaws.com//archive/a",
        ),
        ("/archive/a", "https://acme-archive.s3.eu-west-1.amazonaws.com/2024/a"),
        ("/archive%2Fa", "https://acme-archive.s3.eu-west-1.amazonaws.com/2024/a"),
        ("/archive//a", "https://acme-archive.s3.eu-west-1.amazonaws.com/2024//a"),
        (
            "/archive/archive/a",
            "https://acme-archive.s3.eu-west-1.amazonaws.com/2024/archive/a",
        ),
        (
            "/archive/hot",
            "https://acme-archive.s3.eu-west-1.amazonaws.com/2024/hot",
        ),
        (
            "/archive//hot/a",
            "https://acme-archive.s3.eu-west-1.amazonaws.com/2024//hot/a",
        ),
        (
            "/archive/hot/a%20b",
            "https://acme-hot.s3.eu-central-1.amazonaws.com/a%20b",
        ),
        ("/archive/hot//a", "https://acme-hot.s3.eu-central-1.amazonaws.com//a"),
        ("/archive%2fhot%2fa", "https://acme-hot.s3.eu-central-1.amazonaws.com/a"),
        (
            "/archive/%2Fhot/a",
            "https://acme-archive.s3.eu-west-1.amazonaws.com/2024//hot/a",
        ),
        ("/minio/a", "https://minio.example.com:9000/data/a"),
        ("/minio/-/a", "https://minio.example.com:9000/data/-/a"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            assert_eq!(location(&handler, method, path).await, url, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn no_request_reaches_a_bucket_itself_through_the_key_of_a_mount() {
    let handler = serve(&rules(MOUNTS)).await;
    for path in ["/minio/", "/archive/hot/"] {
        for method in ["PUT", "DELETE", "HEAD"] {
            let response = handler.handle(&ask(method, path).sized(0), now()).await;
            let location = header(&response, "location");
            assert!(location.is_empty(), "{method} {path}: {} {location}", response.status());
        }
    }
    let with_prefix = location(&handler, "PUT", "/archive/").await;
    assert_eq!(with_prefix, "https://acme-archive.s3.eu-west-1.amazonaws.com/2024/");
}

#[tokio::test]
async fn every_kind_of_request_uses_the_mount_of_its_key() {
    const HOST: &str = "https://acme-archive.s3.eu-west-1.amazonaws.com/2024/";
    let handler = serve(&rules(MOUNTS)).await;
    for (method, path) in [
        ("POST", "/archive/a?uploads"),
        ("PUT", "/archive/a?partNumber=1&uploadId=u"),
        ("GET", "/archive/a?uploadId=u"),
        ("POST", "/archive/a?uploadId=u"),
        ("DELETE", "/archive/a?uploadId=u"),
        ("HEAD", "/archive/a"),
        ("GET", "/archive/a?versionId=1"),
    ] {
        let url = location(&handler, method, path).await;
        assert_eq!(url, format!("{HOST}a"), "{method} {path}");
    }
    let response = handler.handle(&ask("GET", "/archive/a?json"), now()).await;
    let instruction = json(&response);
    let url = instruction["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{HOST}a?")), "{url}");
    assert_eq!(instruction["key"], "archive/a");
    assert!(
        parameter(url, "X-Amz-Credential").unwrap().contains("/eu-west-1/s3/"),
        "{url}"
    );

    let items = json!([{"method": "GET", "key": "archive/a"}, {"method": "GET", "key": "b"}]);
    let request = ApiRequest {
        body: Bytes::from(items.to_string()),
        ..ask("POST", "/-/sign")
    };
    let signed = json(&handler.handle(&request, now()).await).to_string();
    assert!(
        signed.contains(HOST) && signed.contains("https://example-bucket.s3.eu-central-1."),
        "{signed}"
    );

    let response = handler.handle(&ask("POST", "/archive/new/?ext=txt"), now()).await;
    let text = body(&response);
    assert!(
        text.contains(&format!("{HOST}new/")) && text.contains("archive/new/"),
        "{text}"
    );

    let response = handler.handle(&ask("GET", "/-/presign/archive/a"), now()).await;
    assert!(!body(&response).contains("example-bucket"), "{}", body(&response));
}

#[tokio::test]
async fn a_form_names_the_bucket_and_the_prefix_of_its_mount() {
    use base64::Engine as _;
    let open = OPEN_RULES.replace("\non =", "\noverwrite = true\non =");
    let handler = serve(&format!("{open}{MOUNTS}")).await;
    for (path, key) in [("/archive/a?form", "2024/a"), ("/archive/in/?form", "2024/in/")] {
        let response = handler
            .handle(&ask("GET", path).with("accept", "application/json"), now())
            .await;
        let form = json(&response);
        assert_eq!(
            form["url"], "https://acme-archive.s3.eu-west-1.amazonaws.com/",
            "{form}"
        );
        assert!(form["fields"]["key"].as_str().unwrap().starts_with(key), "{form}");
        let policy = form["fields"]["policy"].as_str().unwrap();
        let policy = base64::prelude::BASE64_STANDARD.decode(policy).unwrap();
        let policy: Value = serde_json::from_slice(&policy).unwrap();
        let conditions = policy["conditions"].as_array().unwrap();
        assert!(conditions.contains(&json!({"bucket": "acme-archive"})), "{policy}");
    }
}

#[tokio::test]
async fn a_key_outside_every_mount_has_no_bucket_without_the_setting() {
    let rules = r#"
version = 1
[[mount]]
at = "archive/"
bucket = "acme-archive"
[[rule]]
id = "all"
who = ["anyone"]
can = ["read", "list"]
on = ["archive/**", "open/**"]
"#;
    let handler = serve_without_root(rules).await;
    assert_eq!(
        location(&handler, "GET", "/archive/a").await,
        "https://acme-archive.s3.eu-central-1.amazonaws.com/a"
    );
    for (path, status, code) in [
        ("/open/a", 404, "NoSuchBucket"),
        ("/open/", 404, "NoSuchBucket"),
        ("/secret/a", 403, "AccessDenied"),
        ("/archive", 403, "AccessDenied"),
    ] {
        let response = handler
            .handle(&ask("GET", path).with("accept", "application/json"), now())
            .await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(json(&response)["code"], code, "{path}: {}", body(&response));
    }
}

#[test]
fn a_contradiction_in_the_mounts_is_reported_with_its_line() {
    let mount = |fields: &str| format!("version = 1\n\n[[mount]]\nat = \"a/\"\n{fields}\n");
    let field = |field: &str| mount(&format!("bucket = \"abc\"\n{field}"));
    let at = |at: &str| format!("version = 1\n\n[[mount]]\nat = \"{at}\"\nbucket = \"abc\"\n");
    for (rules, problem) in [
        (
            mount(
                "bucket = \"abc\"\n[[mount]]\nat = \"b/\"\nbucket = \"abc\"\n\n[[mount]]\nat = \"a/\"\nbucket = \"d-e\"",
            ),
            "line 10, mount \"a/\": at: line 3",
        ),
        (at(""), "line 3, mount \"\": at: must not be empty"),
        (at("a"), "line 3, mount \"a\": at: \"a\" must end in `/`"),
        (at("/a/"), "line 3, mount \"/a/\": at: "),
        (at("-/a/"), "line 3, mount \"-/a/\": at: must not begin with"),
        (at("a/../"), "line 3, mount \"a/../\": at: "),
        (at("a/**/"), "line 3, mount \"a/**/\": at: "),
        (at("{user_id}/"), "line 3, mount \"{user_id}/\": at: "),
        (
            field("prefix = \"x\""),
            "line 3, mount \"a/\": prefix: \"x\" must end in `/`",
        ),
        (field("prefix = \"x{y}/\""), "line 3, mount \"a/\": prefix: "),
        (field("region = \"Europe\""), "line 3, mount \"a/\": region: "),
        (
            field("endpoint = \"s3.example.com\""),
            "line 3, mount \"a/\": endpoint: ",
        ),
        (field("sign_as = \"archive\""), "line 3, mount \"a/\": sign_as: "),
        (field("credentials = \"r2\""), "line 3, mount \"a/\": credentials: "),
        (
            field("external_id = \"abc\""),
            "line 3, mount \"a/\": external_id: requires `sign_as`",
        ),
        (
            field("sign_as = \"arn:aws:iam::123456789012:role/a\"\nexternal_id = \"a b\""),
            "line 3, mount \"a/\": external_id: ",
        ),
        (
            field("sign_as = \"arn:aws:iam::123456789012:role/a\"\ncredentials = \"R2\""),
            "line 3, mount \"a/\": sign_as: set only one",
        ),
        (mount("bucket = \"A_B\""), "line 3, mount \"a/\": bucket: "),
        (
            mount("bucket = \"abc--use1-az4--x-s3\""),
            "directory bucket (S3 Express One Zone), which is not supported",
        ),
        (
            mount("bucket = \"arn:aws:s3::123456789012:accesspoint/abc.mrap\""),
            "multi-region access point, which is not supported",
        ),
        (
            mount("bucket = \"arn:aws:s3:us-west-2:123456789012:bucket/abc\""),
            "is not the ARN of an access point",
        ),
        (
            mount("bucket = \"arn:aws:s3:us-west-2:123456789012:accesspoint/abc\"\nregion = \"eu-west-1\""),
            "region: the access point is in us-west-2",
        ),
        (
            mount("bucket = \"arn:aws:s3:us-west-2:123456789012:accesspoint/abc\"\nendpoint = \"https://a.example\""),
            "bucket: an access point has its own host name",
        ),
        (field("colour = \"red\""), "line 6"),
        (mount("bucket = 1"), "line 5"),
    ] {
        let error = Policy::parse(&rules).expect_err(&rules).to_string();
        assert!(error.contains(problem), "{rules}\n{error}\n{problem}");
    }
}

#[test]
fn a_mount_signs_only_as_the_arn_of_a_role() {
    let parse = |arn: &str| {
        let rules = format!("version = 1\n\n[[mount]]\nat = \"a/\"\nbucket = \"abc\"\nsign_as = \"{arn}\"\n");
        Policy::parse(&rules).map(drop).map_err(|error| error.to_string())
    };
    for arn in [
        "arn:aws:iam::123456789012:role/reader",
        "arn:aws-us-gov:iam::123456789012:role/team/a+b=c,d.e@f_g-h",
        "arn:minio:iam:::role/reader",
    ] {
        assert_eq!(parse(arn), Ok(()), "{arn}");
    }
    for arn in [
        "urn:aws:iam::123456789012:role/reader",
        "arn::iam::123456789012:role/reader",
        "arn:a_w_s:iam::123456789012:role/reader",
        "arn:aws:sts::123456789012:role/reader",
        "arn:aws:iam:eu-west-1:123456789012:role/reader",
        "arn:aws:iam::1234_5678:role/reader",
        "arn:aws:iam::123456789012:user/reader",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a b",
        "arn:aws:iam::123456789012:role/a:b",
    ] {
        let error = parse(arn).expect_err(arn);
        assert!(
            error.contains(&format!("sign_as: \"{arn}\" is not a role such as")),
            "{error}"
        );
    }
}

#[test]
fn only_the_arn_of_a_multi_region_access_point_is_reported_as_one() {
    for (arn, is_multi_region) in [
        ("arn:aws:s3::123456789012:accesspoint/abc.mrap", true),
        ("arn:aws:s3:eu-west-1:123456789012:accesspoint/a_b", false),
        ("arn:aws:s3-outposts::123456789012:outpost/op-1/accesspoint/a_b", false),
        ("arn:aws:s3-outposts::123456789012:accesspoint/a_b", false),
        ("arn:aws:s3::123456789012:bucket/abc", false),
    ] {
        let rules = format!("version = 1\n\n[[mount]]\nat = \"a/\"\nbucket = \"{arn}\"\n");
        let error = Policy::parse(&rules).expect_err(arn).to_string();
        assert_eq!(
            error.contains("is a multi-region access point"),
            is_multi_region,
            "{error}"
        );
    }
}

/// Settings in addition to the rules.
type Environment = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn settings_that_contradict_a_mount_stop_the_start_up_with_its_line() {
    use signpost::outbound::aws::CredentialSource;
    let mount = |more: &str| format!("version = 1\n[[mount]]\nat = \"a/\"\nbucket = \"abc\"\n{more}\n");
    let cases: [(String, Environment, &str); 5] = [
        (
            mount("credentials = \"R2\""),
            &[],
            "line 2, mount \"a/\": credentials: requires the setting SIGNPOST_CREDENTIALS_R2",
        ),
        (
            mount("endpoint = \"https://r2.example\""),
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            "line 2, mount \"a/\": endpoint: ",
        ),
        (
            String::new(),
            &[("SIGNPOST_BUCKET", "")],
            "SIGNPOST_BUCKET: is required",
        ),
        (
            "version = 1\n[signer]\nepoch = \"2\"".into(),
            &[],
            "SIGNPOST_SIGNER_ROLE_ARN: ",
        ),
        (
            mount("sign_as = \"arn:aws:iam::123456789012:role/a\"")
                + "[[rule]]\nid = \"a\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n",
            &[("SIGNPOST_SIGNER_SESSION", "1m")],
            "SIGNPOST_SIGNER_SESSION: ",
        ),
    ];
    for (rules, env, problem) in cases {
        let env = [env, &[("SIGNPOST_RULES", rules.as_str())]].concat();
        let source = CredentialSource::from_provider(credentials(None, None));
        let error = Handler::start(crate::support::settings(&env), source)
            .await
            .expect_err(problem);
        assert!(error.to_string().contains(problem), "{error}\n{problem}");
    }
}

/// A user who may write to the bucket of the rules could change them. The same bucket can have several endpoints.
#[test]
fn a_mount_of_the_bucket_with_the_rules_is_rejected() {
    let settings = crate::support::settings(&[("SIGNPOST_RULES_SOURCE", "s3://rules-bucket/rules.toml")]);
    for endpoint in [
        None,
        Some("https://s3.eu-central-1.amazonaws.com"),
        Some("http://localhost:9000"),
    ] {
        for (bucket, is_rejected) in [("rules-bucket", true), ("other-bucket", false)] {
            let mount = Mount {
                at: "a/".into(),
                bucket: bucket.into(),
                endpoint: endpoint.map(str::to_owned),
                ..Mount::default()
            };
            let problem = settings.mount_problem(&mount);
            assert_eq!(problem.is_some(), is_rejected, "{bucket} {endpoint:?}: {problem:?}");
        }
    }
}

#[test]
fn a_service_without_mounts_has_one_bucket_for_every_key() {
    let policy = Policy::parse(OPEN_RULES).unwrap();
    assert!(policy.mounts.is_empty());
    assert!(policy.mounts.find("any/key").is_some_and(|mount| mount.is_root()));
}

/// The rules files in the document about buckets.
#[test]
fn every_recipe_of_the_document_is_valid_and_names_its_bucket() {
    let document = include_str!("../../docs/BUCKETS.md");
    let blocks: Vec<_> = document.split("```toml\n").skip(1).collect();
    let rules = blocks.iter().map(|block| block.split("```").next().unwrap());
    let policies: Vec<_> = rules.map(|rules| Policy::parse(rules).expect(rules)).collect();
    let buckets: Vec<_> = policies.iter().flat_map(|policy| policy.mounts.with_lines()).collect();
    let names: Vec<_> = buckets
        .iter()
        .map(|(mount, _)| (mount.at.as_str(), mount.bucket.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("archive/", "acme-archive"),
            ("media/", "acme-media"),
            ("archive/", "acme-archive"),
            ("west/", "arn:aws:s3:us-west-2:123456789012:accesspoint/files"),
            ("partner/", "partner-files"),
            ("cdn/", "acme-cdn"),
            ("lab/", "measurements"),
        ]
    );
}

#[test]
fn a_local_server_emulates_a_mount_with_a_bucket_of_its_own() {
    let rules = rules(
        "[[mount]]\nat = \"a/\"\nbucket = \"arn:aws:s3:eu-west-1:123456789012:accesspoint/reports\"\nprefix = \"in/\"\n\
         sign_as = \"arn:aws:iam::123456789012:role/reader\"\n",
    );
    let policy = Policy::parse(&rules).unwrap();
    let (mount, _) = policy.mounts.with_lines().next().unwrap();
    let emulated = mount.emulated();
    let location = (emulated.at.as_str(), emulated.bucket.as_str(), emulated.prefix.as_str());
    assert_eq!(location, ("a/", "reports", "in/"));
    assert_eq!((emulated.region, emulated.endpoint), (None, None));
    assert!(
        matches!(emulated.credentials, MountCredentials::Service),
        "no role is assumed"
    );
}

#[test]
fn the_region_of_a_mount_may_repeat_the_region_of_its_access_point() {
    let arn = "arn:aws:s3:us-west-2:123456789012:accesspoint/abc";
    let rules = format!("version = 1\n[[mount]]\nat = \"a/\"\nbucket = \"{arn}\"\nregion = \"us-west-2\"\n");
    Policy::parse(&rules).unwrap();
}

#[test]
fn a_mount_of_the_command_line_follows_the_rules_of_the_file() {
    for (at, bucket, is_valid) in [
        ("a/", "abc", true),
        ("a", "abc", false),
        ("", "abc", false),
        ("-/a/", "abc", false),
        ("a/", "A_B", false),
        ("a/", "abc--use1-az4--x-s3", false),
    ] {
        assert_eq!(
            signpost::policy::check_mount(at, bucket).is_ok(),
            is_valid,
            "{at} {bucket}"
        );
    }
}

#[tokio::test]
async fn a_page_without_a_bucket_offers_no_action() {
    let rules = "version = 1\n[[mount]]\nat = \"archive/\"\nbucket = \"acme-archive\"\n[[rule]]\nid = \"all\"\n\
        who = [\"anyone\"]\ncan = [\"read\", \"list\", \"write\"]\non = [\"**\"]\nallow_anonymous_write = true\n";
    let request = ask("GET", "/")
        .with("accept", "text/html,*/*;q=0.8")
        .with("sec-fetch-mode", "navigate");
    let page = serve_without_root(rules).await.handle(&request, now()).await;
    assert_eq!(page.status(), 200, "{}", body(&page));
    assert!(
        body(&page).contains("href=\"archive/\"") && !body(&page).contains("data-action=\"upload-files\""),
        "{}",
        body(&page)
    );
}

#[test]
fn a_local_server_replaces_a_mount_and_emulates_the_others_without_an_endpoint() {
    let rules = rules(
        "[[mount]]\nat = \"a/\"\nbucket = \"arn:aws:s3:eu-west-1:123456789012:accesspoint/reports\"\n\
         [[mount]]\nat = \"b/\"\nbucket = \"backup\"\nendpoint = \"https://r2.example\"\n\
         [[mount]]\nat = \"c/\"\nbucket = \"cache\"\nregion = \"eu-west-1\"\n",
    );
    let declared = Policy::parse(&rules).unwrap().mounts;
    let (replacement, _) = declared.with_lines().find(|(mount, _)| mount.at == "b/").unwrap();
    let mut replacement = replacement.clone();
    replacement.at = "c/".to_owned();
    let localized = |emulate: bool| {
        let mounts = declared.localized(emulate, std::slice::from_ref(&replacement));
        let row = |(mount, line): (&signpost::mount::Mount, usize)| (mount.at.clone(), mount.bucket.clone(), line);
        mounts.with_lines().map(row).collect::<Vec<_>>()
    };
    let row = |at: &str, bucket: &str, line| (at.to_owned(), bucket.to_owned(), line);
    let lines: Vec<_> = declared.with_lines().map(|(_, line)| line).collect();
    assert_eq!(
        localized(true),
        [
            row("a/", "reports", lines[0]),
            row("b/", "backup", lines[1]),
            row("c/", "backup", 0)
        ]
    );
    assert_eq!(
        localized(false),
        [
            row("a/", "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports", lines[0]),
            row("b/", "backup", lines[1]),
            row("c/", "backup", 0)
        ]
    );
    let emulated = declared.localized(true, &[]);
    let endpoints: Vec<_> = emulated
        .with_lines()
        .map(|(mount, _)| (mount.region.is_some(), mount.endpoint.is_some()))
        .collect();
    assert_eq!(endpoints, [(false, false), (false, true), (false, false)]);
}
