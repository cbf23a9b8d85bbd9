#!/usr/bin/env python3
"""Writes events/*.json, expected.json and README.md from the table below. Each row is one request, written as an event of each front.

    events/make.py            write everything
    events/make.py --check    write nothing, and fail if a file differs from the table

The format of the events follows the capture-*.json files in this directory. These are recordings from AWS, and this script only reads them.
"""

import base64
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

HERE = Path(__file__).resolve().parent
FRONTS = ("rest", "http-api", "function-url", "alb", "alb-multi-value")
CALLER = "203.0.113.7"
TRACE = "Root=1-6a5145a8-536f3e792f6be9b44c1f46fa"
ORIGIN = "https://app.example.com"
BODY = b"hello world\n"
BINARY = bytes(range(256))
MD5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass
class Request:
    """A request of a client, and the domain and stage through which it arrives."""

    method: str
    target: str  # percent-encoded path and query, as sent
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    length: bool = True  # the client sends Content-Length with a PUT or a POST
    base: str = ""  # REST: base path of a custom domain, for example "/files"
    stage: str = ""  # REST and HTTP: stage name
    domain: str = ""  # HTTP: custom domain
    resource: str = "/{proxy+}"  # REST: the resource that matches the path

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    @property
    def sends_length(self):
        return self.length and (bool(self.body) or self.method in ("PUT", "POST"))

    @property
    def decoded_query(self):
        return parse_qsl(self.query, keep_blank_values=True)


# ---- the fronts ----


def is_text(request):
    """Returns true if HTTP APIs, function URLs and ALBs pass the body as text."""
    media_type = request.headers.get("content-type", "")
    return media_type.startswith("text/") or media_type in ("application/json", "application/javascript", "application/xml")


def grouped(pairs):
    out = {}
    for name, value in pairs:
        out.setdefault(name, []).append(value)
    return out


def matched(request):
    """Returns the resource of a REST API and its path parameters. The value of a parameter keeps its encoding."""
    names = re.findall(r"{(\w+)\+?}", request.resource)
    fixed = request.resource.partition("{")[0]
    value = request.path.removeprefix(fixed).lstrip("/").removesuffix("/")
    if not names:
        return request.resource, None
    if not value:
        return "/", None
    return request.resource, dict(zip(names, value.split("/", len(names) - 1)))


def rest(request):
    """A REST API drops Content-MD5 and replaces the method by X-HTTP-Method-Override."""
    domain = "files.example.com" if request.base else "5h7pqvr9u4.execute-api.eu-central-1.amazonaws.com"
    stage = request.stage or "live"
    headers = {
        "Host": domain,
        "User-Agent": "curl/8.7.1",
        "X-Amzn-Trace-Id": TRACE,
        "X-Forwarded-For": CALLER,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "accept": "*/*",
    } | {name: value for name, value in request.headers.items() if name != "content-md5"}
    method = request.headers.get("x-http-method-override", request.method)
    path = request.base + request.path
    if path.startswith("//"):
        path = path[1:]
    query = grouped(request.decoded_query)
    resource, parameters = matched(request)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "al6gqb" if parameters else "q4z8dxrdv3",
            "resourcePath": resource,
            "httpMethod": method,
            "extendedRequestId": "ATfSdF7nPHcErRA=",
            "requestTime": "10/Jul/2026:19:19:04 +0000",
            "path": (request.base or "/" + stage) + request.path,
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": stage,
            "domainPrefix": domain.split(".")[0],
            "requestTimeEpoch": 1783711144836,
            "requestId": "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0",
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": CALLER,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": "curl/8.7.1",
                "user": None,
            },
            "domainName": domain,
            "apiId": "5h7pqvr9u4",
        },
        # With the binary media type */* of the template, every body is encoded, including text. There is no Content-Length.
        "body": base64.b64encode(request.body).decode() if request.body else None,
        "isBase64Encoded": bool(request.body),
    }


def payload_2(request, domain, raw_path, path, stage, request_id, account, headers):
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": request.query,
        "headers": dict(sorted(headers.items())),
        "requestContext": {
            "accountId": account,
            "apiId": domain.split(".")[0],
            "domainName": domain,
            "domainPrefix": domain.split(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": CALLER,
                "userAgent": "curl/8.7.1",
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": stage,
            "time": "10/Jul/2026:19:19:05 +0000",
            "timeEpoch": 1783711145766,
        },
    }
    if request.query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in grouped(request.decoded_query).items()}
    if request.body:
        event["body"] = request.body.decode() if is_text(request) else base64.b64encode(request.body).decode()
    event["isBase64Encoded"] = bool(request.body) and not is_text(request)
    if "cookie" in headers:
        event["cookies"] = headers["cookie"].split("; ")
    return event


def common_headers(request, domain):
    headers = {
        "accept": "*/*",
        "host": domain,
        "user-agent": "curl/8.7.1",
        "x-amzn-trace-id": TRACE,
        "x-forwarded-for": CALLER,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    } | request.headers
    if request.sends_length:
        headers["content-length"] = str(len(request.body))
    return headers


