"""The commands of the README, run with curl and with requests. The downloaded bytes must equal the uploaded ones."""

import base64
import hashlib
import os

import pytest
import requests

import samples
import servers
import signpost
from curl import curl
from presigned import Presigned, encode

BODY = b"0123456789abcdefghijklmnopqrstuvwxyz\n"
MEGABYTE = 1_000_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def key():
    return servers.fresh_key("a folder/object")


def head(response):
    """Returns the final status and headers from the output of `curl -D -` after redirects."""
    last = response.out.decode("latin-1").replace("\r\n", "\n").strip().split("\n\n")[-1].split("\n")
    headers = (line.partition(":") for line in last[1:])
    return int(last[0].split()[1]), {name.lower(): value.strip() for name, _, value in headers}


def test_curl_uploads_downloads_reads_the_head_and_deletes(site, file, key):
    url = site.url_of(key)
    assert curl("-fL", "-T", file, url).ok
    assert site.stored(key) == BODY
    assert curl("-fL", url).out == BODY
    status, headers = head(curl("-fLI", url))
    assert (status, headers["content-length"]) == (200, str(len(BODY)))
    assert curl("-fL", "-X", "DELETE", url).ok
    assert site.stored(key) is None


def test_a_missing_object_fails_the_download(site, key):
    result = curl("-fL", site.url_of(key))
    assert (result.code, result.out) == (22, b"")


def test_deleting_a_missing_object_succeeds(site, key):
    assert curl("-fL", "-X", "DELETE", site.url_of(key)).ok


@pytest.mark.parametrize("front", ["rest", "http-api", "function-url", "alb"])
def test_every_front_redirects_to_the_same_object(server, file, front):
    slashes = "/" if front == "http-api" else "//"  # an HTTP API merges slashes
    key = servers.fresh_key(f"a b+c%25/\u00e9\U0001f600{slashes}")
    site = server.site(front=front)
    assert curl("-fL", "-T", file, site.url_of(key)).ok
    assert site.stored(key) == BODY
    assert curl("-fL", site.url_of(key)).out == BODY


def test_a_range_request_returns_206(site, key):
    site.put(key, BODY)
    result = curl("-fL", "-r", "10-15", "-w", "%{http_code}", site.url_of(key))
    assert result.out == BODY[10:16] + b"206"


def test_curl_resumes_a_download(site, key, tmp_path):
    site.put(key, BODY)
    part = tmp_path / "part"
    part.write_bytes(BODY[:10])
    assert curl("-fL", "-C", "-", "-o", part, site.url_of(key)).ok
    assert part.read_bytes() == BODY


