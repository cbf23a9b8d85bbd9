//! Object keys: every valid key survives the conversion to a path and back, and no other text is accepted.

use proptest::prelude::*;
use signpost::key::{KeyError, MAX_KEY_BYTES, ObjectKey, PathEncoding};

fn valid_key() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        "[a-zA-Z0-9 +%.~_'\"()*!$&,;=:@\\\\-]{0,20}",
        "\\PC{0,12}",
        Just("..a".to_owned()),
        Just("\u{202e}\u{301}🦀".to_owned()),
    ];
    let key = prop::collection::vec(segment, 1..8).prop_map(|segments| segments.join("/"));
    key.prop_filter("is legal", |key| ObjectKey::new(key.clone()).is_ok())
}

proptest! {
    #[test]
    fn every_legal_key_survives_its_path(key in valid_key()) {
        let key = ObjectKey::new(key).unwrap();
        let path = key.to_path();
        prop_assert_eq!(&ObjectKey::from_path(&path, PathEncoding::Percent).unwrap(), &key);
        let decoded = format!("/{key}");
        prop_assert_eq!(&ObjectKey::from_path(&decoded, PathEncoding::Decoded).unwrap(), &key);
    }

    #[test]
    fn a_path_holds_only_unreserved_characters(key in valid_key()) {
        let path = ObjectKey::new(key).unwrap().to_path();
        prop_assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte)));
    }

    #[test]
    fn nothing_makes_the_parser_panic(path in any::<String>()) {
        for encoding in [PathEncoding::Percent, PathEncoding::Decoded] {
            if let Ok(key) = ObjectKey::from_path(&path, encoding) {
                prop_assert!(!key.as_str().is_empty() && key.as_str().len() <= MAX_KEY_BYTES);
                prop_assert!(!key.as_str().split('/').any(|segment| segment == "." || segment == ".."));
            }
        }
    }

    #[test]
    fn escapes_in_any_spelling_decode_or_are_refused(path in "(/|%[0-9a-fA-F]{0,2}|[a-z.%]){0,30}") {
        if let Ok(key) = ObjectKey::from_path(&path, PathEncoding::Percent) {
            prop_assert_eq!(&ObjectKey::from_path(&key.to_path(), PathEncoding::Percent).unwrap(), &key);
        }
    }
}

#[test]
fn keys_are_preserved_byte_for_byte() {
    for (path, key) in [
        ("/a", "a"),
        ("//a", "/a"),
        ("/a//b/", "a//b/"),
        ("/a+b", "a+b"),
        ("/a%2Bb", "a+b"),
        ("/a%2fb", "a/b"),
        ("/100%25", "100%"),
        ("/100%2525", "100%25"),
        ("/%E2%98%83/e%CC%81", "☃/e\u{301}"),
        ("/a%5C..%5Cb", "a\\..\\b"),
        ("/.hidden/...", ".hidden/..."),
        ("/a%3Fb%23c", "a?b#c"),
    ] {
        assert_eq!(
            ObjectKey::from_path(path, PathEncoding::Percent).unwrap().as_str(),
            key,
            "{path}"
        );
    }
}

#[test]
fn invalid_keys_are_rejected() {
    let long = format!("/{}", "é".repeat(513));
    for (path, problem) in [
        ("", KeyError::Empty),
        ("/", KeyError::Empty),
        ("/%", KeyError::BadEscape),
        ("/%4", KeyError::BadEscape),
        ("/%zz", KeyError::BadEscape),
        ("/%+1", KeyError::BadEscape),
        ("/%C0%AF", KeyError::NotUtf8),
        ("/%ED%A0%80", KeyError::NotUtf8),
        ("/.", KeyError::DotSegment),
        ("/a/..", KeyError::DotSegment),
        ("/../a", KeyError::DotSegment),
        ("/a%2F..%2Fb", KeyError::DotSegment),
        ("/%2E%2e/a", KeyError::DotSegment),
        ("/a/./b", KeyError::DotSegment),
        ("/a%00", KeyError::ControlCharacter),
        ("/a%0D%0Ab", KeyError::ControlCharacter),
        ("/a%7F", KeyError::ControlCharacter),
        ("/a%C2%85", KeyError::ControlCharacter),
        (long.as_str(), KeyError::TooLong { bytes: 1026 }),
    ] {
        assert_eq!(
            ObjectKey::from_path(path, PathEncoding::Percent),
            Err(problem),
            "{path}"
        );
    }
}

#[test]
fn a_key_of_1024_bytes_is_legal() {
    let path = format!("/{}", "é".repeat(512));
    assert_eq!(
        ObjectKey::from_path(&path, PathEncoding::Decoded)
            .unwrap()
            .as_str()
            .len(),
        MAX_KEY_BYTES
    );
}
