"""Uploads and downloads of HTTP clients through redirects.

A client that reports success has stored the complete body. A client that has stored nothing reports a failure. The one
exception is `curl -T` without `-L`: it prints a text that says so.
"""

import asyncio
import hashlib
import shutil
import subprocess
import pathlib

import aiohttp
import httpx
import pytest
import requests
import urllib3

import servers
import signpost
from curl import curl

BODY = b"all of it, or nothing of it\n" * 1000
SECRET = "not-for-s3"
FETCH = pathlib.Path(__file__).parent / "fetch.mjs"


@pytest.fixture
def key():
    return servers.fresh_key("client")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(BODY)
    return path


def generator():
    for start in range(0, len(BODY), 1000):
        yield BODY[start : start + 1000]


async def async_generator():
    for chunk in generator():
        yield chunk


def requests_bytes(url, file):
    return requests.put(url, BODY).ok


def requests_file(url, file):
    with file.open("rb") as body:
        return requests.put(url, body).ok


def requests_session_partly_read_file(url, file):
    with file.open("rb") as body:
        body.read(0)
        return requests.Session().put(url, body).ok


def requests_generator(url, file):
    return requests.put(url, generator()).ok


def requests_generator_with_length(url, file):
    return requests.put(url, generator(), headers={"Content-Length": str(len(BODY))}).ok


def urllib3_bytes(url, file):
    return urllib3.request("PUT", url, body=BODY).status == 200


def urllib3_file(url, file):
    with file.open("rb") as body:
        return urllib3.request("PUT", url, body=body).status == 200


def urllib3_file_with_length(url, file):
    with file.open("rb") as body:
        return urllib3.request("PUT", url, body=body, headers={"Content-Length": str(len(BODY))}).status == 200


def urllib3_generator(url, file):
    return urllib3.request("PUT", url, body=generator()).status == 200


def httpx_bytes(url, file):
    return httpx.put(url, content=BODY, follow_redirects=True).is_success


def httpx_file(url, file):
    with file.open("rb") as body:
        return httpx.put(url, content=body, follow_redirects=True).is_success


def httpx_generator(url, file):
    return httpx.put(url, content=generator(), follow_redirects=True).is_success


def httpx_generator_with_length(url, file):
    headers = {"Content-Length": str(len(BODY))}
    return httpx.put(url, content=generator(), headers=headers, follow_redirects=True).is_success


def aiohttp_put(url, body, headers=None):
    async def put():
        async with aiohttp.ClientSession() as session:
            async with session.put(url, data=body, headers=headers) as response:
                await response.read()
                return response.ok

    return asyncio.run(put())


def aiohttp_bytes(url, file):
    return aiohttp_put(url, BODY)


def aiohttp_file(url, file):
    with file.open("rb") as body:
        return aiohttp_put(url, body)


def aiohttp_generator(url, file):
    return aiohttp_put(url, async_generator())


def aiohttp_generator_with_length(url, file):
    return aiohttp_put(url, async_generator(), {"Content-Length": str(len(BODY))})


def curl_file(url, file):
    return curl("-fL", "-T", file, url).ok


def curl_data(url, file):
    return curl("-fL", "-X", "PUT", "--data-binary", f"@{file}", url).ok


def curl_standard_input(url, file):
    return curl("-fL", "-T", "-", url, stdin=BODY).ok


def curl_chunked_file(url, file):
    return curl("-fL", "-T", file, "-H", "Transfer-Encoding: chunked", url).ok


def wget_file(url, file):
    return wget("--method=PUT", f"--body-file={file}", "-O", "-", url).returncode == 0


def node_blob(url, file):
    return node(url, "blob")


def node_string(url, file):
    return node(url, "string")


def node_buffer(url, file):
    return node(url, "buffer")


def node_stream(url, file):
    return node(url, "stream")


def node(url, kind):
    command = ["node", str(FETCH), url, kind, BODY.decode()]
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def wget(*arguments):
    return subprocess.run(["wget", "-q", "--tries=1", *arguments], capture_output=True, timeout=60)


