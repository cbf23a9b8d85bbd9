"""Responses of the function, the checks that compare them with events/expected.json, and their redaction."""

import base64
import json
import re
import sys
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EVENTS = ROOT / "events"
sys.path.insert(0, str(ROOT / "tests"))

from lib.sigv4 import signature_of  # noqa: E402

FRONTS = ("rest", "http-api", "function-url", "alb", "alb-multi-value")
REGION = "eu-central-1"
BUCKET = "example-bucket"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # the example in AWS's documentation
SETTINGS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_SESSION_TOKEN": "example-session-token/+=",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_NAME": "signpost",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
    "SIGNPOST_BUCKET": BUCKET,
    "SIGNPOST_CORS_ORIGINS": "https://app.example.com",
    "SIGNPOST_LOG": "info",
    "SIGNPOST_RULES": (HERE / "rules.toml").read_text(),
}
CACHE_SETTINGS = SETTINGS | {"SIGNPOST_RULES": (HERE / "caches.toml").read_text()}
REDACTIONS = [
    (r"(X-Amz-Signature=)[0-9a-fA-F]+", r"\1REDACTED"),
    (r"(X-Amz-Security-Token=)[^&\"\\\s]+", r"\1REDACTED"),
    (r"(X-Amz-Date=)\d{8}T\d{6}Z", r"\1DATE"),
    (r"(X-Amz-Credential=AKIDEXAMPLE(?:%2F|/))\d{8}", r"\1DATE"),
    (r"(?<![0-9a-fA-F-])(?!7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0|d16a6b55-dea9-4b23-8499-eb85c3d2d904)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "REQUEST-ID"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)", "TIME"),
    (r"(?<![0-9A-Za-z])01[0-9A-HJKMNP-TV-Z]{24}(?![0-9A-Za-z])", "LOCK-ID"),
    (r"example-session-token[^&\"\\\s]*", "REDACTED"),
    (re.escape(SECRET_KEY), "REDACTED"),
]


def redact(text):
    """`text` without secrets, and without what differs from run to run."""
    for pattern, replacement in REDACTIONS:
        text = re.sub(pattern, replacement, text)
    return text


class Mismatch(Exception):
    """A response differs from what is expected. The text contains no signature."""


def expect_equal(name, expected, actual):
    if expected != actual:
        raise Mismatch(f"{name}: expected {expected!r}, got {redact(repr(actual))}")


class Response:
    """An HTTP response in the JSON format of any front."""

    def __init__(self, raw):
        try:
            self.raw = json.loads(raw)
        except ValueError:
            raise Mismatch(f"not JSON: {redact(raw[:300].decode('utf-8', 'replace'))}") from None
        if not isinstance(self.raw, dict) or "statusCode" not in self.raw:
            raise Mismatch(f"not an HTTP response: {redact(json.dumps(self.raw))[:300]}")
        self.status = self.raw["statusCode"]
        self.headers = {}
        for name, value in (self.raw.get("headers") or {}).items():
            self.headers[name.lower()] = value
        for name, values in (self.raw.get("multiValueHeaders") or {}).items():
            self.headers[name.lower()] = ", ".join(values)
        body = self.raw.get("body") or ""
        self.body = base64.b64decode(body).decode() if self.raw.get("isBase64Encoded") else body

    def expect_no_signed_url(self):
        if "location" in self.headers or "X-Amz-Signature" in json.dumps(self.raw):
            raise Mismatch("a URL was signed")


