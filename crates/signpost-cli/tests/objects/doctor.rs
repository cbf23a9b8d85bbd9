//! `signpost doctor` with a correct service and with faulty services.

use crate::proxy::{FaultProxy, ProxyAction, answer, s3_error};
use crate::support::LocalServer;

#[test]
fn a_correct_service_passes_all_checks() {
    let local = LocalServer::start();
    let said = local.signpost(&["doctor"]).succeeds();
    for words in [
        "is running",
        "redirected with 307",
        "object does not exist, as expected",
        "S3 agree",
        "valid for another",
    ] {
        assert!(said.text().contains(words), "{words}: {}", said.text());
    }
    assert!(!said.text().contains("Signature="), "{}", said.text());
    let json = local.signpost(&["doctor", &local.url("/"), "--json"]).succeeds().json();
    assert!(
        json.len() > 5 && json.iter().all(|line| line["status"] != "error"),
        "{json:?}"
    );
}

#[test]
fn faults_of_a_service_are_reported() {
    let local = LocalServer::start();
    let service = local.address().to_owned();
    let of_s3 = |fate: ProxyAction| {
        let service = service.clone();
        FaultProxy::start(move |seen, _| {
            if seen.host == service {
                ProxyAction::Pass
            } else {
                fate.clone()
            }
        })
    };
    for (proxy, words) in [
        (
            FaultProxy::start(|_, _| answer("200 OK", "", "<html>")),
            "not a response of Signpost",
        ),
        (of_s3(ProxyAction::Drop), "cannot connect to"),
        (
            of_s3(s3_error("403 Forbidden", "InvalidAccessKeyId")),
            "InvalidAccessKeyId",
        ),
        (
            of_s3(answer("502 Bad Gateway", "", "a gateway's words")),
            "not a response of S3",
        ),
        (
            of_s3(answer("404 Not Found", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "")),
            "ahead of the clock of S3",
        ),
    ] {
        let said = local.signpost(&["doctor"]).through(&proxy).said();
        assert!(said.code == 1 && said.text().contains(words), "{words}: {said:?}");
    }
    let proxy = FaultProxy::start(|seen, _| {
        if seen.head.contains("/-/health") {
            ProxyAction::Pass
        } else {
            answer("302 Found", "Location: http://h/\r\n", "")
        }
    });
    let said = local.signpost(&["doctor"]).through(&proxy).said();
    assert!(said.code == 1 && said.text().contains("instead of 307"), "{said:?}");
    local
        .signpost(&["doctor", "http://127.0.0.1:1"])
        .fails(7, "no response");
}

#[test]
fn rules_that_reject_the_download_are_not_an_error() {
    let rules = "version = 1\n[[rule]]\nid = \"p\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"p/**\"]\n";
    let local = LocalServer::start_with(Some(rules));
    let said = local.signpost(&["doctor"]).succeeds();
    assert!(said.text().contains("a token with read access"), "{said:?}");
}

#[test]
fn urls_and_errors_are_read_from_files_and_pipes() {
    let local = LocalServer::start();
    let url = "https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Date=20200101T000000Z&X-Amz-Expires=300&X-Amz-Credential=\
               AKID%2F20200101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-SignedHeaders=host&X-Amz-Signature=5ec2e7";
    let said = local.signpost(&["doctor", "-"]).reading(url.as_bytes()).said();
    assert!(said.code == 1 && said.text().contains("the URL expired"), "{said:?}");
    assert!(
        !said.text().contains("5ec2e7") && !said.text().contains("AKID"),
        "{said:?}"
    );
    let endless = url.replace("Expires=300", &format!("Expires={}", u64::MAX));
    let said = local.signpost(&["doctor", &endless]).said();
    assert!(said.code == 1 && said.text().contains("values are invalid"), "{said:?}");
    let error = "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>";
    let said_alone = local.signpost(&["doctor", "-"]).reading(error.as_bytes()).said();
    assert!(
        said_alone.code == 1 && said_alone.text().contains("two credentials"),
        "{said_alone:?}"
    );
    let file = local.file("error.xml", error.as_bytes());
    let said = local.signpost(&["doctor", url, "--error", &file]).said();
    assert!(
        said.text().contains("two credentials") && said.text().contains("the URL expired"),
        "{said:?}"
    );
    let piped = local.signpost(&["doctor"]).reading(error.as_bytes()).said();
    assert_eq!((piped.code, piped.text()), (said_alone.code, said_alone.text()));
    local.signpost(&["doctor"]).reading(b"words").fails(2, "neither a URL");
    let said = local
        .signpost(&["doctor", "--token-file", "-"])
        .reading(b"wrong")
        .said();
    assert!(
        said.code == 4 && said.text().contains("does not accept credentials"),
        "{said:?}"
    );
    let file = local.file("other", b"words");
    local
        .signpost(&["doctor", url, "--error", &file])
        .fails(2, "neither a URL nor an error response");
}

#[test]
fn an_unexplained_denial_lists_its_causes_and_never_contradicts_the_url() {
    let local = LocalServer::start();
    let now = std::time::SystemTime::now();
    let date = humantime::format_rfc3339_seconds(now)
        .to_string()
        .replace(['-', ':'], "");
    let url = |operation: &str| {
        format!(
            "https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Date={date}&X-Amz-Expires=300&X-Amz-Credential=AKID%2F{}\
             %2Feu-west-1%2Fs3%2Faws4_request&X-Amz-SignedHeaders=host&x-id={operation}&X-Amz-Signature=5ec2e7",
            &date[..8]
        )
    };
    let error = local.file(
        "error.xml",
        b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    );
    let said = local.signpost(&["doctor", &url("GetObject"), "--error", &error]).said();
    let text = said.text();
    let positions = [
        "valid for another",
        "no object has this key",
        "no permission",
        "s3:signatureAge",
        "revoked",
        "KMS",
        "service control policy",
    ]
    .map(|words| text.find(words).unwrap_or_else(|| panic!("{words}: {text}")));
    assert!(positions.is_sorted(), "{text}");
    assert!(said.code == 4 && !text.contains("expired"), "{said:?}");
    let upload = local.signpost(&["doctor", &url("PutObject"), "--error", &error]).said();
    assert!(!upload.text().contains("no object has this key"), "{upload:?}");
}

#[test]
fn errors_of_the_gateway_are_explained_for_every_command() {
    let local = LocalServer::start();
    for (status, body, words) in [
        (
            "403 Forbidden",
            r#"{"message":"Missing Authentication Token"}"#,
            "must include the stage",
        ),
        ("403 Forbidden", r#"{"message":"Forbidden"}"#, "AWS WAF"),
        (
            "413 Request Entity Too Large",
            r#"{"message":"Request Too Long"}"#,
            "in two steps",
        ),
        (
            "414 URI Too Long",
            "<html><head><title>414 Request-URI Too Large</title></head></html>",
            "Use a shorter key",
        ),
    ] {
        let proxy = FaultProxy::start(move |_, _| answer(status, "", body));
        let said = local.signpost(&["doctor"]).through(&proxy).said();
        assert!(said.code == 1 && said.text().contains(words), "{body}: {said:?}");
        let put = local.signpost(&["put", "-", "k"]).reading(b"1").through(&proxy).said();
        assert!(put.notes.contains(words), "{body}: {put:?}");
        let whoami = local.signpost(&["whoami"]).through(&proxy).said();
        assert!(whoami.notes.contains(words), "{body}: {whoami:?}");
        let piped = local.signpost(&["doctor"]).reading(body.as_bytes()).said();
        assert!(piped.code == 1 && piped.text().contains(words), "{body}: {piped:?}");
    }
}
