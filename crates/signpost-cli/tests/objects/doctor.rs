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
    let said = local.signpost(&["doctor", "-"]).reading(error.as_bytes()).said();
    assert!(said.code == 1 && said.text().contains("two credentials"), "{said:?}");
    let file = local.file("error.xml", error.as_bytes());
    let said = local.signpost(&["doctor", url, "--error", &file]).said();
    assert!(
        said.text().contains("two credentials") && said.text().contains("the URL expired"),
        "{said:?}"
    );
    let file = local.file("other", b"words");
    local
        .signpost(&["doctor", url, "--error", &file])
        .fails(2, "does not contain an S3 error document");
}