STORE = [
    requests_bytes, requests_file, requests_session_partly_read_file, urllib3_bytes, httpx_bytes, aiohttp_bytes,
    curl_file, curl_data, wget_file, node_blob, node_string,
]
STORE_OR_FAIL = [
    requests_generator, requests_generator_with_length, urllib3_file, urllib3_file_with_length, urllib3_generator,
    httpx_file, httpx_generator, httpx_generator_with_length, aiohttp_file, aiohttp_generator,
    aiohttp_generator_with_length, curl_standard_input, curl_chunked_file, node_buffer, node_stream,
]


def skip_if_missing(upload):
    program = upload.__name__.partition("_")[0]
    if program == "node" and not shutil.which("node"):
        pytest.skip("Node.js is not installed")


@pytest.mark.parametrize("upload", STORE, ids=lambda one: one.__name__)
def test_stores_the_whole_body(site, file, key, upload):
    skip_if_missing(upload)
    assert upload(site.url_of(key), file)
    assert site.stored(key) == BODY


@pytest.mark.parametrize("upload", STORE_OR_FAIL, ids=lambda one: one.__name__)
def test_stores_the_whole_body_or_fails(site, file, key, upload):
    skip_if_missing(upload)
    try:
        reported = upload(site.url_of(key), file)
    except Exception as error:  # every client has different exception types
        reported = False
        print(f"{type(error).__name__}: {error}")
    assert (reported, site.stored(key)) in [(True, BODY), (False, None)]


@pytest.mark.parametrize("upload", STORE_OR_FAIL, ids=lambda one: one.__name__)
def test_a_failed_overwrite_leaves_the_old_object(site, file, key, upload):
    skip_if_missing(upload)
    site.put(key, b"before")
    try:
        reported = upload(site.url_of(key), file)
    except Exception as error:
        reported = False
        print(f"{type(error).__name__}: {error}")
    assert (reported, site.stored(key)) in [(True, BODY), (False, b"before")]


def test_curl_without_l_prints_that_nothing_is_stored(site, file, key):
    result = curl("-T", file, site.url_of(key))
    assert result.ok
    assert b"othing has been stored" in result.out
    assert b"curl -fL" in result.out
    assert site.stored(key) is None


def test_curl_without_f_prints_the_error(site, key):
    result = curl("-L", "-w", "%{http_code}", site.url_of(key))
    assert result.ok and result.out.endswith(b"404")


PROTECTED = """\
version = 1

[defaults]
disposition = "inline"
overwrite = true

[[token]]
id = "ci"
sha256 = "{digest}"

[[rule]]
id = "ci"
who = ["token:ci"]
can = ["read", "write", "delete"]
on = ["**"]
"""


@pytest.fixture
def protected(radosgw_server):
    """A Signpost server that requires a token, in front of a server that rejects a request with two credentials."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    return radosgw_server.site(PROTECTED.format(digest=digest))


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_curl_and_the_libraries_do_not_send_the_credential_to_s3(protected, file, key, scheme):
    value = signpost.basic("ci", SECRET) if scheme == "basic" else f"Bearer {SECRET}"
    header = {"Authorization": value}
    url = protected.url_of(key)
    assert curl("-fL", "-T", file, "-H", f"Authorization: {value}", url).ok
    assert protected.stored(key) == BODY
    assert curl("-fL", "-H", f"Authorization: {value}", url).out == BODY
    assert requests.get(url, headers=header).content == BODY
    assert httpx.get(url, headers=header, follow_redirects=True).content == BODY
    assert urllib3.request("GET", url, headers=header).data == BODY
    assert requests.get(url).status_code == 401


def test_wget_sends_the_credential_to_s3_which_rejects_it(protected, key, tmp_path):
    protected.put(key, BODY)
    out = tmp_path / "out"
    leaky = wget(f"--header=Authorization: Bearer {SECRET}", "-O", str(out), protected.url_of(key))
    assert leaky.returncode == 8, "8 is the exit status of wget for an error response"
    assert out.read_bytes() == b""


def test_wget_downloads_in_two_steps(protected, key, tmp_path):
    protected.put(key, BODY)
    out = tmp_path / "out"
    url = wget(f"--header=Authorization: Bearer {SECRET}", "-O", "-", protected.url_of(key) + "?url")
    assert wget("-O", str(out), url.stdout.decode().strip()).returncode == 0
    assert out.read_bytes() == BODY
