"""Multipart uploads. The tests send every step to S3 as Signpost instructs, and check that S3 rejects altered steps."""

import json
import os
import re
from xml.sax.saxutils import escape

import pytest
import requests

import servers
import signpost
import wire
from curl import curl
from presigned import Presigned, encode
from test_oracle import LONG_TERM, SESSION, check_signature, start

MIB = 1024 * 1024
FIRST, LAST = os.urandom(5 * MIB), os.urandom(70_000)
UPLOAD_ID = "2~weird+/=._-"


def rules(**options):
    """Returns rules without `max_bytes`, because with it the last step must declare the size of the object."""
    return signpost.rules(**options).replace('max_bytes = "5GiB"\n', "")


@pytest.fixture
def site(server):
    return server.site(rules())


@pytest.fixture
def key():
    return servers.fresh_key("a folder/parts \u00e9")


class Upload:
    """One multipart upload. Each step is requested as JSON and sent as the instruction says."""

    def __init__(self, site, key, **parameters):
        self.site, self.key = site, key
        response = self.step("POST", query="uploads" + query_of(parameters))
        assert response.status == 200, response.body
        self.id = re.search(r"<UploadId>([^<]+)</UploadId>", response.body.decode())[1]

    def request(self, method, query, headers=None):
        return self.site.request(method, self.key, {"Accept": "application/vnd.signpost+json"} | (headers or {}), query=query)

    def step(self, method, query, body=None):
        response = self.request(method, query)
        assert response.status == 200, response.body
        instruction = json.loads(response.body)
        return wire.send(instruction["method"], instruction["url"], instruction["headers"], body)

    @property
    def id_parameter(self):
        return f"uploadId={encode(self.id)}"

    def part(self, number, content, **parameters):
        return self.step("PUT", f"partNumber={number}&{self.id_parameter}{query_of(parameters)}", content)

    def list(self):
        return self.step("GET", self.id_parameter)

    def complete(self, etags, **parameters):
        return self.step("POST", self.id_parameter + query_of(parameters), parts(etags))

    def abort(self):
        return self.step("DELETE", self.id_parameter)


def query_of(parameters):
    return "".join(f"&{name.replace('_', '-')}={encode(str(value))}" for name, value in parameters.items())


def parts(etags):
    elements = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{escape(etag)}</ETag></Part>" for n, etag in etags.items())
    return f"<CompleteMultipartUpload>{elements}</CompleteMultipartUpload>".encode()


def upload_parts(upload):
    """Uploads both parts and returns their ETags."""
    responses = {number: upload.part(number, content) for number, content in ((1, FIRST), (2, LAST))}
    assert [response.status for response in responses.values()] == [200, 200]
    return {number: response.headers["ETag"] for number, response in responses.items()}


def unknown_upload(site):
    """Returns the status of completing an upload that does not exist; see DIFFERENCES.md."""
    return 500 if site.server.name == "radosgw" else 404


def test_every_step_is_signed_as_botocore_signs_it(run):
    with start(run, rules(), "rest", LONG_TERM) as plain, start(run, rules(), "function-url", SESSION) as session:
        for server, credentials in ((plain, LONG_TERM), (session, SESSION)):
            for key in ("a", "a b+c%25/\u00e9\U0001f600//x", "x?y=z#w"):
                for method, query, parameters in [
                    ("POST", "uploads", {"uploads": ""}),
                    ("PUT", "partNumber=1&uploadId=", {"partNumber": "1", "uploadId": UPLOAD_ID}),
                    ("PUT", "partNumber=10000&uploadId=", {"partNumber": "10000", "uploadId": UPLOAD_ID}),
                    ("GET", "uploadId=", {"uploadId": UPLOAD_ID}),
                    ("GET", "max-parts=2&part-number-marker=7&uploadId=",
                     {"max-parts": "2", "part-number-marker": "7", "uploadId": UPLOAD_ID}),
                    ("POST", "uploadId=", {"uploadId": UPLOAD_ID}),
                    ("DELETE", "uploadId=", {"uploadId": UPLOAD_ID}),
                ]:
                    query += encode(UPLOAD_ID) if query.endswith("=") else ""
                    check_signature(server.redirect(method, key, query=query, headers={"Content-Length": "0"}), credentials, method, key,
                         {}, parameters)


