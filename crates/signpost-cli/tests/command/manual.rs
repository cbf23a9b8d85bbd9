//! Help, completions and manual pages: they speak of what there is, in plain text.

use crate::support::signpost;

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = signpost(&["completions", shell]);
        assert_eq!((said.code, said.notes.as_str()), (0, ""));
        assert!(said.out.contains("explain"), "{shell}");
    }
}

#[test]
fn every_command_has_a_page() {
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
fn nothing_is_coloured_even_where_colours_are_forced() {
    for arguments in [&["--help"][..], &["rules", "explain", "--help"], &["nothing"], &[]] {
        let said = signpost(arguments);
        assert!(!said.out.contains('\x1b') && !said.notes.contains('\x1b'), "{said:?}");
    }
}