def test_conditional_downloads(site, key):
    site.put(key, BODY)
    etag = requests.head(site.url_of(key), allow_redirects=True).headers["ETag"]
    modified = requests.head(site.url_of(key), allow_redirects=True).headers["Last-Modified"]
    assert etag == f'"{hashlib.md5(BODY).hexdigest()}"'
    for headers, status in [
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Match": etag}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
        ({"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
    ]:
        response = requests.get(site.url_of(key), headers=headers)
        assert response.status_code == status, headers
        assert (response.content == BODY) == (status == 200)


def test_the_client_forbids_an_overwrite(site, file, key):
    url = site.url_of(key)
    create_only = ("-fL", "-T", file, "-H", "If-None-Match: *", "-w", "%{http_code}", url)
    assert curl(*create_only).out == b"200"
    site.put(key, b"newer")
    result = curl(*create_only)
    assert (result.code, result.out[-3:]) == (22, b"412")
    assert site.stored(key) == b"newer"


def test_the_rule_forbids_an_overwrite_in_json_form(server, key):
    site = server.site(signpost.rules(overwrite=False))
    for body, status in [(b"first", 200), (b"second", 412)]:
        assert json_upload(site, key, body).status_code == status
    assert site.stored(key) == b"first"


def test_json_form_enforces_metadata(server, key):
    site = server.site(signpost.rules(more='metadata = { origin = "signpost" }'))
    assert json_upload(site, key, BODY).status_code == 200
    assert requests.head(site.url_of(key), allow_redirects=True).headers["x-amz-meta-origin"] == "signpost"
    instruction = request_json(site, "PUT", key, contentLength=len(BODY))
    assert requests.put(instruction["url"], BODY).status_code == 403


def test_a_redirect_enforces_metadata(server, key):
    site = server.site(signpost.rules(more='metadata = { origin = "signpost" }'))
    assert requests.put(site.url_of(key), BODY).status_code == 200
    assert requests.head(site.url_of(key), allow_redirects=True).headers["x-amz-meta-origin"] == "signpost"


def test_metadata_and_digests_of_the_client_are_signed_and_stored(site, key):
    digest = encode_digest(hashlib.md5(BODY))
    headers = {"x-amz-meta-team": "red", "Content-MD5": digest, "Content-Type": "text/x-peers"}
    assert requests.put(site.url_of(key), BODY, headers=headers).status_code == 200
    found = requests.get(site.url_of(key))
    assert found.content == BODY
    assert (found.headers["x-amz-meta-team"], found.headers["Content-Type"]) == ("red", "text/x-peers")


def test_an_upload_with_a_wrong_digest_stores_nothing(site, key):
    response = requests.put(site.url_of(key), BODY, headers={"Content-MD5": encode_digest(hashlib.md5(b"other"))})
    assert response.status_code == 400
    assert site.stored(key) is None


@pytest.mark.parametrize("name", ["report.pdf", "a b+c%.txt", "\u00e9\U0001f600.bin"])
def test_a_download_has_the_requested_file_name(site, key, name):
    site.put(key, BODY)
    response = requests.get(site.url_of(key), params={"download": name})
    disposition = response.headers["Content-Disposition"].encode("latin-1").decode()
    assert disposition.startswith("attachment;")
    assert f"filename*=UTF-8''{encode(name)}" in disposition
    assert response.content == BODY


def test_a_rule_forces_a_disposition(server, key):
    site = server.site(signpost.rules(more='disposition = "attachment"'))
    site.put(key, BODY)
    assert requests.get(site.url_of(key)).headers["Content-Disposition"] == "attachment"


def test_a_version_is_read_and_deleted(radosgw_server, key):
    server = radosgw_server
    site = server.site(signpost.rules(client_may_set=["versionId"]), bucket=server.versioned)
    versions = [server.s3.put_object(Bucket=server.versioned, Key=key, Body=body)["VersionId"] for body in (b"one", b"two")]
    url = site.url_of(key)
    assert requests.get(url).content == b"two"
    assert requests.get(url, params={"versionId": versions[0]}).content == b"one"
    assert requests.head(url, params={"versionId": versions[0]}, allow_redirects=True).headers["x-amz-version-id"] == versions[0]
    assert requests.delete(url, params={"versionId": versions[1]}).status_code == 204
    assert requests.get(url).content == b"one"


@pytest.mark.parametrize("number", range(len(samples.TRICKY)))
def test_special_keys_are_preserved(server, number):
    site = server.site(front="function-url")  # a REST API rejects long paths
    key = samples.TRICKY[number]
    url = site.url_of(key)
    body = key.encode() + os.urandom(16)
    readable = not key.endswith("/")  # a GET of a path that ends in a slash is a listing
    assert requests.put(url, body).status_code == 200
    if readable:
        assert requests.head(url, allow_redirects=True).headers["Content-Length"] == str(len(body))
        assert curl("-fL", url).out == body
    if site.server.name == "radosgw":
        assert site.stored(key) == body
        entries = site.server.s3.list_objects_v2(Bucket=site.server.bucket, Prefix=key[:200])["Contents"]
        assert key in [entry["Key"] for entry in entries]
    assert curl("-fL", "-X", "DELETE", url).ok
    if readable:
        assert curl("-fLI", url).code == 22


def test_3_megabytes_through_the_redirect(site, key, tmp_path):
    path = random_file(tmp_path, 3)
    assert curl("-fL", "-T", path, site.url_of(key)).ok
    assert downloaded(site, key, tmp_path) == digest_of(path)


def test_300_megabytes_in_two_steps(site, key, tmp_path):
    path = random_file(tmp_path, 300)
    url = curl("-f", "-X", "PUT", site.url_of(key) + "?url")
    assert url.ok
    assert curl("-f", "-T", path, url.out.decode().strip()).ok
    assert downloaded(site, key, tmp_path) == digest_of(path)


def test_two_steps_with_a_declared_length(site, key, file):
    url = curl("-f", "-X", "PUT", site.url_of(key) + f"?url&contentLength={len(BODY)}").out.decode().strip()
    assert "content-length" in Presigned.parse(url).signed_headers
    assert requests.put(url, BODY + b"!").status_code == 403
    assert site.stored(key) is None
    assert curl("-f", "-T", file, url).ok
    assert site.stored(key) == BODY


def random_file(folder, megabytes):
    path = folder / "large"
    with path.open("wb") as out:
        for _ in range(megabytes):
            out.write(os.urandom(MEGABYTE))
    return path


def downloaded(site, key, folder):
    path = folder / "downloaded"
    assert curl("-fL", "-o", path, site.url_of(key)).ok
    return digest_of(path)


def digest_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode_digest(digest):
    return base64.b64encode(digest.digest()).decode()


def request_json(site, method, key, **parameters):
    response = requests.request(method, site.url_of(key), params=parameters, headers={"Accept": "application/vnd.signpost+json"})
    assert response.status_code == 200, response.status_code
    return response.json()


def json_upload(site, key, body):
    """Uploads as a web page does: requests the instruction without a body, then sends the request that it describes."""
    instruction = request_json(site, "PUT", key, contentLength=len(body))
    return requests.request(instruction["method"], instruction["url"], data=body, headers=instruction["headers"])
