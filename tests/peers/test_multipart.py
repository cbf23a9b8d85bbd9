"""Uploads in parts, each step an instruction of Signpost's that is carried out with S3, and each refusal by S3 itself."""

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
from test_oracle import LONG_TERM, SESSION, hold, start

MIB = 1024 * 1024
FIRST, LAST = os.urandom(5 * MIB), os.urandom(70_000)
UPLOAD_ID = "2~weird+/=&?#%20"


def rules(**options):
    """Without a limit, so that the end of an upload need not say how large the whole is."""
    return signpost.rules(**options).replace('max_bytes = "5GiB"\n', "")


@pytest.fixture
def site(server):
    return server.site(rules())


@pytest.fixture
def key():
    return servers.fresh_key("a folder/parts \u00e9")


class Upload:
    """One upload; each step is asked for in JSON and sent as it is told."""

    def __init__(self, site, key, **parameters):
        self.site, self.key = site, key
        answer = self.step("POST", query="uploads" + query_of(parameters))
        assert answer.status == 200, answer.body
        self.id = re.search(r"<UploadId>([^<]+)</UploadId>", answer.body.decode())[1]

    def ask(self, method, query, headers=None):
        return self.site.ask(method, self.key, {"Accept": "application/json"} | (headers or {}), query=query)

    def step(self, method, query, body=None):
        told = self.ask(method, query)
        assert told.status == 200, told.body
        instruction = json.loads(told.body)
        return wire.send(instruction["method"], instruction["url"], instruction["headers"], body)

    @property
    def of(self):
        return f"uploadId={encode(self.id)}"

    def part(self, number, content, **parameters):
        return self.step("PUT", f"partNumber={number}&{self.of}{query_of(parameters)}", content)

    def list(self):
        return self.step("GET", self.of)

    def complete(self, etags, **parameters):
        return self.step("POST", self.of + query_of(parameters), parts(etags))

    def abort(self):
        return self.step("DELETE", self.of)


def query_of(parameters):
    return "".join(f"&{name.replace('_', '-')}={encode(str(value))}" for name, value in parameters.items())


def parts(etags):
    listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{escape(etag)}</ETag></Part>" for n, etag in etags.items())
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def sent(upload):
    """Both parts, sent; their ETags."""
    answers = {number: upload.part(number, content) for number, content in ((1, FIRST), (2, LAST))}
    assert [answer.status for answer in answers.values()] == [200, 200]
    return {number: answer.headers["ETag"] for number, answer in answers.items()}


def unknown_upload(site):
    """The answer to the end of an upload that is not there; see DIFFERENCES.md."""
    return 500 if site.server.name == "radosgw" else 404


def test_every_step_is_what_botocore_signs(run):
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
                    hold(server.redirect(method, key, query=query, headers={"Content-Length": "0"}), credentials, method, key,
                         {}, parameters)


def test_an_upload_in_parts_stores_the_exact_bytes(site, key):
    upload = Upload(site, key, contentType="text/x-parts", meta_team="red")
    etags = sent(upload)
    listed = upload.list()
    assert re.findall(r"<PartNumber>(\d+)</PartNumber>", listed.body.decode()) == ["1", "2"]
    done = upload.complete(etags)
    assert done.status == 200 and b"<CompleteMultipartUploadResult" in done.body, done.body
    assert site.stored(key) == FIRST + LAST
    head = requests.head(site.url_of(key), allow_redirects=True)
    assert (head.headers["Content-Type"], head.headers["x-amz-meta-team"]) == ("text/x-parts", "red")


def test_curl_does_it_by_redirects(site, key, tmp_path):
    url = site.url_of(key)
    begun = curl("-fL", "-X", "POST", f"{url}?uploads")
    upload_id = re.search(rb"<UploadId>([^<]+)</UploadId>", begun.out)[1].decode()
    file, etags = tmp_path / "part", {}
    for number, content in ((1, FIRST[: 3 * MIB]), (2, LAST)):
        # A front takes 4.5 MB, and S3 takes a part below 5 MiB only as the last one.
        two_steps = curl("-f", "-X", "PUT", f"{url}?partNumber={number}&uploadId={encode(upload_id)}&url")
        file.write_bytes(content + FIRST[: 2 * MIB] if number == 1 else content)
        stored = curl("-f", "-T", file, "-D", "-", "-o", tmp_path / "out", two_steps.out.decode().strip())
        etags[number] = re.search(rb'(?i)etag: ("[^"]+")', stored.out)[1].decode()
    file.write_bytes(parts(etags))
    assert curl("-fL", "--data-binary", f"@{file}", f"{url}?uploadId={encode(upload_id)}").ok
    assert site.stored(key) == FIRST[: 3 * MIB] + FIRST[: 2 * MIB] + LAST


