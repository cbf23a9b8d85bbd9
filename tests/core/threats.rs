//! The tests in the table of threats exist.

use std::path::Path;

#[test]
fn every_threat_names_a_test_that_exists() {
    let text = std::fs::read_to_string("docs/SECURITY.md").unwrap();
    let named = text
        .split('`')
        .filter_map(|word| word.split_once(": "))
        .filter(|(file, _)| file.contains('/'));
    let mut found = 0;
    for (file, test) in named {
        let source = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let rust = Path::new(file).extension().is_some_and(|extension| extension == "rs");
        let exists = if rust {
            source.contains(&format!("fn {test}("))
        } else {
            source.contains(test)
        };
        assert!(exists, "{file} has no test {test:?}");
        found += 1;
    }
    assert!(found > 40, "{found} tests are named");
    let rows = text.lines().skip_while(|line| *line != "### Keys and paths");
    let rows = rows.filter(|line| line.starts_with("| ") && !line.starts_with("| threat"));
    for row in rows {
        assert!(row.contains("tests/") || row.contains("src/"), "no test proves: {row}");
    }
}
