"""Every redirect equals the URL that botocore signs for the same request, credentials and second."""

import json
import re

import oracle
import samples
import signpost
from presigned import Presigned, encode

KEYS = 240
METHODS = ("GET", "HEAD", "PUT", "DELETE")
EXPIRES = 300
BUCKET = "oracle-bucket"
ENDPOINT = "http://127.0.0.1:9"  # presigning opens no connection, so nothing needs to listen here
REGION = "eu-central-1"
LONG_TERM = signpost.Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SESSION = signpost.Credentials("ASIAIOSFODNN7EXAMPLE", "secret/with+slash=", "IQoJb3JpZ2luX2VjE/+token==")
TRACE = re.compile(r"[\x21-\x7e]+")
MIRRORED = re.compile(r"content-md5|x-amz-checksum-.*|x-amz-sdk-checksum-algorithm|x-amz-meta-.*|if-(none-)?match")

ENFORCED = {
    "PUT": {
        "x-amz-meta-origin": "signpost", "x-amz-meta-team-name": "two words & more",
        "x-amz-storage-class": "STANDARD_IA", "x-amz-server-side-encryption": "AES256", "If-None-Match": "*",
    },
    "GET": {"response-content-disposition": "attachment"},
}
ENFORCING = """\
disposition = "attachment"
storage_class = "STANDARD_IA"
sse = "AES256"

[rule.metadata]
origin = "signpost"
team-name = "two words & more"
"""


MAX_REST_PATH = 1500  # the bytes of a percent-encoded path that a REST API accepts in any case


def start(run, table, front, credentials):
    arguments = ["--bucket", BUCKET, "--endpoint", ENDPOINT, "--region", REGION, "--front", front]
    return run(table, arguments, credentials)


def check_redirect(server, credentials, method, key, path, headers, body, query="", parameters=None):
    """Requests one redirect and compares each part of it with the expectation, then with botocore."""
    location = server.redirect(method, key, headers, body, query=query, path=path)
    check_signature(location, credentials, method, key, expected_headers(method, headers, body), parameters or {})


def check_signature(url, credentials, method, key, headers, parameters):
    """Checks that botocore signs the same URL for this key with exactly these signed headers and query parameters."""
    assert url.origin == ENDPOINT
    assert url.path == f"/{BUCKET}/{encode(key, safe='/')}"
    assert url.signed_headers == {"host", *headers}
    assert url["X-Amz-Expires"] == str(EXPIRES)
    trace = url.extra.get("x-signpost", "")
    assert TRACE.fullmatch(trace), "no x-signpost=<request id>.<user_id>.<rule> in the query"
    expected = parameters | {"x-signpost": trace}
    assert url.extra == expected

    theirs, their_url = oracle.sign(
        method, ENDPOINT, url.path, headers, expected, credentials, REGION, EXPIRES, url["X-Amz-Date"]
    )
    ours = oracle.signed_request(method, url, headers)
    differences = ours.differences(theirs)
    assert not differences, "\n".join([f"{method} {key!r}: Signpost against botocore", *differences])
    assert dict(url.query) == dict(their_url.query)


def expected_headers(method, headers, body):
    """Returns the request headers that Signpost must sign, by lower-case name."""
    if method != "PUT":
        return {}
    mirrored = {name.lower(): value for name, value in headers.items() if MIRRORED.fullmatch(name.lower())}
    return mirrored | ({"content-length": str(len(body))} if body else {})


def expected_parameters(enforced, headers):
    """Returns the parameters that the rule enforces. A create-only condition that the client sends remains a header."""
    omitted = {"If-None-Match"} if "If-None-Match" in headers else set()
    return {name: value for name, value in enforced.items() if name not in omitted}


def requests_for(key, rng):
    """Yields a request for each method. GET and HEAD are omitted for a path that ends in a slash, because it is a listing."""
    for method in METHODS:
        if key.endswith("/") and method in ("GET", "HEAD"):
            continue
        upload = samples.upload(rng) if method == "PUT" else samples.Upload(None, {})
        yield method, samples.encoded_path(key, rng), upload.headers | samples.unsigned_headers(rng), upload.body


