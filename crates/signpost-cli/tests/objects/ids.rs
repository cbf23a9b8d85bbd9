//! Objects that the service stores under generated ids: the command uses only their public keys.

use crate::support::{LocalServer, assert_same_bytes, noise};

const RULES: &str = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\", \"delete\"]\n\
                     on = [\"docs/**\"]\nrewrite = \"objects/{id}\"\nallow_anonymous_write = true\n\
                     [[rule]]\nid = \"kept\"\nwho = [\"anyone\"]\ncan = [\"list\"]\non = [\"objects/**\"]\n";

#[test]
fn a_large_file_is_uploaded_in_parts_and_downloaded_by_its_public_key() {
    let local = LocalServer::start_with(Some(RULES));
    let bytes = noise(65 * 1024 * 1024 + 4321);
    let file = local.file("large.bin", &bytes);
    let put = local
        .signpost(&["put", &file, "docs/large.bin", "--json"])
        .succeeds()
        .json();
    assert!(put[0]["url"].as_str().unwrap().ends_with("/docs/large.bin"), "{put:?}");
    local.signpost(&["get", "docs/large.bin", "-o", "back"]).succeeds();
    assert_same_bytes(&std::fs::read(local.path("back")).unwrap(), &bytes);
    let kept = local.signpost(&["ls", "objects/"]).succeeds();
    let kept = kept.text().trim();
    assert!(kept.len() == 26 && !kept.contains("large"), "{kept}");
    local.signpost(&["put", &file, "docs/large.bin"]).fails(5, "exists");
    local.signpost(&["cat", &format!("objects/{kept}")]).fails(4, "");
    local
        .signpost(&["cat", "docs/other.bin"])
        .fails(3, "the object does not exist");
    local.signpost(&["rm", "docs/large.bin"]).succeeds();
    assert_eq!(local.signpost(&["ls", "objects/"]).succeeds().text(), "");
    local.signpost(&["put", &file, "docs/large.bin"]).succeeds();
    assert_eq!(local.signpost(&["ls", "objects/"]).succeeds().text().trim(), kept);
}
