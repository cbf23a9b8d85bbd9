//! Multipart uploads through the redirect, with one curl command for each step.

use crate::helpers::random_bytes;
use crate::support::{CurlResponse, LocalServer};

const FIVE_MIB: usize = 5 * 1024 * 1024;

/// A multipart upload to one path.
struct MultipartUpload<'a> {
    server: &'a LocalServer,
    path: &'a str,
    id: String,
    etags: Vec<String>,
}

impl<'a> MultipartUpload<'a> {
    fn begin(server: &'a LocalServer, path: &'a str) -> Self {
        let begun = server.curl(&["-fL", "-X", "POST"], &format!("{path}?uploads"));
        assert_eq!(begun.status, 200, "{}", begun.text());
        Self {
            server,
            path,
            id: element(&begun.text(), "UploadId"),
            etags: Vec::new(),
        }
    }

    /// Sends a part in two steps, because a gateway does not accept 5 MiB.
    fn part(&mut self, bytes: &[u8]) {
        let number = self.etags.len() + 1;
        let url = self.server.signed_put_at(&format!(
            "{}?partNumber={number}&uploadId={}&contentLength={}",
            self.path,
            self.id,
            bytes.len()
        ));
        let sent = crate::support::curl(&["-f", "-D", "-", "-T", &self.server.file(bytes)], &url);
        assert_eq!(sent.status, 200, "{}", sent.text());
        let etag = sent.text().lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("etag").then(|| value.trim().to_owned())
        });
        self.etags.push(etag.expect("the response of S3 has an ETag"));
    }

    fn complete(&self, args: &[&str]) -> CurlResponse {
        let parts = self
            .etags
            .iter()
            .enumerate()
            .map(|(index, etag)| format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", index + 1));
        let list = format!(
            "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let file = format!("@{}", self.server.file(list.as_bytes()));
        self.curl(&[&["-L", "--data-binary", &file], args].concat())
    }

    fn curl(&self, args: &[&str]) -> CurlResponse {
        self.server.curl(args, &format!("{}?uploadId={}", self.path, self.id))
    }
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once('<').unwrap().0.to_owned()
}

#[test]
fn a_multipart_upload_creates_one_object() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let bytes = random_bytes(FIVE_MIB + 1000);
    let mut upload = MultipartUpload::begin(&server, "/a%20b");
    upload.part(&bytes[..FIVE_MIB]);
    upload.part(&bytes[FIVE_MIB..]);
    let parts = upload.curl(&["-fL"]);
    assert_eq!(parts.text().matches("<PartNumber>").count(), 2, "{}", parts.text());
    let done = upload.complete(&["-H", &format!("x-amz-mp-object-size: {}", bytes.len())]);
    assert!(done.text().contains("CompleteMultipartUploadResult"), "{}", done.text());
    assert!(server.curl(&["-fL"], "/a%20b").body == bytes);
}

#[test]
fn s3_rejects_a_completion_that_would_overwrite_or_has_a_wrong_size() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let mut upload = MultipartUpload::begin(&server, "/a");
    upload.part(b"second");
    let wrong_size = upload.complete(&["-H", "x-amz-mp-object-size: 5"]);
    assert_eq!(wrong_size.status, 400, "{}", wrong_size.text());
    assert_eq!(server.put("/a", b"first").status, 200);
    let rejected = upload.complete(&[]);
    assert_eq!(
        (rejected.status, element(&rejected.text(), "Code").as_str()),
        (412, "PreconditionFailed")
    );
    assert_eq!(server.curl(&["-fL"], "/a").text(), "first");
    let aborted = upload.curl(&["-fL", "-X", "DELETE"]);
    assert_eq!(aborted.status, 204);
    assert_eq!(upload.curl(&["-L"]).status, 404);
}
