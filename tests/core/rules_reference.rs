//! The tables of all fields in docs/RULES.md, compared with the parser.

use std::collections::{BTreeMap, BTreeSet};

use signpost::policy::{Constraints, Policy};

const DOCUMENT: &str = include_str!("../../docs/RULES.md");

/// A row of a table: the field, its default, its maximum and its example.
struct Row {
    field: String,
    default: String,
    maximum: String,
    example: String,
}

/// The rows of the table below `heading`. The first cell of a row is the field. A section can have several tables.
fn rows(heading: &str) -> Vec<Row> {
    let (_, section) = DOCUMENT.split_once(&format!("\n### {heading}\n")).expect(heading);
    let section = section.split("\n### ").next().unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let [field, _, default, maximum, example] = <[String; 5]>::try_from(cells(line)).expect(line);
            Row {
                field: code(&field).expect(line).to_owned(),
                default,
                maximum,
                example: code(&example).expect(line).to_owned(),
            }
        })
        .collect()
}

/// The text of a cell that contains only code.
fn code(cell: &str) -> Option<&str> {
    let code = cell.strip_prefix('`')?.strip_suffix('`')?;
    (!code.contains('`')).then_some(code)
}

const REQUESTS: &str = "`[[rule]]`: the requests";
const CONSTRAINTS: &str = "`[[rule]]` and `[defaults]`: the constraints";
const DIGEST: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// Lines that an example requires.
fn companions(field: &str) -> &'static str {
    match field {
        "sse_kms_key_id" => "sse = \"aws:kms\"",
        "external_id" => "sign_as = \"arn:aws:iam::210987654321:role/archive\"",
        "scopes" => "client_id = \"signpost\"",
        _ => "",
    }
}

/// Fields that cannot be in one table with the example.
fn excluded(field: &str) -> &'static [&'static str] {
    match field {
        "via" => &["aud", "alg"],
        _ => &[],
    }
}

/// The name of the field that a line sets.
fn name(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

/// A table with `base`, in which `line` replaces the field of the same name.
fn table(heading: &str, base: &[&str], line: &str) -> String {
    let own = name(line);
    let base = base
        .iter()
        .filter(|other| name(other) != own && !excluded(own).contains(&name(other)));
    let lines: Vec<_> = base.copied().chain([line, companions(own)]).collect();
    format!("{heading}\n{}\n", lines.join("\n"))
}

/// The rest of the file, to which examples refer.
fn others(heading: &str) -> String {
    let token = format!("[[token]]\nid = \"ci\"\nsha256 = \"{DIGEST}\"\n");
    let issuer = "[[issuer]]\nname = \"idp\"\niss = \"https://idp.example.com\"\naud = [\"a\"]\nalg = [\"RS256\"]\n";
    let parts = [("[[token]]", token.as_str()), ("[[issuer]]", issuer)];
    parts
        .iter()
        .filter(|(own, _)| *own != heading)
        .map(|(_, text)| *text)
        .collect()
}

fn base(heading: &str) -> Vec<&'static str> {
    match heading {
        "[[rule]]" => vec![
            "id = \"r\"",
            "who = [\"issuer:idp\"]",
            "can = [\"read\"]",
            "on = [\"a/**\"]",
        ],
        "[[token]]" => vec![
            "id = \"t\"",
            "sha256 = \"4bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"",
        ],
        "[[issuer]]" => vec![
            "name = \"i\"",
            "iss = \"https://i.example.com\"",
            "aud = [\"a\"]",
            "alg = [\"RS256\"]",
        ],
        "[[mount]]" => vec!["at = \"a/\"", "bucket = \"acme-archive\""],
        _ => Vec::new(),
    }
}

fn parse(heading: &str, line: &str) -> Result<Policy, String> {
    let text = if heading.is_empty() {
        let version = if name(line) == "version" { "" } else { "version = 1\n" };
        format!("{version}{line}\n")
    } else {
        format!(
            "version = 1\n{}{}",
            others(heading),
            table(heading, &base(heading), line)
        )
    };
    Policy::parse(&text).map_err(|error| error.to_string())
}

