//! Help, completions and manual pages exist for every command and contain plain text.

use crate::support::signpost;

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = signpost(&["completions", shell]);
        assert_eq!((said.code, said.notes.as_str()), (0, ""));
        assert!(said.out.contains("explain"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    for path in [
        &[][..],
        &["get"],
        &["put"],
        &["cat"],
        &["rm"],
        &["stat"],
        &["ls"],
        &["share"],
        &["uploads"],
        &["login"],
        &["logout"],
        &["whoami"],
        &["doctor"],
        &["rules"],
        &["rules", "check"],
        &["rules", "explain"],
        &["rules", "test"],
        &["token", "new"],
        &["key", "new"],
    ] {
        let said = signpost(&[&["man"], path].concat());
        assert_eq!((said.code, said.notes.as_str()), (0, ""));
        let title = [&["signpost"], path].concat().join("-");
        assert!(said.out.contains(&format!(".TH {title} 1")), "{}", said.out);
    }
    assert_eq!(signpost(&["man", "nothing"]).code, 2);
}

#[test]
fn output_has_no_colours_even_if_they_are_forced() {
    for arguments in [&["--help"][..], &["rules", "explain", "--help"], &["nothing"], &[]] {
        let said = signpost(arguments);
        assert!(!said.out.contains('\x1b') && !said.notes.contains('\x1b'), "{said:?}");
    }
}