def http_api(request):
    """An HTTP API decodes the path, cuts it at a `?`, and merges slashes."""
    domain = request.domain or "sjzepsqsu5.execute-api.eu-central-1.amazonaws.com"
    headers = common_headers(request, domain)
    if not request.body:  # an HTTP API adds both headers; AWS does not document the value of the second one
        headers = {"content-length": "0", "content-type": "application/octet-stream"} | headers
    headers.setdefault("content-length", str(len(request.body)))
    path = re.sub("/+", "/", unquote(request.path, errors="strict").partition("?")[0])
    if request.stage:
        path = f"/{request.stage}{path}"
    event = payload_2(request, domain, path, path, request.stage or "$default", "ATfSmjLgPHcESJw=", "123456789012", headers)
    event["headers"].pop("cookie", None)  # only a function URL also has the header
    return event


def function_url(request):
    domain = "2cxn22odiwguak4feg4jtt7cwm0ziblr.lambda-url.eu-central-1.on.aws"
    headers = common_headers(request, domain) | {
        "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
        "x-amzn-tls-version": "TLSv1.3",
    }
    path = unquote(request.path, errors="replace")
    request_id = "d16a6b55-dea9-4b23-8499-eb85c3d2d904"
    return payload_2(request, domain, request.path, path, "$default", request_id, "anonymous", headers)


def alb(request, multi=False):
    domain = "signpost-1316758055.eu-central-1.elb.amazonaws.com"
    headers = dict(sorted((common_headers(request, domain)).items()))
    query = grouped(part.partition("=")[::2] for part in request.query.split("&") if part)
    group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/signpost/4efa1ab384b3474d"
    encoded = bool(request.body) and not is_text(request)
    event = {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": request.method,
        "path": request.path,
    }
    if multi:
        event["multiValueQueryStringParameters"] = query
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    else:
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["headers"] = headers
    event["body"] = base64.b64encode(request.body).decode() if encoded else request.body.decode()
    event["isBase64Encoded"] = encoded
    return event


SHAPE = {"rest": rest, "http-api": http_api, "function-url": function_url, "alb": alb, "alb-multi-value": lambda request: alb(request, multi=True)}


# ---- expectations ----


def signed(key, method, form="redirect", headers=None, **more):
    """The expectation for a response with a signed URL. `headers` are the signed headers except Host."""
    status = {"redirect": 307, "preflight": 204}.get(form, 200)
    out = {"status": status, "key": key, "method": method, "form": form, "signed": headers or {}}
    if method == "PUT":
        out["create_only"] = True
    return out | more


def plain_response(status, key=None, **more):
    """The expectation for a response without a signed URL: a rejection, or a response of Signpost itself."""
    return {"status": status, "key": key, "method": None} | more


def in_mount(expectation, storage_key):
    """The expectation for a request whose object is in the mount `archive/`."""
    return expectation | {"storage": {"bucket": "acme-archive", "region": "us-west-2", "key": storage_key}}


def length_of(body):
    return {"content-length": str(len(body))}


# ---- the table ----

ROWS = []  # (file name, event, expectation, description)


def row(fronts, name, request, expectation, note):
    for front in fronts:
        ROWS.append((f"{front}-{name}", SHAPE[front](request), expectation, note))


KEY = "docs/report.pdf"
AT = "/" + KEY
ALL = FRONTS
PATHS = ("rest", "http-api", "function-url", "alb")  # the path is the same in both header modes of an ALB
RAW = ("rest", "function-url", "alb")  # the fronts that pass the path as it was sent; an HTTP API decodes it, cuts it and merges slashes
TYPED = ("function-url", "alb", "alb-multi-value")  # the fronts whose event distinguishes an empty upload from one without a length

# The four operations
row(ALL, "get", Request("GET", AT), signed(KEY, "GET"), "download")
row(ALL, "head", Request("HEAD", AT), signed(KEY, "HEAD"), "metadata; a HEAD needs a URL signed for HEAD")
row(ALL, "put", Request("PUT", AT, body=BODY), signed(KEY, "PUT", headers=length_of(BODY)), "upload with `curl -T`; the length is signed")
row(ALL, "delete", Request("DELETE", AT), signed(KEY, "DELETE"), "delete")

# Bodies
row(ALL, "put-binary", Request("PUT", "/docs/bytes.bin", body=BINARY), signed("docs/bytes.bin", "PUT", headers=length_of(BINARY)), "the signed length of a body that is not UTF-8")
text = {"content-type": "text/plain"}
row(ALL, "put-text", Request("PUT", "/docs/λ.txt".replace("λ", "%CE%BB"), text, "λ→∞".encode()), signed("docs/λ.txt", "PUT", headers={"content-length": "8"}), "a text body: the length is that of its UTF-8 bytes; Content-Type is not signed")
row(ALL, "put-empty", Request("PUT", "/docs/empty"), signed("docs/empty", "PUT"), "an empty file, `Content-Length: 0` (a REST API reports no length): no length is signed")
row(TYPED, "refused-put-without-length", Request("PUT", AT, length=False), plain_response(411, KEY), "PUT without a body and without a length, outside the two-step form")
chunked = {"transfer-encoding": "chunked"}
row(("function-url", "alb", "alb-multi-value"), "refused-put-chunked", Request("PUT", AT, chunked, BODY, length=False), plain_response(411, KEY), "S3 does not accept a chunked PUT")

