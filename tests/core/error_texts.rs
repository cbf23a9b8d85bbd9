//! The texts of errors: sentences for people, and fragments for terminals.

use signpost::request::ApiRequest;

use crate::refusal::invalid_requests;
use crate::support::{OPEN_RULES, With as _, ask, body, handler, json, now};

/// The maximum number of words of a sentence. Lists of names and commands after a colon do not count.
const MAX_WORDS: usize = 25;

const RULES: &str = "version = 1
[[token]]
id = \"ci\"
sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"
[[rule]]
id = \"limited\"
who = [\"token:ci\"]
can = [\"read\", \"write\"]
on = [\"limited/**\"]
max_bytes = 10
content_types = [\"text/plain\"]
[[rule]]
id = \"no\"
effect = \"deny\"
who = [\"anyone\"]
can = [\"read\"]
on = [\"denied/**\"]
";

/// Requests to services with [`RULES`], whose errors [`OPEN_RULES`] cannot cause.
fn requests_with_a_token() -> Vec<ApiRequest> {
    let requests = [
        ("GET", "/other"),
        ("GET", "/denied/k"),
        ("GET", "/limited/k?form"),
        ("PUT", "/limited/k?url"),
        ("PUT", "/limited/k?url&contentLength=11&contentType=text/plain"),
        ("PUT", "/limited/k?url&contentLength=5&contentType=image/png"),
        ("POST", "/limited/k?uploadId=u"),
        ("PUT", "/limited/k?uploadId=u&partNumber=3&contentLength=9"),
        ("POST", "/-/share"),
        ("GET", "/-/none"),
        ("GET", "/v8/artifacts/k"),
    ];
    let requests = requests.map(|(method, path)| ask(method, path).with("authorization", "Bearer secret"));
    let without = [
        ask("GET", "/k"),
        ask("GET", "/k").with("authorization", "Bearer wrong"),
        ask("GET", "/k?share=x"),
    ];
    requests.into_iter().chain(without).collect()
}

/// The text between two tags, without entities.
fn paragraphs(page: &str) -> Vec<String> {
    let main = page
        .split_once("<main")
        .and_then(|(_, rest)| rest.split_once("</main>"))
        .map_or("", |(main, _)| main);
    let paragraphs = main
        .split("<p")
        .skip(1)
        .filter_map(|rest| rest.split_once('>')?.1.split_once("</p>"));
    let text = |text: &str| text.replace("&#34;", "\"").replace("&#38;", "&").replace("&#39;", "'");
    paragraphs
        .map(|(paragraph, _)| text(paragraph))
        .filter(|paragraph| !paragraph.contains("<a "))
        .collect()
}

/// The number of words of the longest sentence, without commands, lists and texts in quotation marks.
fn longest_sentence(text: &str) -> usize {
    let without_quotes: String = text.split('`').step_by(2).collect::<Vec<_>>().join("X");
    let sentences = without_quotes
        .split(". ")
        .map(|sentence| sentence.split(": ").next().unwrap_or_default());
    sentences
        .map(|sentence| sentence.split_whitespace().count())
        .max()
        .unwrap_or_default()
}

#[tokio::test]
async fn error_pages_contain_sentences() {
    let open = invalid_requests()
        .into_iter()
        .map(|(request, ..)| (OPEN_RULES, request));
    let limited = requests_with_a_token().into_iter().map(|request| (RULES, request));
    let mut compared = 0;
    for (rules, request) in open.chain(limited) {
        let response = handler(rules)
            .await
            .handle(&request.clone().with("accept", "text/html"), now())
            .await;
        assert!(
            response.status().is_client_error(),
            "{:?} {}",
            request.path,
            response.status()
        );
        let page = body(&response);
        for paragraph in paragraphs(page)
            .iter()
            .filter(|paragraph| !paragraph.starts_with("Error <code>"))
        {
            assert!(
                paragraph.starts_with(|first: char| first.is_ascii_uppercase()),
                "{paragraph}"
            );
            let is_command = paragraph.contains("curl ") || paragraph.contains("POST ");
            assert!(is_command || paragraph.ends_with('.'), "{paragraph}");
            assert!(longest_sentence(paragraph) <= MAX_WORDS, "{paragraph}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// Commands print the detail after `error:`.
#[tokio::test]
async fn the_details_of_errors_are_fragments() {
    for (request, ..) in invalid_requests() {
        let response = handler(OPEN_RULES)
            .await
            .handle(&request.with("accept", "application/json"), now())
            .await;
        let problem = json(&response);
        let detail = problem["detail"].as_str().unwrap();
        let is_name = ["S3 ", "HTML ", "HTTP "].iter().any(|name| detail.starts_with(name));
        assert!(
            is_name || detail.starts_with(|first: char| first.is_ascii_lowercase()),
            "{detail}"
        );
        assert!(!detail.ends_with('.'), "{detail}");
    }
}