def check_url(url, expected, instruction_headers=None):
    """The URL addresses the expected key, and exactly the expected method, headers and conditions are signed.

    `instruction_headers` are the headers of the instruction, if the response is one.
    """
    if re.search(r"[^!-~]", url):
        raise Mismatch("the URL contains a raw space, control or non-ASCII character")
    parts = urlsplit(url)
    storage = expected.get("storage", {"bucket": BUCKET, "region": REGION, "key": expected["key"]})
    expect_equal("scheme", "https", parts.scheme)
    expect_equal("host", f"{storage['bucket']}.s3.{storage['region']}.amazonaws.com", parts.netloc)
    expect_equal("key", storage["key"].encode(), unquote_to_bytes(parts.path[1:]))
    expect_equal("encoding of the path", "/" + quote(storage["key"], safe="/-_.~"), parts.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    headers = signed_headers(query, expected)
    names = sorted({"host", *headers})
    expect_equal("signed headers", names, query.get("X-Amz-SignedHeaders", "").split(";"))
    if instruction_headers is not None:
        given = {name.lower(): value for name, value in instruction_headers.items() if name.lower() != "host"}
        expect_equal("headers that the client must send", headers, given)
    if not 1 <= int(query["X-Amz-Expires"]) <= 900:
        raise Mismatch(f"the URL is valid for {query['X-Amz-Expires']} s")
    expect_equal("session token", SETTINGS["AWS_SESSION_TOKEN"], query.get("X-Amz-Security-Token"))
    access_key, _, *scope = query["X-Amz-Credential"].split("/")
    expect_equal("credential", [ACCESS_KEY, storage["region"], "s3", "aws4_request"], [access_key, *scope])
    check_signature(url, expected["method"], headers, query.get("X-Amz-Signature"))


def signed_headers(query, expected):
    """The headers that must be signed. A redirect carries the condition of a create-only upload in its query."""
    in_query = query.get("If-None-Match") == "*"
    headers = dict(expected["signed"])
    create_only = expected.get("create_only", False)
    if expected["form"] == "presign" and create_only and not in_query:
        headers["if-none-match"] = "*"
    if expected["form"] in ("redirect", "url", "preflight"):
        expect_equal("If-None-Match=* in the query", create_only, in_query)
    elif not create_only:
        expect_equal("If-None-Match=* in the query", False, in_query)
    return headers


def check_signature(url, method, headers, signature):
    if signature_of(method, url, headers, SECRET_KEY) == signature:
        return
    methods = ("GET", "HEAD", "PUT", "DELETE", "POST")
    matching = [other for other in methods if signature_of(other, url, headers, SECRET_KEY) == signature]
    reason = f"it is valid for {matching[0]}" if matching else "no method fits these headers and this path"
    raise Mismatch(f"the signature is invalid for {method}: {reason}")


def check_response(response, expected, front):
    """The response has everything that events/expected.json requires."""
    expect_equal("status", expected["status"], response.status)
    check_headers(response, expected, front)
    if expected["method"] is None:
        response.expect_no_signed_url()
        if expected.get("form") == "health":
            expect_equal("members of the response", {"status", "version"}, set(json.loads(response.body)))
        return
    check_signed_request(response, expected)
    if response.status == 200 and "location" in response.headers:
        raise Mismatch("a response with status 200 has a Location header")
    expect_equal("cache-control", "no-store", response.headers.get("cache-control"))
    expect_equal("referrer-policy", "no-referrer", response.headers.get("referrer-policy"))
    expect_equal("x-content-type-options", "nosniff", response.headers.get("x-content-type-options"))
    if "accept" not in response.headers.get("vary", "").lower() and expected["form"] not in ("presign", "lfs"):
        raise Mismatch("no Vary: Accept")


def check_headers(response, expected, front):
    raw = response.raw
    if front == "alb" and raw.get("multiValueHeaders") and not raw.get("headers"):
        raise Mismatch("an ALB without multi-value headers reads only `headers`")
    if front == "alb-multi-value" and not raw.get("multiValueHeaders"):
        raise Mismatch("an ALB with multi-value headers reads only `multiValueHeaders`")
    if expected.get("cors"):
        allowed = response.headers.get("access-control-allow-origin")
        if allowed not in (expected["cors"], "*"):
            raise Mismatch(f"access-control-allow-origin: expected {expected['cors']!r}, got {allowed!r}")
    if response.status in (405, 204) and expected["method"] is None and not response.headers.get("allow"):
        raise Mismatch("no Allow header")
    if response.status == 401 and not response.headers.get("www-authenticate"):
        raise Mismatch("no WWW-Authenticate header")


def check_signed_request(response, expected):
    """The signed request, in the format that the client requested."""
    form = expected["form"]
    if form == "redirect":
        check_url(response.headers.get("location", ""), expected)
    elif form == "preflight":
        check_url(response.headers.get("location", ""), expected)
        if "authorization" in response.headers.get("access-control-allow-headers", "").lower():
            raise Mismatch("turbo would send its credential to S3")
    elif form == "lfs":
        [entry] = json.loads(response.body)["objects"]
        [(name, action)] = entry["actions"].items()
        expect_equal("action", "download", name)
        check_url(action["href"], expected, action["header"])
    elif form == "url":
        if not response.body.endswith("\n") or response.body.count("\n") != 1:
            raise Mismatch("the body is not exactly one line")
        check_url(response.body[:-1], expected)
    elif form == "json":
        instruction = json.loads(response.body)
        members = {"method", "url", "headers", "key", "expires_in", "expires_at"}
        expect_equal("members of the instruction", members, set(instruction))
        expect_equal("method", expected["method"], instruction["method"])
        expect_equal("key", expected["key"], instruction["key"])
        check_url(instruction["url"], expected, instruction["headers"])
    elif form == "presign":
        instruction = json.loads(response.body)
        expect_equal("members of the response", {"URL", "Method", "Header"}, set(instruction))
        expect_equal("Method", expected["method"], instruction["Method"])
        headers = {name: ", ".join(values) for name, values in instruction["Header"].items()}
        check_url(instruction["URL"], expected, headers)