# Response formats
row(ALL, "get-url", Request("GET", AT + "?url"), signed(KEY, "GET", "url"), "the bare URL")
row(ALL, "get-text", Request("GET", AT, {"accept": "text/plain"}), signed(KEY, "GET"), "cargo is redirected, although it accepts only text")
row(ALL, "get-json", Request("GET", AT, {"accept": "application/vnd.signpost+json"}), signed(KEY, "GET", "json"), "the instruction as JSON")
row(ALL, "get-html", Request("GET", AT, {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}), signed(KEY, "GET"), "a browser is redirected")
row(ALL, "put-axios", Request("PUT", AT, {"accept": "application/json, text/plain, */*"}, BODY), signed(KEY, "PUT", headers=length_of(BODY)), "axios is redirected, although it accepts JSON")
row(ALL, "refused-put-url-body", Request("PUT", AT + "?url", body=BODY), plain_response(400, KEY), "the body of a request for an instruction would be lost")
row(ALL, "put-url", Request("PUT", AT + "?url", length=False), signed(KEY, "PUT", "url"), "the two-step upload of any size: no length is signed")
row(ALL, "put-url-length", Request("PUT", AT + "?url&contentLength=12", length=False), signed(KEY, "PUT", "url", length_of(BODY)), "two-step with a declared length")
row(ALL, "put-url-checksum", Request("PUT", AT + "?contentLength=12&checksum-sha256=" + SHA256.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D") + "&url", length=False), signed(KEY, "PUT", "url", length_of(BODY) | {"x-amz-checksum-sha256": SHA256}), "two-step with length and checksum; the query is encoded")
row(ALL, "put-json", Request("PUT", AT + "?contentLength=12", {"accept": "application/vnd.signpost+json"}, length=False), signed(KEY, "PUT", "json", length_of(BODY) | {"if-none-match": "*"}), "JSON: create-only is a header that the client must send")
row(ALL, "delete-json", Request("DELETE", AT, {"accept": "application/vnd.signpost+json"}), signed(KEY, "DELETE", "json"), "the instruction as JSON")

# Request headers that are signed, ignored or rejected
mirrored = {"content-md5": MD5, "x-amz-meta-origin": "curl", "x-amz-checksum-sha256": SHA256, "x-amz-sdk-checksum-algorithm": "SHA256"}
row(("http-api", "function-url", "alb", "alb-multi-value"), "put-headers", Request("PUT", AT, mirrored, BODY), signed(KEY, "PUT", headers=length_of(BODY) | mirrored), "checksums and metadata of the client are signed")
kept = {name: value for name, value in mirrored.items() if name != "content-md5"}
row(("rest",), "put-headers", Request("PUT", AT, mirrored, BODY), signed(KEY, "PUT", headers=length_of(BODY) | kept), "checksums and metadata of the client are signed; a REST API drops Content-MD5")
row(ALL, "refused-put-range", Request("PUT", AT, {"content-range": "bytes 6-17/18"}, BODY), plain_response(400, KEY), "S3 would store the part of the file as the whole object")
row(ALL, "put-unsigned-payload", Request("PUT", AT, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, BODY), signed(KEY, "PUT", headers=length_of(BODY)), "S3 accepts this header without a signature")
row(ALL, "refused-put-checksum", Request("PUT", AT, {"x-amz-checksum-sha256": MD5}, BODY), plain_response(400, KEY), "a checksum of the wrong length")
row(ALL, "get-tracking", Request("GET", AT + "?fbclid=IwAR0&utm_source=mail&utm_campaign=caf%C3%A9&_=1783711144836"), signed(KEY, "GET"), "tracking parameters are ignored")
signature = {
    "authorization": "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20260710/eu-central-1/lambda/aws4_request, SignedHeaders=host, Signature=0000",
    "x-amz-content-sha256": SHA256_OF_NOTHING,
    "x-amz-date": "20260710T191904Z",
    "x-amz-security-token": "token",
    "x-amz-source-account": "123456789012",
    "x-amz-source-arn": "arn:aws:cloudfront::123456789012:distribution/EDFDVBD6EXAMPLE",
}
row(("function-url",), "get-cloudfront-signed", Request("GET", AT, signature), signed(KEY, "GET"), "headers that CloudFront adds with origin access control")
row(("function-url",), "refused-cloudfront-forged", Request("GET", AT, signature | {"x-amz-source-account": "210987654321"}), plain_response(400, KEY), "such headers of another sender")
unsigned = {"range": "bytes=0-9", "if-none-match": '"etag"', "if-modified-since": "Fri, 10 Jul 2026 19:19:04 GMT", "cookie": "session=abc123"}
row(ALL, "get-range", Request("GET", AT, unsigned), signed(KEY, "GET"), "Range and conditions pass to S3 unsigned")
row(ALL, "get-cloudfront", Request("GET", AT, {"x-amz-cf-id": "c3MQXHFXAJ4h0S9IKVnxUHVyXPP5V5OJ", "via": "2.0 example.cloudfront.net (CloudFront)"}), signed(KEY, "GET"), "headers that a CDN adds are ignored")
override = {"x-http-method-override": "DELETE", "x-method-override": "DELETE"}
row(("http-api", "function-url", "alb", "alb-multi-value"), "get-method-override", Request("GET", AT, override), signed(KEY, "GET"), "method-override headers are ignored")
row(("rest",), "get-method-override", Request("GET", AT, override), signed(KEY, "DELETE"), "a REST API applies X-HTTP-Method-Override itself")
row(ALL, "refused-put-acl", Request("PUT", AT, {"x-amz-acl": "public-read"}, BODY), plain_response(400, KEY), "an `x-amz-*` header that is never signed")
row(ALL, "refused-put-copy", Request("PUT", AT, {"x-amz-copy-source": "/example-bucket/secret"}), plain_response(400, KEY), "the header would turn the PUT into a copy")
row(ALL, "refused-unknown-parameter", Request("GET", AT + "?acl"), plain_response(400, KEY), "a sub-resource of S3 that Signpost does not sign")
row(ALL, "refused-bearer", Request("GET", AT, {"authorization": "Bearer not-a-token-of-ours"}), plain_response(401, KEY), "a request with an invalid credential gets 401 and is never anonymous")
row(ALL, "refused-session", Request("GET", AT, {"cookie": "theme=dark; __Host-signpost=not-a-session"}), plain_response(401, KEY), "an invalid session cookie")
row(ALL, "refused-login", Request("GET", "/-/login"), plain_response(404), "there is no sign-in without `SIGNPOST_KEYS`")
row(PATHS, "refused-listing", Request("GET", "/docs/"), plain_response(403, "docs/"), "a listing requires a rule with `list`")
row(PATHS, "refused-listing-page", Request("GET", "/docs/", {"accept": "text/html"}), plain_response(403, "docs/"), "a listing as a page")
row(ALL, "refused-basic", Request("GET", AT, {"authorization": "Basic Z3Vlc3Q6Z3Vlc3M="}), plain_response(401, KEY), "a request with an invalid credential gets 401 and is never anonymous")

# Keys
ENCODED = "a%20b+c%25d%2Fe%F0%9F%9A%80.txt"
row(PATHS, "get-encoded", Request("GET", "/docs/" + ENCODED), signed("docs/a b+c%d/e🚀.txt", "GET"), "space, `+`, `%25`, `%2F`, emoji")
row(PATHS, "put-encoded", Request("PUT", "/docs/" + ENCODED, body=BODY), signed("docs/a b+c%d/e🚀.txt", "PUT", headers=length_of(BODY)), "space, `+`, `%25`, `%2F`, emoji")
row(PATHS, "get-encoded-twice", Request("GET", "/docs/a%2520b%252Fc"), signed("docs/a%20b%2Fc", "GET"), "decoded once, not twice")
row(PATHS, "get-percent", Request("GET", "/100%25"), signed("100%", "GET"), "a single percent sign, which an HTTP API passes decoded")
row(RAW, "get-question-mark", Request("GET", "/a%3Fb%23c"), signed("a?b#c", "GET"), "`?` and `#` in a key; an HTTP API cannot transport the `?`")
row(PATHS, "get-punctuation", Request("GET", "/a!b'c(d)e*f~g,h;i:j@k&l=m$n%22o%3Cp%3Eq%5Cr%7Bs%7Dt%5Eu%7Cv%60w%5Bx%5D"), signed("a!b'c(d)e*f~g,h;i:j@k&l=m$n\"o<p>q\\r{s}t^u|v`w[x]", "GET"), "all other ASCII punctuation")
row(PATHS, "get-unicode-forms", Request("GET", "/e%CC%81-%C3%A9"), signed("e\u0301-\u00e9", "GET"), "no Unicode normalisation")
row(PATHS, "get-dots", Request("GET", "/..a/b../.../.hidden/c..d"), signed("..a/b../.../.hidden/c..d", "GET"), "dots that are not dot segments")
row(RAW, "get-double-slash", Request("GET", "/a//b.txt"), signed("a//b.txt", "GET"), "`//` is preserved; an HTTP API merges it")
row(RAW, "get-leading-slash", Request("GET", "//a//b.txt"), signed("/a//b.txt", "GET"), "a key that begins with `/`; a REST API collapses it in `path`")
row(RAW, "delete-leading-slash", Request("DELETE", "//a"), signed("/a", "DELETE"), "a key that begins with `/`; it differs from the key `a`")
row(PATHS, "put-trailing-slash", Request("PUT", "/folder/", body=BODY), signed("folder/", "PUT", headers=length_of(BODY)), "a trailing `/` belongs to the key; a REST API strips it from `proxy`")
row(PATHS, "delete-trailing-slash", Request("DELETE", "/folder/"), signed("folder/", "DELETE"), "a trailing `/` belongs to the key")
row(PATHS, "get-longest-key", Request("GET", "/" + "k" * 1022 + "%C3%A9"), signed("k" * 1022 + "é", "GET"), "1,024 bytes")
row(PATHS, "refused-key-too-long", Request("GET", "/" + "k" * 1023 + "%C3%A9"), plain_response(400), "1,025 bytes")
row(PATHS, "refused-put-root", Request("PUT", "/", body=BODY), plain_response(400), "the empty key")
row(PATHS, "refused-delete-root", Request("DELETE", "/"), plain_response(400), "the empty key: never sign DeleteBucket")
row(PATHS, "refused-dot-dot", Request("GET", "/docs/../secret"), plain_response(400), "a dot segment")
row(PATHS, "refused-dot", Request("GET", "/docs/./report.pdf"), plain_response(400), "a dot segment")
row(PATHS, "refused-dot-dot-last", Request("DELETE", "/docs/.."), plain_response(400), "a dot segment")
row(PATHS, "refused-dot-dot-encoded", Request("GET", "/docs/%2e%2E/secret"), plain_response(400), "an encoded dot segment")
row(PATHS, "refused-dot-dot-encoded-slash", Request("GET", "/docs/..%2F..%2Fsecret"), plain_response(400), "a dot segment between encoded slashes")
row(PATHS, "refused-nul", Request("GET", "/a%00b"), plain_response(400), "a control character")
row(PATHS, "refused-newline", Request("PUT", "/a%0D%0Ab", body=BODY), plain_response(400), "control characters")
row(RAW, "refused-escape", Request("GET", "/a%zzb"), plain_response(400), "an invalid escape")
row(RAW, "refused-escape-cut", Request("GET", "/a%4"), plain_response(400), "an invalid escape")
row(RAW, "refused-not-utf8", Request("GET", "/a%FF%FEb"), plain_response(400), "not UTF-8")
row(RAW, "refused-overlong", Request("GET", "/%C0%AE%C0%AE/secret"), plain_response(400), "overlong encodings of dots are not UTF-8")

# Methods
row(PATHS, "refused-post", Request("POST", AT, body=BODY), plain_response(405, KEY), "POST without a sub-resource of S3")
row(PATHS, "refused-patch", Request("PATCH", AT), plain_response(405, KEY), "a method without an operation")
preflight = {"origin": ORIGIN, "access-control-request-method": "PUT", "access-control-request-headers": "content-type"}
row(PATHS, "options", Request("OPTIONS", AT, preflight), plain_response(204, cors=ORIGIN), "a preflight request is never redirected")
row(PATHS, "options-root", Request("OPTIONS", "/"), plain_response(204), "without Origin")
row(PATHS, "get-origin", Request("GET", AT, {"origin": ORIGIN}), signed(KEY, "GET", cors=ORIGIN), "a redirect has the CORS headers")
row(PATHS, "refused-origin", Request("POST", AT, {"origin": ORIGIN}), plain_response(405, KEY, cors=ORIGIN), "an error has the CORS headers")

# Sizes
row(PATHS, "put-url-5gib", Request("PUT", AT + "?url&contentLength=5368709120", length=False), signed(KEY, "PUT", "url", {"content-length": "5368709120"}), "the largest single PUT of S3")
row(PATHS, "refused-too-large", Request("PUT", AT + "?url&contentLength=5368709121", length=False), plain_response(413, KEY), "above 5 GiB")

# Paths below the reserved segment
row(PATHS, "health", Request("GET", "/-/health"), plain_response(200, form="health"), "no S3 call")
row(PATHS, "presign-get", Request("GET", "/-/presign/docs/a%20b.txt?method=GET&contentLength=0"), signed("docs/a b.txt", "GET", "presign"), "the response format of the AWS SDK for Go; length 0 means no length")
row(PATHS, "presign-put", Request("GET", "/-/presign/docs/a%20b.txt?method=PUT&contentLength=12"), signed("docs/a b.txt", "PUT", "presign", length_of(BODY)), "the response format of the AWS SDK for Go; create-only is a header or in the query")
row(PATHS, "presign-delete", Request("GET", "/-/presign/docs/a%20b.txt?method=DELETE"), signed("docs/a b.txt", "DELETE", "presign"), "the response format of the AWS SDK for Go")
row(PATHS, "presign-head", Request("GET", "/-/presign/docs/a%20b.txt?method=HEAD"), signed("docs/a b.txt", "HEAD", "presign"), "the response format of the AWS SDK for Go")
row(PATHS, "refused-presign-dot-dot", Request("GET", "/-/presign/docs/../secret?method=GET"), plain_response(400), "a dot segment")

# Build caches and git-lfs
def cache_row(fronts, name, request, expectation, note):
    row(fronts, name, request, expectation | {"rules": "caches.toml"}, note)


CI = {"authorization": "Bearer the-token-of-ci"}
HASH = "6d1a0f7c2b9e4853"
OID = hashlib.sha256(BODY).hexdigest()
ARTIFACT = f"/-/turbo/v8/artifacts/{HASH}?slug=acme"
artifact = CI | {"content-type": "application/octet-stream", "x-artifact-duration": "12"}
asked = {"access-control-request-method": "PUT", "access-control-request-headers": "authorization, content-type, user-agent, x-artifact-duration"}
cache_row(ALL, "turborepo-preflight", Request("OPTIONS", ARTIFACT, CI | asked), signed(f"turbo/acme/{HASH}", "PUT", "preflight"), "`turbo --preflight` requests the URL before it sends the artifact")
cache_row(ALL, "turborepo-get", Request("GET", ARTIFACT, CI), signed(f"turbo/acme/{HASH}", "GET"), "the artifact of a team")
cache_row(ALL, "turborepo-put", Request("PUT", ARTIFACT, artifact, BODY), signed(f"turbo/acme/{HASH}", "PUT", headers=length_of(BODY)), "an upload without `--preflight`")
cache_row(ALL, "turborepo-status", Request("GET", "/-/turbo/v8/artifacts/status", CI), plain_response(200), "the cache is enabled")
cache_row(ALL, "turborepo-events", Request("POST", "/-/turbo/v8/artifacts/events", {"content-type": "application/json"}, b"[]"), plain_response(200), "events have no effect, and turbo sends them without its credential")
cache_row(ALL, "refused-turborepo-tag", Request("PUT", ARTIFACT, artifact | {"x-artifact-tag": "c2lnbmVk"}, BODY), plain_response(400), "S3 cannot return the signature of an artifact")
cache_row(PATHS, "refused-turborepo-hash", Request("GET", "/-/turbo/v8/artifacts/a%2Fb", CI), plain_response(400), "a hash that is not one segment")
cache_row(ALL, "nx-get", Request("GET", f"/-/nx/v1/cache/{HASH}", CI), signed(f"nx/{HASH}", "GET"), "an artifact of Nx")
cache_row(ALL, "nx-put", Request("PUT", f"/-/nx/v1/cache/{HASH}", artifact, BODY), signed(f"nx/{HASH}", "PUT", headers=length_of(BODY), create_only=False), "a rule with `overwrite = true` needs no look-up")


def lfs(path, document):
    headers = CI | {"accept": "application/vnd.git-lfs+json", "content-type": "application/vnd.git-lfs+json"}
    return Request("POST", f"/-/lfs/game/{path}", headers, json.dumps(document).encode())


batch = {"operation": "download", "transfers": ["basic"], "ref": {"name": "refs/heads/main"}, "objects": [{"oid": OID, "size": len(BODY)}], "hash_algo": "sha256"}
cache_row(ALL, "lfs-batch", lfs("objects/batch", batch), signed(f"lfs/game/{OID[:2]}/{OID[2:4]}/{OID}", "GET", "lfs"), "the download of one object; the fronts other than a REST API pass this body in base64 too")
cache_row(ALL, "refused-lfs-batch", lfs("objects/batch", batch | {"hash_algo": "sha1"}), plain_response(409), "an unknown hash algorithm")
cache_row(ALL, "refused-lfs-lock", lfs("locks", {"path": "art/hero.psd", "ref": {"name": "refs/heads/main"}}), plain_response(404), "locks need a table")
cache_row(ALL, "refused-lfs-locks", Request("GET", "/-/lfs/game/locks?path=art%2Fhero.psd&limit=10", CI), plain_response(404), "locks need a table")
cache_row(ALL, "refused-lfs-verify-locks", lfs("locks/verify", {"limit": 10}), plain_response(404), "locks need a table")
cache_row(ALL, "refused-lfs-unlock", lfs("locks/01K0000000000000000000000A/unlock", {"force": True}), plain_response(404), "locks need a table")
cache_row(ALL, "refused-turborepo-team", Request("GET", ARTIFACT.replace("acme", "other"), CI), plain_response(403), "the team of another rule")
cache_row(ALL, "refused-turborepo-token", Request("GET", ARTIFACT, {"authorization": "Bearer not-a-token-of-ours"}), plain_response(401), "a wrong token")
cache_row(ALL, "refused-nx-token", Request("GET", f"/-/nx/v1/cache/{HASH}"), plain_response(401), "no token")
no_token = Request("POST", "/-/lfs/game/objects/batch", {"content-type": "application/vnd.git-lfs+json"}, json.dumps(batch).encode())
cache_row(ALL, "refused-lfs-token", no_token, plain_response(401), "no token")

# Domains and stages
row(("rest",), "get-base-path", Request("GET", AT, base="/files"), signed(KEY, "GET"), "custom domain with the base path `files`")
row(("rest",), "get-base-path-is-key", Request("GET", "/files", base="/files"), signed("files", "GET"), "the key equals the base path")
row(("rest",), "get-base-path-in-key", Request("DELETE", "/a/a", base="/a"), signed("a/a", "DELETE"), "the key contains the base path twice")
row(("rest",), "put-base-path-trailing-slash", Request("PUT", "/folder/", base="/files", body=BODY), signed("folder/", "PUT", headers=length_of(BODY)), "base path and trailing `/`")
row(("rest",), "get-base-path-encoded", Request("GET", "/" + ENCODED, base="/files"), signed("a b+c%d/e🚀.txt", "GET"), "base path and an encoded key")
row(("rest",), "health-base-path", Request("GET", "/-/health", base="/files"), plain_response(200, form="health"), "the reserved segment after a base path")
row(("rest",), "get-key-like-stage", Request("GET", "/live/x"), signed("live/x", "GET"), "the key begins with the stage name")
row(("rest",), "get-other-parameter", Request("GET", AT, resource="/{key+}"), signed(KEY, "GET"), "a greedy path parameter with another name")
row(("rest",), "delete-one-segment", Request("DELETE", "/files/a%20b.txt", resource="/files/{name}"), signed("a b.txt", "DELETE"), "a path parameter of one segment below a fixed part")
row(("rest",), "put-below-resource", Request("PUT", "/files/files/a", resource="/files/{proxy+}", body=BODY), signed("files/a", "PUT", headers=length_of(BODY)), "the key contains the fixed part of the resource")
row(("rest",), "unknown-fixed-resource", Request("GET", "/files", resource="/files"), plain_response(500), "a fixed resource does not show the key")
row(("rest",), "unknown-two-parameters", Request("GET", "/t/a", resource="/{tenant}/{key+}"), plain_response(500), "two path parameters: the key is ambiguous")
row(("http-api",), "get-stage", Request("GET", AT, stage="prod"), signed(KEY, "GET"), "a named stage is in `rawPath`")
row(("http-api",), "put-stage", Request("PUT", AT, stage="prod", body=BODY), signed(KEY, "PUT", headers=length_of(BODY)), "a named stage is in `rawPath`")
row(("http-api",), "get-stage-like-key", Request("GET", "/prod/x", stage="prod"), signed("prod/x", "GET"), "the stage is removed exactly once")
row(("http-api",), "get-stage-domain", Request("GET", AT, stage="prod", domain="files.example.com"), signed(KEY, "GET"), "custom domain: the stage is in `rawPath`, and not in the URL")
row(("http-api",), "get-key-like-default-stage", Request("GET", "/$default/x"), signed("$default/x", "GET"), "`$default` is never removed")
row(("http-api",), "health-stage", Request("GET", "/-/health", stage="prod"), plain_response(200, form="health"), "the reserved segment after a stage")



# Mounts: the rules mount the folder `2024/` of another bucket at `archive/`
def mount_rows():
    mounted = "archive/" + KEY
    row(PATHS, "get-mount", Request("GET", "/archive/" + ENCODED), in_mount(signed("archive/a b+c%d/e🚀.txt", "GET"), "2024/a b+c%d/e🚀.txt"), "an object in a mount: bucket, region and prefix are those of the mount")
    row(PATHS, "head-mount", Request("HEAD", "/" + mounted), in_mount(signed(mounted, "HEAD"), "2024/" + KEY), "metadata in a mount")
    row(PATHS, "put-mount", Request("PUT", "/" + mounted, body=BODY), in_mount(signed(mounted, "PUT", headers=length_of(BODY)), "2024/" + KEY), "an upload to a mount")
    row(PATHS, "delete-mount", Request("DELETE", "/" + mounted), in_mount(signed(mounted, "DELETE"), "2024/" + KEY), "a deletion in a mount")
    row(PATHS, "put-mount-json", Request("PUT", f"/{mounted}?contentLength=12", {"accept": "application/vnd.signpost+json"}, length=False), in_mount(signed(mounted, "PUT", "json", length_of(BODY) | {"if-none-match": "*"}), "2024/" + KEY), "an instruction for a mount contains the public key")
    row(PATHS, "get-mount-encoded-slash", Request("GET", "/archive%2Fa"), in_mount(signed("archive/a", "GET"), "2024/a"), "an encoded slash at the boundary of a mount")
    row(RAW, "delete-mount-double-slash", Request("DELETE", "/archive//a"), in_mount(signed("archive//a", "DELETE"), "2024//a"), "two slashes at the boundary of a mount")
    row(RAW, "get-leading-slash-mount", Request("GET", "//archive/a"), signed("/archive/a", "GET"), "a key that begins with `/` is not in the mount")
    row(PATHS, "get-mount-name", Request("GET", "/archive"), signed("archive", "GET"), "the name of a mount without a slash is a key outside the mount")
    row(PATHS, "get-mount-similar-name", Request("GET", "/archives/a"), signed("archives/a", "GET"), "a folder with a similar name is outside the mount")
    row(PATHS, "refused-mount-dot-dot", Request("GET", "/archive/../a"), plain_response(400), "a dot segment that would leave a mount")
    row(PATHS, "list-mounts", Request("GET", "/", {"accept": "application/json"}), plain_response(200), "a listing shows a mount as a folder")
    row(PATHS, "list-mounts-page", Request("GET", "/", {"accept": "text/html", "sec-fetch-mode": "navigate"}), plain_response(200), "the page of a folder with a mount")


mount_rows()

# Events that do not come from a supported front
v1 = rest(Request("GET", AT))
v1 = {"version": "1.0"} | v1
v1["requestContext"]["resourceId"] = None
ROWS.append(("unknown-http-payload-1-null", v1, plain_response(500), "HTTP API with payload 1.0, whose key is ambiguous; `resourceId` is null"))
v1 = json.loads(json.dumps(v1))
del v1["requestContext"]["resourceId"]
ROWS.append(("unknown-http-payload-1", v1, plain_response(500), "HTTP API with payload 1.0; no `resourceId`"))
ROWS.append(
    (
        "unknown-websocket",
        {
            "requestContext": {
                "routeKey": "$connect",
                "eventType": "CONNECT",
                "connectionId": "ATfSeeTvvHcCJ2Q=",
                "requestId": "ATfSeF7nPHcErRA=",
                "stage": "live",
                "domainName": "w3xample00.execute-api.eu-central-1.amazonaws.com",
                "apiId": "w3xample00",
                "identity": {"sourceIp": CALLER},
            },
            "isBase64Encoded": False,
        },
        plain_response(500),
        "a WebSocket API",
    )
)
ROWS.append(
    (
        "unknown-s3-notification",
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "eu-central-1",
                    "eventName": "ObjectCreated:Put",
                    "s3": {"bucket": {"name": "example-bucket"}, "object": {"key": KEY, "size": 12}},
                }
            ]
        },
        plain_response(500),
        "an S3 event notification",
    )
)
ROWS.append(
    (
        "unknown-schedule",
        {
            "version": "0",
            "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": "2026-07-10T19:19:04Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": {},
        },
        plain_response(500),
        "an EventBridge schedule",
    )
)