def test_a_multipart_upload_stores_the_exact_bytes(site, key):
    upload = Upload(site, key, contentType="text/x-parts", meta_team="red")
    etags = upload_parts(upload)
    listed = upload.list()
    assert re.findall(r"<PartNumber>(\d+)</PartNumber>", listed.body.decode()) == ["1", "2"]
    completed = upload.complete(etags)
    assert completed.status == 200 and b"<CompleteMultipartUploadResult" in completed.body, completed.body
    assert site.stored(key) == FIRST + LAST
    head = requests.head(site.url_of(key), allow_redirects=True)
    assert (head.headers["Content-Type"], head.headers["x-amz-meta-team"]) == ("text/x-parts", "red")


def test_curl_uploads_parts_through_redirects(site, key, tmp_path):
    url = site.url_of(key)
    created = curl("-fL", "-X", "POST", f"{url}?uploads")
    upload_id = re.search(rb"<UploadId>([^<]+)</UploadId>", created.out)[1].decode()
    file, etags = tmp_path / "part", {}
    for number, content in ((1, FIRST[: 3 * MIB]), (2, LAST)):
        # A front accepts at most 4.5 MB, and every part except the last one needs at least 5 MiB.
        two_steps = curl("-f", "-X", "PUT", f"{url}?partNumber={number}&uploadId={encode(upload_id)}&url")
        file.write_bytes(content + FIRST[: 2 * MIB] if number == 1 else content)
        stored = curl("-f", "-T", file, "-D", "-", "-o", tmp_path / "out", two_steps.out.decode().strip())
        etags[number] = re.search(rb'(?i)etag: ("[^"]+")', stored.out)[1].decode()
    file.write_bytes(parts(etags))
    assert curl("-fL", "--data-binary", f"@{file}", f"{url}?uploadId={encode(upload_id)}").ok
    assert site.stored(key) == FIRST[: 3 * MIB] + FIRST[: 2 * MIB] + LAST


def test_an_aborted_upload_accepts_no_more_parts(site, key):
    upload = Upload(site, key)
    etags = upload_parts(upload)
    assert upload.abort().status == 204
    assert upload.part(3, LAST).status == 404
    assert upload.complete(etags).status == unknown_upload(site)
    assert site.stored(key) is None


def test_s3_rejects_an_altered_part_request(site, key):
    """The URL of a part is valid only for its part number, upload, key and declared length."""
    upload, other = Upload(site, key), Upload(site, servers.fresh_key())
    instruction = json.loads(upload.request("PUT", f"partNumber=1&{upload.id_parameter}&contentLength={len(LAST)}").body)
    url = Presigned.parse(instruction["url"])
    for altered in (
        url.with_parameter("partNumber", "2"), url.with_parameter("uploadId", other.id), url.without_parameter("partNumber"),
        url.without_parameter("uploadId"), url.with_path(url.path + "x"), url.with_parameter("acl", ""),
    ):
        assert altered.send("PUT", instruction["headers"], LAST).status == 403
    assert url.send("PUT", {}, LAST + b"!").status == 403
    assert url.send("POST", instruction["headers"], parts({})).status == 403
    assert url.send("DELETE", instruction["headers"]).status == 403
    assert b"<PartNumber>" not in upload.list().body
    assert url.send("PUT", instruction["headers"], LAST).status == 200


def test_wrong_etags_and_an_unknown_upload_complete_nothing(site, key):
    upload = Upload(site, key)
    etags = upload_parts(upload)
    assert upload.complete({1: etags[2], 2: etags[1]}).status == 400
    assert upload.complete({1: etags[1], 3: etags[2]}).status == 400
    upload.id = "no-such-upload"
    assert upload.complete(etags).status == unknown_upload(site)
    assert site.stored(key) is None


