//! With few file descriptors, the command transfers fewer files at the same time.

use std::fs;

use crate::support::LocalServer;

#[test]
fn folders_are_transferred_with_64_file_descriptors() {
    let local = LocalServer::start();
    let folder = local.path("tree");
    fs::create_dir(&folder).unwrap();
    for number in 0..200 {
        fs::write(folder.join(format!("{number:03}")), number.to_string()).unwrap();
    }
    fs::write(folder.join("large"), vec![7; 20 * 1024 * 1024]).unwrap();
    local.limited(64, &["put", "-r", "tree/", "up/"]).succeeds();
    local.limited(64, &["get", "-r", "up/", "-o", "down"]).succeeds();
    for number in 0..200 {
        let copy = fs::read_to_string(local.path(&format!("down/{number:03}"))).unwrap();
        assert_eq!(copy, number.to_string());
    }
    assert_eq!(fs::read(local.path("down/large")).unwrap(), vec![7; 20 * 1024 * 1024]);
}