/// The tables, with the sections that describe their fields.
fn tables() -> Vec<(&'static str, Vec<Row>)> {
    let constraints = |mut first: Vec<Row>| {
        first.extend(rows(CONSTRAINTS));
        first
    };
    let (share, signer): (Vec<_>, Vec<_>) = rows("`[share]` and `[signer]`")
        .into_iter()
        .partition(|row| row.field == "revoked");
    vec![
        ("", rows("The file")),
        ("[[rule]]", constraints(rows(REQUESTS))),
        ("[defaults]", constraints(rows("`[defaults]` alone"))),
        ("[[token]]", rows("`[[token]]`")),
        ("[[issuer]]", rows("`[[issuer]]`")),
        ("[[mount]]", rows("`[[mount]]`")),
        ("[share]", share),
        ("[signer]", signer),
        ("[lfs]", rows("`[turborepo]`, `[nx]` and `[lfs]`")),
    ]
}

#[test]
fn the_tables_contain_exactly_the_fields_of_the_parser() {
    for (heading, rows) in tables() {
        let error = parse(heading, "no_such_field = 1").unwrap_err();
        let (_, known) = error.rsplit_once("expected ").expect(&error);
        let known: BTreeSet<_> = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let documented: BTreeSet<_> = rows.iter().map(|row| row.field.clone()).collect();
        assert_eq!(rows.len(), documented.len(), "{heading} contains a field twice");
        assert_eq!(documented, known, "{heading}");
    }
}

#[test]
fn every_example_is_valid() {
    for (heading, rows) in tables() {
        for row in rows {
            assert_eq!(name(&row.example), row.field, "{heading}");
            parse(heading, &row.example).unwrap_or_else(|error| panic!("{heading} {}: {error}", row.example));
        }
    }
}

fn constraints(line: &str) -> Constraints {
    let policy = parse("[[rule]]", line).unwrap();
    policy.grants().next().unwrap().constraints.clone()
}

#[test]
fn the_defaults_are_those_of_the_parser() {
    let mut compared = BTreeMap::new();
    for row in rows(CONSTRAINTS) {
        let default = row.default.split(',').next().unwrap();
        let Some(default) = code(default) else { continue };
        let explicit = constraints(&format!("{} = {default}", row.field));
        assert_eq!(explicit, constraints("effect = \"allow\""), "{}", row.field);
        compared.insert(row.field, default.to_owned());
    }
    assert!(compared.len() >= 8, "{compared:?}");
}

#[test]
fn the_maximums_are_those_of_the_parser() {
    let mut compared = 0;
    for row in rows(CONSTRAINTS) {
        let Some(maximum) = code(&row.maximum) else { continue };
        let above = match maximum.strip_suffix('"') {
            Some(size) if size.ends_with("iB") => {
                format!("\"{}\"", size.trim_start_matches('"').replace("00GiB", "01GiB"))
            }
            Some(duration) => format!("{duration} 1s\""),
            None => format!("{}", maximum.parse::<u64>().unwrap() + 1),
        };
        for heading in ["[[rule]]", "[defaults]"] {
            parse(heading, &format!("{} = {maximum}", row.field)).expect(&row.field);
            let error = parse(heading, &format!("{} = {above}", row.field)).unwrap_err();
            assert!(error.contains("above the maximum"), "{heading} {}: {error}", row.field);
        }
        compared += 1;
    }
    assert_eq!(compared, 4);
}

/// The text above the table says which fields of `[defaults]` are maximums.
#[test]
fn the_defaults_are_maximums_only_for_the_fields_that_the_document_names() {
    let (_, text) = DOCUMENT.split_once(&format!("\n### {CONSTRAINTS}\n")).unwrap();
    let (_, text) = text.split_once("For `").unwrap();
    let (named, _) = text.split_once(", it is also the maximum").unwrap();
    let named: BTreeSet<_> = named
        .split('`')
        .filter(|word| word.contains('_') || *word == "expires")
        .collect();
    for (field, lower, higher) in [
        ("expires", "\"1m\"", "\"2m\""),
        ("max_bytes", "1", "2"),
        ("share_expires", "\"1m\"", "\"2m\""),
        ("temporary_share_expires", "\"1m\"", "\"2m\""),
        ("share", "[]", "[\"read\"]"),
        ("client_may_set", "[]", "[\"versionId\"]"),
        ("disposition", "\"attachment\"", "\"inline\""),
    ] {
        let rule = table("[[rule]]", &base("[[rule]]"), &format!("{field} = {higher}"));
        let text = format!("version = 1\n[defaults]\n{field} = {lower}\n{}{rule}", others(""));
        let is_maximum = Policy::parse(&text).is_err();
        assert_eq!(is_maximum, named.contains(field), "{field}");
    }
}
