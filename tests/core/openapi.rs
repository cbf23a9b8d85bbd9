//! `openapi.yaml` agrees with the code in both directions, and `/-/docs` is generated from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use signpost::dialect::{Dialect, DialectPath};
use signpost::operation::{Listing, ObjectPage, Operation};

use crate::docs_page;
use crate::support::{OPEN_RULES, With as _, ask, body, handler, header};

const TEXT: &str = include_str!("../../openapi.yaml");
const METHODS: [&str; 6] = ["get", "head", "put", "delete", "post", "options"];

fn document() -> Value {
    serde_saphyr::from_str(TEXT).expect("openapi.yaml is YAML")
}

/// The value that a `$ref` refers to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.strip_prefix('#').expect("a reference within the document"))
            .unwrap_or_else(|| panic!("{reference} does not exist")),
        None => value,
    }
}

fn names(list: &Value) -> BTreeSet<String> {
    let names = list.as_array().into_iter().flatten();
    names.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// The query parameters of a documented operation.
fn query_parameters(document: &Value, operation: &Value) -> BTreeSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| resolved(document, parameter));
    parameters
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn parameter_names(parameters: &[signpost::operation::Parameter]) -> impl Iterator<Item = String> {
    parameters.iter().map(|parameter| parameter.name.to_owned())
}

/// Compares two sets, and reports which entry is missing on which side.
fn assert_same(what: &str, yaml: &BTreeSet<String>, code: &BTreeSet<String>) {
    let missing =
        |from: &BTreeSet<String>, of: &BTreeSet<String>| -> Vec<String> { of.difference(from).cloned().collect() };
    let (not_in_yaml, not_in_code) = (missing(yaml, code), missing(code, yaml));
    assert!(
        not_in_yaml.is_empty() && not_in_code.is_empty(),
        "{what}: only in the code: {not_in_yaml:?}; only in openapi.yaml: {not_in_code:?}"
    );
}

fn with_form(mut expected: BTreeSet<String>) -> BTreeSet<String> {
    expected.extend(FORM.map(str::to_owned));
    expected.extend(["expires", "share", "meta-*", "storage-class", "server-side-encryption"].map(str::to_owned));
    expected
}

/// The form parameters that do not describe the object.
const FORM: [&str; 5] = [
    "form",
    "content-length-range",
    "contentType",
    "success_action_redirect",
    "success_action_status",
];

#[test]
fn every_object_operation_is_documented_with_exactly_its_parameters() {
    let document = document();
    let mut documented_operations = BTreeMap::new();
    for (path, method) in ["/{key}", "/{prefix}/"]
        .into_iter()
        .flat_map(|path| METHODS.map(|method| (path, method)))
    {
        let documented = &document["paths"][path][method];
        let operations = names(&documented["x-s3-operations"]);
        let mut expected = BTreeSet::new();
        for operation in Operation::ALL
            .iter()
            .filter(|operation| operations.contains(operation.name()))
        {
            assert!(
                operation.method().as_str().eq_ignore_ascii_case(method),
                "{operation:?}"
            );
            expected.extend(parameter_names(operation.parameters()));
        }
        if method == "get" {
            expected = with_form(expected);
        }
        let pages = ObjectPage::ALL.into_iter();
        let pages = pages.filter(|page| {
            page.methods()
                .iter()
                .any(|own| own.as_str().eq_ignore_ascii_case(method))
        });
        expected.extend(pages.flat_map(|page| parameter_names(page.parameters())));
        if !operations.is_empty() {
            let parameters = query_parameters(&document, documented);
            assert_same(&format!("parameters of {method} {path}"), &parameters, &expected);
        }
        documented_operations.extend(operations.into_iter().map(|operation| (operation, method)));
    }
    let known: BTreeSet<_> = Operation::ALL
        .iter()
        .map(|operation| operation.name().to_owned())
        .collect();
    assert_same("operations", &documented_operations.into_keys().collect(), &known);
}

#[test]
fn every_listing_is_documented_with_exactly_its_parameters() {
    let document = document();
    let objects: BTreeSet<_> = Listing::ALL.iter().map(|listing| listing.name().to_owned()).collect();
    let listed: BTreeSet<_> = Listing::ALL
        .iter()
        .flat_map(|listing| parameter_names(listing.parameters()))
        .collect();
    let with_form = with_form(listed.clone());
    for path in ["/", "/{prefix}/"] {
        let documented = &document["paths"][path];
        let parameters = |method: &str| query_parameters(&document, &documented[method]);
        assert_same(&format!("parameters of head {path}"), &parameters("head"), &listed);
        assert_same(&format!("parameters of get {path}"), &parameters("get"), &with_form);
        for method in ["get", "head"] {
            assert_same(
                &format!("listings of {method} {path}"),
                &names(&documented[method]["x-listings"]),
                &objects,
            );
        }
    }
}

#[test]
fn an_upload_under_a_generated_key_has_the_parameters_of_a_put_and_an_extension() {
    let document = document();
    let mut expected: BTreeSet<_> = parameter_names(Operation::PutObject.parameters()).collect();
    expected.insert("ext".into());
    for path in ["/", "/{prefix}/"] {
        let documented = &document["paths"][path]["post"];
        let parameters = query_parameters(&document, documented);
        assert_same(&format!("parameters of post {path}"), &parameters, &expected);
    }
}

