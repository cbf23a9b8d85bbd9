//! Uploads in parts through the redirect, each step with one curl command.

use crate::support::{Answer, Local, noise};

const FIVE_MIB: usize = 5 * 1024 * 1024;

/// An upload in parts to one path.
struct Upload<'a> {
    local: &'a Local,
    path: &'a str,
    id: String,
    etags: Vec<String>,
}

impl<'a> Upload<'a> {
    fn begin(local: &'a Local, path: &'a str) -> Self {
        let begun = local.curl(&["-fL", "-X", "POST"], &format!("{path}?uploads"));
        assert_eq!(begun.status, 200, "{}", begun.text());
        Self {
            local,
            path,
            id: element(&begun.text(), "UploadId"),
            etags: Vec::new(),
        }
    }

    /// Sends a part in two steps, since a gateway takes no 5 MiB.
    fn part(&mut self, bytes: &[u8]) {
        let number = self.etags.len() + 1;
        let url = self.local.signed_put_at(&format!(
            "{}?partNumber={number}&uploadId={}&contentLength={}",
            self.path,
            self.id,
            bytes.len()
        ));
        let sent = crate::support::curl(&["-f", "-D", "-", "-T", &self.local.file(bytes)], &url);
        assert_eq!(sent.status, 200, "{}", sent.text());
        let etag = sent.text().lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("etag").then(|| value.trim().to_owned())
        });
        self.etags.push(etag.expect("S3 tells an ETag"));
    }

    fn complete(&self, args: &[&str]) -> Answer {
        let parts = self
            .etags
            .iter()
            .enumerate()
            .map(|(index, etag)| format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", index + 1));
        let list = format!(
            "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let file = format!("@{}", self.local.file(list.as_bytes()));
        self.curl(&[&["-L", "--data-binary", &file], args].concat())
    }

    fn curl(&self, args: &[&str]) -> Answer {
        self.local.curl(args, &format!("{}?uploadId={}", self.path, self.id))
    }
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once('<').unwrap().0.to_owned()
}

#[test]
fn an_upload_in_parts_becomes_one_object() {
    let Some(local) = Local::start(&[]) else { return };
    let bytes = noise(FIVE_MIB + 1000);
    let mut upload = Upload::begin(&local, "/a%20b");
    upload.part(&bytes[..FIVE_MIB]);
    upload.part(&bytes[FIVE_MIB..]);
    let parts = upload.curl(&["-fL"]);
    assert_eq!(parts.text().matches("<PartNumber>").count(), 2, "{}", parts.text());
    let done = upload.complete(&["-H", &format!("x-amz-mp-object-size: {}", bytes.len())]);
    assert!(done.text().contains("CompleteMultipartUploadResult"), "{}", done.text());
    assert!(local.curl(&["-fL"], "/a%20b").body == bytes);
}

#[test]
fn s3_refuses_an_end_that_would_replace_an_object_or_belies_its_size() {
    let Some(local) = Local::start(&[]) else { return };
    let mut upload = Upload::begin(&local, "/a");
    upload.part(b"second");
    let belied = upload.complete(&["-H", "x-amz-mp-object-size: 5"]);
    assert_eq!(belied.status, 400, "{}", belied.text());
    assert_eq!(local.put("/a", b"first").status, 200);
    let refused = upload.complete(&[]);
    assert_eq!(
        (refused.status, element(&refused.text(), "Code").as_str()),
        (412, "PreconditionFailed")
    );
    assert_eq!(local.curl(&["-fL"], "/a").text(), "first");
    let aborted = upload.curl(&["-fL", "-X", "DELETE"]);
    assert_eq!(aborted.status, 204);
    assert_eq!(upload.curl(&["-L"]).status, 404);
}
