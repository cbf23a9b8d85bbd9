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

/// A finding of the security review of November 2026, and tests that fail without its fix.
const FINDINGS: [(&str, &[&str]); 15] = [
    (
        "a resumed upload used parts of another writer",
        &[
            "a part that another caller replaced is sent again",
            "an upload that another caller completed with other content is not reported as uploaded",
        ],
    ),
    (
        "share links survived the rotation of a token",
        &["a_new_secret_of_the_token_ends_its_links_and_those_of_its_sessions"],
    ),
    (
        "share_expires was checked only when a link was created",
        &[
            "a_shortened_share_expires_applies_to_existing_links_for_every_method",
            "each_use_of_a_prefix_link_checks_the_share_expires_of_the_rule_for_its_key",
        ],
    ),
    (
        "deny rules that could not be evaluated did not apply",
        &[
            "a_condition_of_a_deny_rule_holds_if_the_claim_has_no_single_value",
            "a_deny_rule_for_a_group_applies_if_the_groups_are_ambiguous",
            "a_claim_without_a_plain_value_in_the_pattern_of_a_deny_rule_matches_everything_below",
        ],
    ),
    (
        "a caller who could only write saw the uploads of others",
        &["a_caller_who_may_only_write_or_only_list_does_not_see_the_uploads_of_others"],
    ),
    (
        "a deny rule did not apply to the other keys of an object",
        &["a_deny_rule_protects_an_object_under_all_its_keys"],
    ),
    (
        "a form for a range of media types accepted a list of types",
        &[
            "a_range_of_media_types_requires_that_browsers_save_the_file",
            "each_content_type_of_a_list_must_match_the_policy",
        ],
    ),
    (
        "long claims caused an error of the server",
        &["claims_that_fit_into_no_session_policy_are_an_error_of_the_client"],
    ),
    ("next left the base path", &["next_never_leaves_the_base_path"]),
    (
        "max_bytes did not limit parts",
        &["the_limit_of_a_rule_bounds_the_parts_that_a_client_can_store"],
    ),
    (
        "large numeric claims of two users became equal",
        &["numbers_that_are_not_exact_have_no_value"],
    ),
    (
        "a bulk response was larger than the limit of the front",
        &["the_response_to_a_bulk_request_is_always_small_enough_for_every_front"],
    ),
    (
        "another site started uploads with a cached password",
        &["a_page_of_another_site_changes_nothing_whatever_the_credential"],
    ),
    (
        "names changed the direction of other text",
        &[
            "text_listings_contain_no_control_characters_and_no_invisible_characters_of_names",
            "names_with_direction_marks_are_escaped",
            "no_field_of_the_line_can_change_or_hide_other_text",
        ],
    ),
    (
        "small findings: the text after an upload, HTTPS, stored keys, local files, two Host headers",
        &[
            "the_form_page_shows_only_keys_that_it_has_signed",
            "browsers_must_use_https_if_the_front_does",
            "keys_are_requested_at_the_first_request_and_again_after_a_minute",
            "keys_can_be_in_secrets_manager",
            "only_the_owner_can_read_the_data",
            "a_second_host_header_is_rejected",
        ],
    ),
];

#[test]
fn every_finding_of_the_security_review_is_a_threat_with_its_tests() {
    let text = std::fs::read_to_string("docs/SECURITY.md").unwrap();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ")).collect();
    for (finding, tests) in FINDINGS {
        for test in tests {
            let is_named = rows.iter().any(|row| row.contains(&format!(": {test}`")));
            assert!(is_named, "{finding}: no row names {test}");
        }
    }
}