#[tokio::test]
async fn forms_accept_their_documented_parameters() {
    let handler = handler(&OPEN_RULES.replace("client_may_set", "overwrite = true\nclient_may_set")).await;
    for name in FORM {
        let value = match name {
            "form" => continue,
            "content-length-range" => "1,2",
            "contentType" => "text/plain",
            "success_action_redirect" => "https://example.com/",
            _ => "201",
        };
        for path in ["/k", "/p/"] {
            let request = ask("GET", &format!("{path}?form&{name}={value}")).with("accept", "application/json");
            let response = handler.handle(&request, crate::support::now()).await;
            assert_eq!(response.status().as_u16(), 200, "{name}: {}", body(&response));
        }
    }
}

/// The quoted texts in the part of a source file from `from` to `to` for which `accepts` returns true.
fn quoted(source: &str, from: &str, to: &str, accepts: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let (_, part) = source.split_once(from).expect("the part begins");
    let (part, _) = part.split_once(to).expect("the part ends");
    let texts = part.split('"').skip(1).step_by(2);
    texts.filter(|text| accepts(text)).map(str::to_owned).collect()
}

#[test]
fn the_documented_error_codes_are_those_of_the_code() {
    let code = |text: &str| text.starts_with(char::is_uppercase) && text.chars().all(char::is_alphanumeric);
    let rejections = include_str!("../../src/rejection.rs");
    let failures = include_str!("../../src/response/problem.rs");
    let mut known = quoted(rejections, "pub const fn code", "pub fn remedy", code);
    known.extend(quoted(failures, "fn from_failure", "login: None", code));
    let lfs = include_str!("../../src/rejection/lfs.rs");
    known.extend(quoted(lfs, "const fn code", "const fn name", code));
    let document = document();
    let codes = names(&document["components"]["schemas"]["ErrorCode"]["enum"]);
    assert_same("error codes", &codes, &known);
}

#[test]
fn the_documented_reserved_paths_are_those_of_the_code() {
    let source = include_str!("../../src/request/path.rs");
    let known = quoted(source, "fn parse_reserved", "UnknownReservedPath", |_| true);
    let document = document();
    let paths = document["paths"].as_object().expect("paths").keys();
    let documented = paths.filter_map(|path| path.strip_prefix("/-/"));
    let documented: BTreeSet<_> = documented
        .filter(|path| Dialect::split_path(path).is_none())
        .map(|path| path.split('{').next().unwrap_or(path).to_owned())
        .collect();
    assert_same("reserved paths", &documented, &known);
}

#[test]
fn the_documented_paths_of_dialects_exist_with_their_methods() {
    let document = document();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let reserved = path.strip_prefix("/-/").unwrap_or_default();
        let Some((dialect, rest)) = Dialect::split_path(reserved) else {
            continue;
        };
        let rest = rest
            .replace("{hash}", "1")
            .replace("{repository}", "a/b")
            .replace("{id}", "1");
        let parsed = DialectPath::parse(dialect, &rest).unwrap_or_else(|error| panic!("{path}: {error}"));
        let known = parsed
            .methods()
            .iter()
            .map(|method| method.as_str().to_ascii_lowercase());
        let documented = METHODS
            .into_iter()
            .filter(|method| *method != "options" && item[*method].is_object());
        assert_same(path, &documented.map(str::to_owned).collect(), &known.collect());
    }
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            resolved(&document, value);
            used.insert(reference.to_owned());
        }
        left.extend(value.as_object().into_iter().flat_map(serde_json::Map::values));
        left.extend(value.as_array().into_iter().flatten());
    }
    let components = document["components"].as_object().expect("components");
    for (kind, members) in components.iter().filter(|(kind, _)| *kind != "securitySchemes") {
        for name in members.as_object().expect("members").keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "nothing uses {reference}");
        }
    }
}

#[test]
fn the_documented_version_is_that_of_the_release() {
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_docs_page_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/response/page/docs.html");
    let page = docs_page::render(&document());
    if std::env::var_os("SIGNPOST_UPDATE").is_some() {
        std::fs::write(file, &page).expect("the page can be written");
    }
    let stored = std::fs::read_to_string(file).expect("the page is there");
    assert!(
        stored == page,
        "src/response/page/docs.html is out of date: SIGNPOST_UPDATE=1 cargo test --test core openapi"
    );
}

#[tokio::test]
async fn the_document_and_its_page_require_no_rule() {
    let handler = handler("version = 1").await;
    let yaml = handler
        .handle(&ask("GET", "/-/openapi.yaml"), crate::support::now())
        .await;
    assert_eq!(
        (yaml.status().as_u16(), header(&yaml, "content-type")),
        (200, "application/yaml")
    );
    assert_eq!(body(&yaml), TEXT);
    let page = handler.handle(&ask("GET", "/-/docs"), crate::support::now()).await;
    assert_eq!(
        (page.status().as_u16(), header(&page, "content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(header(&page, "content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    let post = handler.handle(&ask("POST", "/-/docs"), crate::support::now()).await;
    assert_eq!(
        (post.status().as_u16(), header(&post, "allow")),
        (405, "GET, HEAD, OPTIONS")
    );
}
