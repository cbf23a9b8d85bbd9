//! Form uploads: a page requests a form, a browser sends it, and S3 enforces its policy.

use serde_json::Value;

use crate::support::{CurlResponse, LocalServer, curl};

fn form(server: &LocalServer, path: &str) -> Value {
    let response = server.curl(&["-f", "-H", "Accept: application/json"], path);
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_slice(&response.body).expect("the form is valid JSON")
}

/// Sends the form as a browser does: the fields, then the file.
/// The URL and the hidden fields of the form in a page.
fn form_of_page(page: &str) -> Value {
    let value = |text: &str, before: &str| {
        let (_, rest) = text.split_once(before)?;
        Some(rest.split_once('"')?.0.replace("&#38;", "&").replace("&amp;", "&"))
    };
    let fields: serde_json::Map<_, _> = page
        .split("<input type=\"hidden\"")
        .skip(1)
        .filter_map(|input| Some((value(input, "name=\"")?, value(input, "value=\"")?.into())))
        .collect();
    serde_json::json!({ "url": value(page, "action=\""), "fields": fields })
}

fn send(server: &LocalServer, form: &Value, more: &[&str], file: &[u8]) -> CurlResponse {
    let mut args: Vec<String> = Vec::new();
    for (name, value) in form["fields"].as_object().expect("fields") {
        let value = value.as_str().expect("a text");
        args.extend(["--form-string".to_owned(), format!("{name}={value}")]);
    }
    args.extend(more.iter().map(|more| (*more).to_owned()));
    args.extend(["-F".to_owned(), format!("file=@{};filename=a b.txt", server.file(file))]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    curl(&args, form["url"].as_str().expect("a URL"))
}

#[test]
fn a_form_upload_has_its_own_folder() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let form = form(&server, "/in/?form&meta-from=form&contentType=text/plain");
    let sent = send(&server, &form, &[], b"content");
    assert_eq!(sent.status, 204, "{}", sent.text());
    let folder = form["fields"]["key"]
        .as_str()
        .unwrap()
        .strip_suffix("${filename}")
        .unwrap();
    let head = server
        .curl(&["-fLi"], &format!("/{folder}a%20b.txt"))
        .text()
        .to_lowercase();
    assert!(head.contains("x-amz-meta-from: form"), "{head}");
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert!(head.ends_with("content"), "{head}");
}

#[test]
fn s3_rejects_uploads_that_the_form_does_not_allow() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let form = form(&server, "/in/?form&content-length-range=2,5&contentType=image/png");
    assert_eq!(send(&server, &form, &[], b"12345").status, 204);
    let mut other_type = form.clone();
    other_type["fields"]["Content-Type"] = "text/html".into();
    let mut no_type = form.clone();
    no_type["fields"].as_object_mut().unwrap().remove("Content-Type");
    let more = ["--form-string", "x-amz-meta-a=b"];
    for (form, more, file) in [
        (&form, &[][..], &b"123456"[..]),
        (&form, &[], b"1"),
        (&other_type, &[], b"1234"),
        (&no_type, &[], b"1234"),
        (&form, &more, b"1234"),
    ] {
        let sent = send(&server, form, more, file);
        assert!(
            matches!(sent.status, 400 | 403),
            "{form} {more:?}: {} {}",
            sent.status,
            sent.text()
        );
    }
    let mut elsewhere = form;
    elsewhere["fields"]["key"] = "out/${filename}".into();
    let sent = send(&server, &elsewhere, &[], b"1234");
    assert!(matches!(sent.status, 400 | 403), "{} {}", sent.status, sent.text());
    assert_eq!(server.curl(&["-L"], "/out/a%20b.txt").status, 404);
}

#[test]
fn the_browser_returns_to_the_page_which_shows_the_stored_key() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let page = server.curl(&["-f"], "/in/?form").text();
    let form = form_of_page(&page);
    let back = form["fields"]["success_action_redirect"]
        .as_str()
        .expect("a return URL");
    assert!(back.starts_with(&server.url("/in/?form&stored=")), "{back}");
    let sent = send(&server, &form, &["-L", "-i"], b"content");
    assert!(sent.text().contains("HTTP/1.1 303"), "{}", sent.text());
    assert!(sent.text().contains("Uploaded: <code>in/"), "{}", sent.text());
    assert!(sent.text().contains("/a b.txt</code>"), "{}", sent.text());
}