def test_an_aborted_upload_takes_no_more(site, key):
    upload = Upload(site, key)
    etags = sent(upload)
    assert upload.abort().status == 204
    assert upload.part(3, LAST).status == 404
    assert upload.complete(etags).status == unknown_upload(site)
    assert site.stored(key) is None


def test_s3_refuses_another_part_than_was_told(site, key):
    """The URL of a part is for that number of that upload of that key, and for the length that was declared."""
    upload, other = Upload(site, key), Upload(site, servers.fresh_key())
    told = json.loads(upload.ask("PUT", f"partNumber=1&{upload.of}&contentLength={len(LAST)}").body)
    url = Presigned.parse(told["url"])
    for altered in (
        url.with_parameter("partNumber", "2"), url.with_parameter("uploadId", other.id), url.without_parameter("partNumber"),
        url.without_parameter("uploadId"), url.with_path(url.path + "x"), url.with_parameter("acl", ""),
    ):
        assert altered.send("PUT", told["headers"], LAST).status == 403
    assert url.send("PUT", {}, LAST + b"!").status == 403
    assert url.send("POST", told["headers"], parts({})).status == 403
    assert url.send("DELETE", told["headers"]).status == 403
    assert b"<PartNumber>" not in upload.list().body
    assert url.send("PUT", told["headers"], LAST).status == 200


def test_wrong_etags_and_an_unknown_upload_complete_nothing(site, key):
    upload = Upload(site, key)
    etags = sent(upload)
    assert upload.complete({1: etags[2], 2: etags[1]}).status == 400
    assert upload.complete({1: etags[1], 3: etags[2]}).status == 400
    upload.id = "no-such-upload"
    assert upload.complete(etags).status == unknown_upload(site)
    assert site.stored(key) is None


def test_signpost_refuses_what_no_upload_can_be(site, key):
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
        answer = site.ask(method, key, {"Accept": "application/json"}, query=query)
        assert answer.status in (400, 405), f"{method} ?{query}: {answer.status}"


def test_a_rules_limit_holds_for_the_whole(server, key):
    """`max_bytes` bounds each part, and the end must say how large the whole is, which S3 compares."""
    site = server.site(rules(more="max_bytes = 5500000"))
    upload = Upload(site, key)
    assert upload.ask("POST", "uploads&contentLength=5500001").status == 413
    assert upload.ask("PUT", f"partNumber=1&{upload.of}").status == 411
    assert upload.ask("PUT", f"partNumber=1&{upload.of}&contentLength=5500001").status == 413
    etags = {1: upload.part(1, FIRST, contentLength=len(FIRST)).headers["ETag"]}
    etags[2] = upload.part(2, FIRST, contentLength=len(FIRST)).headers["ETag"]
    assert upload.ask("POST", upload.of).status == 411
    assert upload.ask("POST", f"{upload.of}&mp-object-size={2 * len(FIRST)}").status == 413
    lied = upload.complete(etags, mp_object_size=5_500_000)
    if server.name == "radosgw":  # see DIFFERENCES.md
        assert lied.status == 200
    else:
        assert lied.status == 400, lied.body
        assert site.stored(key) is None
        assert upload.complete({1: etags[1]}, mp_object_size=len(FIRST)).status == 200
        assert site.stored(key) == FIRST


@pytest.mark.parametrize("form", ["json", "redirect"])
def test_the_end_of_an_upload_replaces_nothing_where_the_rule_forbids_it(server, key, form):
    site = server.site(rules(overwrite=False))
    upload = Upload(site, key)
    etags = sent(upload)
    site.put(key, b"before")
    if form == "json":
        answer = upload.complete(etags)
    else:
        body = parts(etags)
        answer = site.redirect("POST", key, body=body, query=upload.of).send("POST", None, body)
    if server.name == "radosgw":  # see DIFFERENCES.md
        assert answer.status == 200
    else:
        assert answer.status == 412, answer.body
        assert site.stored(key) == b"before"
