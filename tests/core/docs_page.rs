//! Generates `/-/docs` from `openapi.yaml`: one page without scripts.

#![expect(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "a page is made when a test runs, so clear code goes before few allocations"
)]

use std::fmt::Write as _;

use serde_json::Value;

const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
html{background:light-dark(#fff,#15171b)}\
body{max-width:52rem;margin:0 auto;padding:1.5rem;background:light-dark(#fff,#15171b);color:light-dark(#1b1d21,#e6e8eb)}\
a{color:light-dark(#174ea6,#9db8ff)}\
h2{margin-top:2.5rem;border-bottom:1px solid #8888}h3{margin-top:2rem}\
code{font:.9em ui-monospace,monospace}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-top:1px solid #8884}\
td p,li p{margin:0}";

const METHODS: [&str; 6] = ["get", "head", "put", "delete", "post", "options"];

/// The whole page.
pub(crate) fn render(document: &Value) -> String {
    let mut page = String::new();
    let title = text(&document["info"]["title"]);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}: HTTP interface</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}: HTTP interface</h1>\n"
    )
    .expect("a String takes every write");
    page += &prose(&document["info"]["description"]);
    page += "<p>For programs: <a href=\"openapi.yaml\">openapi.yaml</a>, OpenAPI 3.1.</p>\n";
    page += &contents(document);
    page += "<h2>Requests</h2>\n";
    each_operation(document, |path, method, operation| {
        page += &operation_section(document, path, method, operation);
    });
    page += "<h2>Bodies</h2>\n";
    for (name, schema) in members(&document["components"]["schemas"]) {
        page += &schema_section(name, schema);
    }
    page + "</main>\n</body>\n</html>\n"
}

fn contents(document: &Value) -> String {
    let mut list = String::from("<nav aria-label=\"Contents\"><ul>\n");
    each_operation(document, |path, method, operation| {
        writeln!(
            list,
            "<li><a href=\"#{}\"><code>{} {}</code></a> {}</li>",
            text(&operation["operationId"]),
            method.to_uppercase(),
            escaped(path),
            inline(text(&operation["summary"]))
        )
        .expect("a String takes every write");
    });
    list + "</ul></nav>\n"
}

fn operation_section(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let id = text(&operation["operationId"]);
    let mut section = format!(
        "<h3 id=\"{id}\"><code>{} {}</code></h3>\n<p><strong>{}.</strong></p>\n",
        method.to_uppercase(),
        escaped(path),
        inline(text(&operation["summary"]))
    );
    section += &prose(&operation["description"]);
    let of_path = items(&document["paths"][path]["parameters"]);
    let parameters: Vec<_> = of_path
        .chain(items(&operation["parameters"]))
        .map(|parameter| resolved(document, parameter))
        .collect();
    if !parameters.is_empty() {
        section += "<table>\n<thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\">In</th><th scope=\"col\">Type</th>\
                    <th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n";
        for parameter in parameters {
            section += &row(&[
                &format!("<code>{}</code>", escaped(text(&parameter["name"]))),
                text(&parameter["in"]),
                &kind(&parameter["schema"]),
                &prose(&parameter["description"]),
            ]);
        }
        section += "</tbody>\n</table>\n";
    }
    for content in members(&operation["requestBody"]["content"]) {
        writeln!(section, "<p>Body: {}</p>", media(content)).expect("a String takes every write");
    }
    section += "<ul>\n";
    for (status, response) in members(&operation["responses"]) {
        let response = resolved(document, response);
        let forms: Vec<_> = members(&response["content"]).map(media).collect();
        let media_types = if forms.is_empty() {
            String::new()
        } else {
            format!(" ({})", forms.join(", "))
        };
        let description = text(&response["description"]).trim();
        writeln!(
            section,
            "<li><strong>{status}</strong>{media_types} {}</li>",
            inline(description)
        )
        .expect("a String takes every write");
    }
    section + "</ul>\n"
}

fn schema_section(name: &str, schema: &Value) -> String {
    let mut section = format!("<h3 id=\"body-{name}\">{name}</h3>\n");
    section += &prose(&schema["description"]);
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values
            .iter()
            .map(|value| format!("<code>{}</code>", text(value)))
            .collect();
        return format!("{section}<p>{}</p>\n", values.join(", "));
    }
    let required: Vec<_> = items(&schema["required"]).map(text).collect();
    section += "<table>\n<thead><tr><th scope=\"col\">Field</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n\
                <tbody>\n";
    for (field, property) in members(&schema["properties"]) {
        let absent = if required.contains(&field) { "" } else { ", or absent" };
        section += &row(&[
            &format!("<code>{field}</code>"),
            &format!("{}{absent}", kind(property)),
            &prose(&property["description"]),
        ]);
    }
    section + "</tbody>\n</table>\n"
}

fn row(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", cell.trim())).collect();
    format!("<tr>{cells}</tr>\n")
}

/// A media type with its schema.
fn media((name, content): (&str, &Value)) -> String {
    let schema = &content["schema"];
    let one = std::iter::once(schema);
    let held: Vec<_> = one.chain(items(&schema["anyOf"])).filter_map(reference).collect();
    if held.is_empty() {
        return format!("<code>{name}</code>");
    }
    format!("<code>{name}</code>: {}", held.join(" or "))
}

fn reference(schema: &Value) -> Option<String> {
    let name = schema["$ref"].as_str()?.rsplit('/').next()?;
    Some(format!("<a href=\"#body-{name}\">{name}</a>"))
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = reference(schema) {
        return reference;
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|value| escaped(&plain(value))).collect();
        return values.join(", ");
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let bound = |name: &str| (!schema[name].is_null()).then(|| schema[name].to_string());
    let bounds = match (bound("minimum"), bound("maximum")) {
        (Some(min), Some(max)) => format!(" {min} to {max}"),
        (Some(min), None) => format!(" from {min}"),
        _ => String::new(),
    };
    format!("{}{bounds}", types.join(" or "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn each_operation<'a>(document: &'a Value, mut see: impl FnMut(&'a str, &'static str, &'a Value)) {
    let mut paths: Vec<_> = members(&document["paths"]).collect();
    paths.sort_by_key(|(path, _)| path.starts_with("/-/"));
    for (path, item) in paths {
        for method in METHODS {
            if !item[method].is_null() {
                see(path, method, &item[method]);
            }
        }
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, member)| (name.as_str(), member))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Paragraphs, with code and links.
fn prose(value: &Value) -> String {
    let paragraphs = text(value)
        .trim()
        .split("\n\n")
        .filter(|paragraph| !paragraph.is_empty());
    paragraphs
        .map(|paragraph| format!("<p>{}</p>\n", inline(paragraph)))
        .collect()
}

/// `code`, *emphasis* and [links](https://example.com).
fn inline(markdown: &str) -> String {
    let mut html = String::new();
    for (index, part) in markdown.split('`').enumerate() {
        html += &if index % 2 == 1 {
            format!("<code>{}</code>", escaped(part))
        } else {
            emphasised(&linked(&escaped(part)))
        };
    }
    html
}

fn emphasised(html: &str) -> String {
    let parts = html.split('*').enumerate();
    parts
        .map(|(index, part)| {
            if index % 2 == 1 {
                format!("<em>{part}</em>")
            } else {
                part.to_owned()
            }
        })
        .collect()
}

fn linked(html: &str) -> String {
    let Some((before, rest)) = html.split_once('[') else {
        return html.to_owned();
    };
    let Some((label, rest)) = rest.split_once("](") else {
        return html.to_owned();
    };
    let Some((url, after)) = rest.split_once(')') else {
        return html.to_owned();
    };
    format!("{before}<a href=\"{url}\">{label}</a>{}", linked(after))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
