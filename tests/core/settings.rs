//! Settings: required ones, rejected values, and their effect on the URLs of the bucket.

use signpost::config::Settings;
use signpost::outbound::aws::{CredentialSource, Presigner};
use signpost::service::handler::Handler;

use crate::support::{ask, credentials, handler_with, header, now, settings};

fn parse(env: &[(&str, &str)]) -> Result<Settings, String> {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_env(env).map_err(|error| error.to_string())
}

#[test]
fn a_variable_of_the_command_is_not_a_setting_and_the_error_says_so() {
    let good = [("SIGNPOST_BUCKET", "example-bucket"), ("AWS_REGION", "eu-central-1")];
    for variable in ["SIGNPOST_URL", "SIGNPOST_TOKEN"] {
        let error = parse(&[good[0], good[1], (variable, "hush")]).unwrap_err();
        assert!(
            error.contains(&format!("{variable} is a variable of the command `signpost`")),
            "{error}"
        );
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn an_invalid_setting_prevents_startup_and_is_reported() {
    let good = [("SIGNPOST_BUCKET", "example-bucket"), ("AWS_REGION", "eu-central-1")];
    assert!(parse(&good).is_ok());
    assert!(
        parse(&good[1..]).is_ok(),
        "the mounts of the rules can contain every key"
    );
    assert_eq!(parse(&good[..1]).unwrap_err(), "AWS_REGION: is required");
    for (name, value) in [
        ("SIGNPOST_BUCKET", "Example_Bucket"),
        ("SIGNPOST_BUCKET", "a"),
        ("AWS_REGION", "eu central 1"),
        ("SIGNPOST_PATH_STYLE", "yes"),
        ("SIGNPOST_ACCELERATE", "1"),
        ("SIGNPOST_ENDPOINT", "s3.example.com"),
        ("SIGNPOST_ENDPOINT", "ftp://s3.example.com"),
        ("SIGNPOST_ENDPOINT", "https://user@s3.example.com"),
        ("SIGNPOST_ENDPOINT", "https://s3.example.com/path"),
        ("SIGNPOST_SIGNER_ROLE_ARN", "signer"),
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:user/signer"),
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/"),
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:a*:iam::123456789012:role/signer"),
        ("SIGNPOST_SIGNING_MODE", "member"),
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("SIGNPOST_SIGNING_MODE", "signer"),
        ("SIGNPOST_SIGNER_SESSION", "3600"),
        ("SIGNPOST_SIGNER_SESSION", "0s"),
        ("SIGNPOST_SIGNER_SESSION", "500ms"),
        ("SIGNPOST_SIGNER_SESSION", "13h"),
        ("SIGNPOST_SIGNER_SOURCE_IDENTITY", "user_id"),
        ("SIGNPOST_MAX_EXPIRES", "900"),
        ("SIGNPOST_MAX_EXPIRES", "0s"),
        ("SIGNPOST_MAX_EXPIRES", "16m"),
        ("SIGNPOST_TABLE", "ab"),
        ("SIGNPOST_TABLE", "two words"),
        ("SIGNPOST_TABLE", "file:/tmp/table"),
        ("SIGNPOST_TABLE", "arn:aws:dynamodb:eu-central-1:123456789012:stream/x"),
        ("SIGNPOST_RULES_SOURCE", "rules.toml"),
        ("SIGNPOST_RULES_SOURCE", "s3://signpost-rules"),
        ("SIGNPOST_RULES_SOURCE", "s3://signpost-rules/"),
        ("SIGNPOST_RULES_SOURCE", "s3://Rules/rules.toml"),
        ("SIGNPOST_RULES_SOURCE", "s3://signpost-rules/a/../b"),
        ("SIGNPOST_RULES_SOURCE", "s3://example-bucket/rules.toml"),
        ("SIGNPOST_RULES_SOURCE", "ssm:"),
        ("SIGNPOST_RULES_SOURCE", "ssm:two words"),
        ("SIGNPOST_BASE_PATH", "files"),
        ("SIGNPOST_BASE_PATH", "/a'b"),
        ("SIGNPOST_BASE_PATH", "/a b"),
        ("SIGNPOST_BASE_PATH", "/a/../b"),
        ("SIGNPOST_PUBLIC_URL", "files.example.com"),
        ("SIGNPOST_PUBLIC_URL", "ftp://files.example.com"),
        ("SIGNPOST_PUBLIC_URL", "https:///files"),
        ("SIGNPOST_PUBLIC_URL", "https://files.example.com/a'b"),
        ("SIGNPOST_PUBLIC_URL", "https://files.example.com/?a"),
        ("SIGNPOST_PUBLIC_URL", "https://a@files.example.com"),
        ("SIGNPOST_PUBLIC_URL", "https://$(id).example.com"),
        ("SIGNPOST_CORS_ORIGINS", "app.example.com"),
        ("SIGNPOST_CORS_ORIGINS", "https://app.example.com/"),
        ("SIGNPOST_CORS_ORIGINS", "https://a.example.com, *"),
        ("SIGNPOST_LOG", "loud"),
        ("AWS_USE_FIPS_ENDPOINT", "maybe"),
    ] {
        let error = parse(&[(name, value), good[0], good[1]]).expect_err(value);
        assert!(error.starts_with(&format!("{name}: ")), "{error}");
    }
    assert!(
        parse(&[good[0], good[1], ("SIGNPOST_BUKET", "x")])
            .unwrap_err()
            .contains("SIGNPOST_BUKET")
    );
    let places = [
        ("SIGNPOST_RULES", "version = 1"),
        ("SIGNPOST_RULES_FILE", "rules.toml"),
        ("SIGNPOST_RULES_SOURCE", "ssm:/signpost/rules"),
    ];
    for [one, other] in [[0, 1], [0, 2], [1, 2]] {
        let both = [good[0], good[1], places[one], places[other]];
        let error = parse(&both).unwrap_err();
        assert!(
            error.starts_with(places[other].0) && error.contains("set only one of "),
            "{error}"
        );
        assert!(parse(&both[..3]).is_ok());
    }
    let accelerated = [
        good[0],
        good[1],
        ("SIGNPOST_ACCELERATE", "true"),
        ("SIGNPOST_ENDPOINT", "http://localhost"),
    ];
    assert!(parse(&accelerated).is_err());
}

#[test]
fn an_endpoint_is_written_as_clients_send_it() {
    let with = |name: &str, value: &str| {
        parse(&[
            ("SIGNPOST_BUCKET", "example-bucket"),
            ("AWS_REGION", "eu-central-1"),
            (name, value),
        ])
        .unwrap()
    };
    for (value, origin) in [
        ("https://s3.example.com:443", "https://s3.example.com"),
        ("https://s3.example.com:443/", "https://s3.example.com"),
        ("HTTPS://S3.Example.com", "https://s3.example.com"),
        ("https://s3.example.com:0443", "https://s3.example.com"),
        ("http://s3.example.com:", "http://s3.example.com"),
        ("http://s3.example.com:08080", "http://s3.example.com:8080"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://127.0.0.1:443", "http://127.0.0.1:443"),
        ("https://127.0.0.1:80", "https://127.0.0.1:80"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:4480", "http://127.0.0.1:4480"),
    ] {
        assert_eq!(with("SIGNPOST_ENDPOINT", value).custom_endpoint(), Some(origin));
        assert_eq!(with("AWS_ENDPOINT_URL_S3", value).custom_endpoint(), Some(origin));
        assert_eq!(with("AWS_ENDPOINT_URL_STS", value).custom_sts_endpoint(), Some(origin));
        assert_eq!(with("AWS_ENDPOINT_URL_SSM", value).custom_ssm_endpoint(), Some(origin));
        assert_eq!(
            with("AWS_ENDPOINT_URL_DYNAMODB", value).custom_dynamodb_endpoint(),
            Some(origin)
        );
        let any = with("AWS_ENDPOINT_URL", value);
        assert_eq!(
            (any.custom_endpoint(), any.custom_sts_endpoint()),
            (Some(origin), Some(origin))
        );
        assert_eq!(with("SIGNPOST_PUBLIC_URL", value).public_url.as_deref(), Some(origin));
    }
    for value in [
        "http://s3.example.com:99999",
        "http://s3.example.com:x",
        "http://:80",
        "ftp://s3.example.com",
    ] {
        assert!(parse(&[("SIGNPOST_ENDPOINT", value)]).is_err(), "{value}");
    }
}

#[tokio::test]
async fn a_default_port_is_not_signed() {
    for (endpoint, plain) in [
        ("https://s3.example.com:443", "https://s3.example.com"),
        ("http://s3.example.com:80", "http://s3.example.com"),
        ("https://S3.EXAMPLE.com:0443", "https://s3.example.com"),
    ] {
        let url = async |endpoint: &str| {
            let env = [
                ("SIGNPOST_RULES", crate::support::OPEN_RULES),
                ("SIGNPOST_ENDPOINT", endpoint),
            ];
            let handler = crate::support::handler_with(&env, credentials(None, None)).await;
            let response = handler
                .handle(&crate::support::ask("GET", "/a"), crate::support::now())
                .await;
            crate::support::header(&response, "location").to_owned()
        };
        assert_eq!(url(endpoint).await, url(plain).await);
    }
}

#[tokio::test]
async fn invalid_rules_prevent_startup() {
    for env in [
        ("SIGNPOST_RULES", "nonsense"),
        ("SIGNPOST_RULES_FILE", "/nowhere/rules.toml"),
    ] {
        let source = CredentialSource::from_provider(credentials(None, None));
        let error = Handler::start(settings(&[env]), source).await.unwrap_err();
        assert_eq!(error.var, env.0);
    }
}

#[tokio::test]
async fn rules_with_a_lifetime_above_the_maximum_prevent_startup() {
    let rules = |expires| format!("{}\n[defaults]\nexpires = \"{expires}\"", crate::support::OPEN_RULES);
    for (expires, longest, starts) in [("5m", "300s", true), ("301s", "5m", false), ("15m", "15m", true)] {
        let rules = rules(expires);
        let env = [("SIGNPOST_RULES", rules.as_str()), ("SIGNPOST_MAX_EXPIRES", longest)];
        let source = CredentialSource::from_provider(credentials(None, None));
        let error = Handler::start(settings(&env), source).await.err();
        assert_eq!(
            error.as_ref().map(|error| error.var),
            (!starts).then_some("SIGNPOST_MAX_EXPIRES")
        );
    }
}

#[tokio::test]
async fn bucket_urls_equal_those_of_the_sdk() {
    let open = ("SIGNPOST_RULES", crate::support::OPEN_RULES);
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "https://example-bucket.s3.eu-central-1.amazonaws.com/k?"),
        (
            &[("AWS_REGION", "us-east-1")],
            "https://example-bucket.s3.us-east-1.amazonaws.com/k?",
        ),
        (
            &[("AWS_REGION", "us-gov-west-1")],
            "https://example-bucket.s3.us-gov-west-1.amazonaws.com/k?",
        ),
        (
            &[("AWS_REGION", "cn-north-1")],
            "https://example-bucket.s3.cn-north-1.amazonaws.com.cn/k?",
        ),
        (
            &[("SIGNPOST_BUCKET", "a.b.c")],
            "https://s3.eu-central-1.amazonaws.com/a.b.c/k?",
        ),
        (
            &[("SIGNPOST_PATH_STYLE", "true")],
            "https://s3.eu-central-1.amazonaws.com/example-bucket/k?",
        ),
        (
            &[("AWS_REGION", "us-east-1"), ("AWS_USE_FIPS_ENDPOINT", "true")],
            "https://example-bucket.s3-fips.us-east-1.amazonaws.com/k?",
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "https://example-bucket.s3.dualstack.eu-central-1.amazonaws.com/k?",
        ),
        (
            &[("SIGNPOST_ACCELERATE", "true")],
            "https://example-bucket.s3-accelerate.amazonaws.com/k?",
        ),
        (
            &[("SIGNPOST_ENDPOINT", "http://127.0.0.1:9000")],
            "http://127.0.0.1:9000/example-bucket/k?",
        ),
        (
            &[
                ("SIGNPOST_ENDPOINT", "https://s3.example.com"),
                ("SIGNPOST_PATH_STYLE", "false"),
            ],
            "https://example-bucket.s3.example.com/k?",
        ),
        (
            &[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")],
            "http://127.0.0.1:4566/example-bucket/k?",
        ),
        (
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2"),
            ],
            "http://127.0.0.1:2/example-bucket/k?",
        ),
        (
            &[("SIGNPOST_BUCKET", "arn:aws:s3:us-west-2:123456789012:accesspoint/files")],
            "https://files-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k?",
        ),
    ];
    for (env, place) in cases {
        let env: Vec<_> = env.iter().copied().chain([open]).collect();
        let response = handler_with(&env, credentials(None, None))
            .await
            .handle(&ask("GET", "/k"), now())
            .await;
        assert!(
            header(&response, "location").starts_with(place),
            "{env:?}: {}",
            header(&response, "location")
        );
    }
}

#[tokio::test]
async fn an_access_point_is_signed_for_its_own_region() {
    let env = [
        ("SIGNPOST_BUCKET", "arn:aws:s3:us-west-2:123456789012:accesspoint/files"),
        ("SIGNPOST_RULES", crate::support::OPEN_RULES),
    ];
    let response = handler_with(&env, credentials(None, None))
        .await
        .handle(&ask("GET", "/k"), now())
        .await;
    assert!(header(&response, "location").contains("%2Fus-west-2%2Fs3%2Faws4_request"));
}

#[tokio::test]
async fn buckets_with_another_signing_scheme_are_rejected() {
    for bucket in [
        "demo--use1-az4--x-s3",
        "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
    ] {
        let error = Presigner::resolve(&settings(&[("SIGNPOST_BUCKET", bucket)]))
            .await
            .unwrap_err();
        assert_eq!(error.var, "SIGNPOST_BUCKET", "{bucket}");
    }
}

#[test]
fn the_documentation_lists_every_setting() {
    let documentation = include_str!("../../docs/SETTINGS.md");
    for setting in Settings::ALL {
        let default = match setting.default {
            Some("") | None => " ".to_owned(),
            Some(default) => format!(" `{default}` "),
        };
        let row = format!("| `{}` |{default}| {} |", setting.var, setting.doc.trim());
        assert!(documentation.contains(&row), "docs/SETTINGS.md needs the row\n{row}");
    }
    let listed = documentation
        .lines()
        .filter(|line| line.starts_with("| `SIGNPOST_") || line.starts_with("| `AWS_"));
    assert_eq!(
        listed.count(),
        Settings::ALL.len(),
        "docs/SETTINGS.md lists a setting that the code does not know"
    );
}

#[test]
fn the_template_sets_only_known_settings() {
    let template = include_str!("../../template.yaml");
    let set = template
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, _)| name);
    let set: Vec<_> = set.filter(|name| name.starts_with("SIGNPOST_")).collect();
    assert!(set.contains(&"SIGNPOST_BUCKET") && set.contains(&"SIGNPOST_RULES"));
    for name in set {
        let is_access_key = name == "SIGNPOST_CREDENTIALS_STORE";
        assert!(
            is_access_key || Settings::ALL.iter().any(|setting| setting.var == name),
            "{name}"
        );
    }
}