def run_all(server, credentials, parameters=None, is_supported=lambda key: True, count=KEYS, dropped=None):
    """Compares random requests. `dropped` is a header of the client that the front does not pass on."""
    rng = samples.generator()
    checked = 0
    for key in filter(is_supported, samples.keys(count, rng)):
        for method, path, headers, body in requests_for(key, rng):
            enforced = (parameters or {}).get(method, {})
            if "If-None-Match" in enforced:
                headers.pop("If-Match", None)  # Signpost rejects If-Match if the rule forbids overwriting
            expected = expected_parameters(enforced, headers)
            location = server.redirect(method, key, headers, body, path=path)
            passed_on = {name: value for name, value in headers.items() if name.lower() != dropped}
            check_signature(location, credentials, method, key, expected_headers(method, passed_on, body), expected)
            checked += 1
    return checked


def test_long_term_credentials_on_a_rest_front(run):
    with start(run, signpost.rules(), "rest", LONG_TERM) as server:
        supported = lambda key: len(key.encode()) <= MAX_REST_PATH // len("%00")
        assert run_all(server, LONG_TERM, is_supported=supported, dropped="content-md5") > 2 * KEYS


def test_a_session_token_on_a_function_url(run):
    with start(run, signpost.rules(), "function-url", SESSION) as server:
        assert run_all(server, SESSION) > 3 * KEYS


def test_enforced_parameters_with_a_session_token_on_an_alb(run):
    table = signpost.rules(overwrite=False, more=ENFORCING)
    with start(run, table, "alb", SESSION) as server:
        assert run_all(server, SESSION, ENFORCED) > 3 * KEYS


def test_an_http_api_for_all_keys_that_it_can_transport(run):
    with start(run, signpost.rules(), "http-api", LONG_TERM) as server:
        assert run_all(server, LONG_TERM, is_supported=lambda key: "?" not in key and "//" not in f"/{key}") > 2 * KEYS


def test_parameters_that_the_client_chooses(run):
    table = signpost.rules(client_may_set=["versionId", "response-content-disposition"])
    names = ["report.pdf", "a b+c%.txt", "\u00e9\U0001f600.bin", "quo\"te;.txt"]
    with start(run, table, "rest", LONG_TERM) as server:
        for method in ("GET", "HEAD", "DELETE"):
            parameters = {"versionId": "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"}
            query = "versionId=" + encode(parameters["versionId"])
            check_redirect(server, LONG_TERM, method, "a/b", None, {}, None, query, parameters)
        for name in names:
            location = server.redirect("GET", "a/b", query="download=" + encode(name))
            disposition = location.extra["response-content-disposition"]
            assert disposition.startswith("attachment;") and f"filename*=UTF-8''{encode(name)}" in disposition
            check_redirect(server, LONG_TERM, "GET", "a/b", None, {}, None, "download=" + encode(name),
                  {"response-content-disposition": disposition})
        parameters = {"response-content-disposition": "inline; filename=\"x y.txt\""}
        check_redirect(server, LONG_TERM, "GET", "a/b", None, {}, None,
              "response-content-disposition=" + encode(parameters["response-content-disposition"]), parameters)


ALWAYS_HEADERS = {
    "contentLength": ("content-length", "1000000000"),
    "contentMD5": ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
    "checksum-sha256": ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
}
HEADERS_OR_QUERY = {
    "meta-team": ("x-amz-meta-team", "red & blue=+"),
    "storage-class": ("x-amz-storage-class", "STANDARD_IA"),
    "tagging": ("x-amz-tagging", "a=b&c=d"),
}


def test_constraints_requested_by_parameter(run):
    """Without a body, some constraints are a signed query in the bare URL and headers in JSON. The others are always headers."""
    table = signpost.rules(client_may_set=["x-amz-storage-class", "x-amz-tagging"])
    query = "&".join(f"{name}={encode(value)}" for name, (_, value) in (ALWAYS_HEADERS | HEADERS_OR_QUERY).items())
    always, varying = dict(ALWAYS_HEADERS.values()), dict(HEADERS_OR_QUERY.values())
    with start(run, table, "function-url", SESSION) as server:
        for key in samples.keys(60, samples.generator()):
            bare = server.request("PUT", key, query="url&" + query)
            assert bare.status == 200, bare.body
            check_signature(Presigned.parse(bare.body.decode().strip()), SESSION, "PUT", key, always, varying)
            response = server.request("PUT", key, {"Accept": "application/vnd.signpost+json"}, query=query)
            assert response.status == 200, response.body
            instruction = json.loads(response.body)
            assert (instruction["method"], instruction["key"]) == ("PUT", key)
            assert instruction["expires_in"] == EXPIRES
            assert instruction["headers"] == always | varying
            check_signature(Presigned.parse(instruction["url"]), SESSION, "PUT", key, always | varying, {})