def test_signpost_rejects_invalid_multipart_requests(site, key):
    for method, query in [
        ("PUT", "partNumber=0&uploadId=u"), ("PUT", "partNumber=10001&uploadId=u"), ("PUT", "partNumber=1e3&uploadId=u"),
        ("PUT", "partNumber=+1&uploadId=u"), ("PUT", "partNumber=&uploadId=u"), ("PUT", "uploadId=u"),
        ("PUT", "partNumber=1"), ("PUT", "partNumber=1&partNumber=2&uploadId=u"), ("PUT", "partNumber=1&uploadId="),
        ("PUT", "partNumber=1&uploadId=%0a"), ("PUT", "partNumber=1&uploadId=%C3%A9"), ("PUT", "partNumber=1&uploadId=%20u"),
        ("PUT", "partNumber=1&uploadId=u&meta-a=b"), ("PUT", "partNumber=1&uploadId=u&uploads"), ("POST", "uploads=1"),
        ("POST", "uploads&uploadId=u"), ("POST", "uploads&uploads"), ("GET", "uploadId=u&download"),
        ("GET", "uploadId=u&max-parts=1001"), ("DELETE", "uploadId=u&versionId=v"), ("POST", "uploads&ifNoneMatch=*"),
        ("GET", "uploads"), ("HEAD", "uploadId=u"), ("PATCH", "uploadId=u"), ("POST", ""), ("POST", "uploadId=u&partNumber=1"),
    ]:
        response = site.request(method, key, {"Accept": "application/vnd.signpost+json"}, query=query)
        assert response.status in (400, 405), f"{method} ?{query}: {response.status}"


def test_a_rules_limit_applies_to_the_whole_object(server, key):
    """`max_bytes` limits each part, with 5 MiB for each part before it. The last step must declare the size of the object, which S3 verifies."""
    site = server.site(rules(more="max_bytes = 5500000"))
    upload = Upload(site, key)
    assert upload.request("POST", "uploads&contentLength=5500001").status == 413
    assert upload.request("PUT", f"partNumber=1&{upload.id_parameter}").status == 411
    assert upload.request("PUT", f"partNumber=1&{upload.id_parameter}&contentLength=5500001").status == 413
    etags = {1: upload.part(1, FIRST, contentLength=len(FIRST)).headers["ETag"]}
    assert upload.request("PUT", f"partNumber=2&{upload.id_parameter}&contentLength={len(FIRST)}").status == 413
    etags[2] = upload.part(2, b"x" * 1000, contentLength=1000).headers["ETag"]
    assert upload.request("POST", upload.id_parameter).status == 411
    assert upload.request("POST", f"{upload.id_parameter}&mp-object-size={2 * len(FIRST)}").status == 413
    wrong_size = upload.complete(etags, mp_object_size=5_500_000)
    if server.name == "radosgw":  # see DIFFERENCES.md
        assert wrong_size.status == 200
    else:
        assert wrong_size.status == 400, wrong_size.body
        assert site.stored(key) is None
        assert upload.complete({1: etags[1]}, mp_object_size=len(FIRST)).status == 200
        assert site.stored(key) == FIRST


@pytest.mark.parametrize("form", ["json", "redirect"])
def test_completing_an_upload_replaces_nothing_if_the_rule_forbids_it(server, key, form):
    site = server.site(rules(overwrite=False))
    upload = Upload(site, key)
    etags = upload_parts(upload)
    site.put(key, b"before")
    if form == "json":
        response = upload.complete(etags)
    else:
        body = parts(etags)
        response = site.redirect("POST", key, body=body, query=upload.id_parameter).send("POST", None, body)
    if server.name == "radosgw":  # see DIFFERENCES.md
        assert response.status == 200
    else:
        assert response.status == 412, response.body
        assert site.stored(key) == b"before"