CAPTURES = {
    f"capture-{front}": plain_response(405, "capture/space value")
    for front in ("rest", "http-api", "function-url", "alb-multi-value")
}
CAPTURE_NOTE = "recorded from AWS: POST with a query, a cookie and a repeated header"


# ---- the files ----


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def code(text):
    """Returns Markdown for a key with arbitrary characters."""
    if text is None:
        return "–"
    if len(text) > 60:
        return f"{len(text.encode())} bytes"
    shown = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("\\\\", "\\").replace("|", "\\|")
    fence = "``" if "`" in shown else "`"
    return f"{fence}{shown}{fence}"


def split(name):
    """Splits a file name into the front and the rest."""
    stem = name.removesuffix(".json")
    if stem.startswith("capture-"):
        return stem.removeprefix("capture-"), "capture"
    fronts = [front for front in FRONTS if stem.startswith(f"{front}-")]
    front = max(fronts, key=len, default="")
    return (front, stem.removeprefix(f"{front}-")) if front else ("", stem)


def readme(expected, notes, methods):
    lines = [
        "# Events",
        "",
        "These are the events that the fronts send to the function: `rest` (REST API), `http-api` (HTTP API, payload 2.0), `function-url`",
        "(Lambda function URL), `alb` and `alb-multi-value` (ALB with single-value and multi-value headers).",
        "The tests use them, and so does `sam local invoke -e events/rest-get.json`.",
        "",
        "The `capture-*` files were recorded from AWS in us-west-2 on 10 July 2026 and published by the repository hotsock/voker (MIT). The",
        "caller's address and the account are masked. Empty fields that the structs of the publisher had added are removed. `make.py` generates",
        "all other events in the format of these recordings, and writes `expected.json` and this page. `make.py --check` verifies the files.",
        "",
        "For each file, `expected.json` contains the status, the object key, and the method for which the URL is signed. A rejected request",
        "also has a key if the rejection comes after its key is parsed. If the response has a signed URL, there are more members:",
        "",
        "- `form`: the response format (`redirect`, `url`, `json`, `presign`, `preflight` of Turborepo, or `lfs` of git-lfs)",
        "- `signed`: the signed headers except Host",
        "- `create_only`: true if the object must not exist yet. This is `If-None-Match=*` in the query of a redirect, a preflight response or a bare URL, and",
        "  a header in JSON.",
        "- `cors`: the origin that the response must allow",
        "- `storage`: the bucket, the region and the storage key, if the object is in a mount",
        "- `rules`: the rules file in `tests/runtime/`, if it is not `rules.toml`",
        "",
        "`rules.toml` lets everyone read, write and delete, with `overwrite = false`, and list the mount `archive/`. It contains no",
        "issuers and no tokens. The expectations also assume `SIGNPOST_CORS_ORIGINS=https://app.example.com`, the bucket `example-bucket`,",
        "the region eu-central-1, and no table.",
        "",
        "| file | fronts | operation | expected key | expected status | description |",
        "|---|---|---|---|---|---|",
    ]
    groups = {}
    for name in expected:
        front, rest_of_name = split(name)
        groups.setdefault((rest_of_name, pretty(expected[name])), []).append((front, name))
    for (rest_of_name, _), files in groups.items():
        name = files[0][1]
        expectation = expected[name]
        fronts = ", ".join(front for front, _ in files if front)
        file = f"*front*`-{rest_of_name}.json`" if fronts and not name.startswith("capture-") else f"`{rest_of_name}.json`"
        file = "`capture-`*front*`.json`" if name.startswith("capture-") else file
        lines.append(f"| {file} | {fronts or '–'} | {methods[name] or '–'} | {code(expectation['key'])} | {expectation['status']} | {notes[name]} |")
    return "\n".join(lines) + "\n"


def method_of(event):
    return event.get("httpMethod") or event.get("requestContext", {}).get("http", {}).get("method")


def main():
    files, expected, notes, methods = {}, {}, {}, {}
    for name, expectation in CAPTURES.items():
        event = json.loads((HERE / f"{name}.json").read_text())
        expected[f"{name}.json"], notes[f"{name}.json"], methods[f"{name}.json"] = expectation, CAPTURE_NOTE, method_of(event)
    for name, event, expectation, note in ROWS:
        name += ".json"
        assert name not in files, f"the table contains {name} twice"
        files[name] = pretty(event)
        expected[name], notes[name], methods[name] = expectation, note, method_of(event)
    files["expected.json"] = pretty(expected)
    files["README.md"] = readme(expected, notes, methods)

    present = {path.name for path in HERE.glob("*.json")} - {f"{name}.json" for name in CAPTURES}
    unexpected = sorted(present - set(files))
    if "--check" in sys.argv:
        differing = [name for name, text in files.items() if not (HERE / name).exists() or (HERE / name).read_text() != text]
        for name in differing + unexpected:
            print(f"{name}: differs from the output of make.py; run events/make.py", file=sys.stderr)
        return 1 if differing or unexpected else 0
    for name in unexpected:
        (HERE / name).unlink()
    for name, text in files.items():
        (HERE / name).write_text(text)
    print(f"{len(files) - 2} events written, {len(CAPTURES)} captures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
