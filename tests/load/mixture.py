"""The good and bad requests, and the checks of their responses."""

import base64
import hashlib
import json
import random
import re
from urllib.parse import quote

import rules
from signatures import CheckFailed, check, check_url

NAMES = ("a.txt", "a b+c%d.txt", "f/🚀.bin", "e\u0301.txt", "c//d", "x'y(z)*~.txt", "k" * 200)
AS_JSON = {"accept": "application/vnd.signpost+json, application/json"}


def path_of(key):
    return "/" + quote(key, safe="/-_.~")


def bearer(name):
    return {"authorization": f"Bearer {rules.TOKENS[name]}"}


def basic(name, secret=None):
    text = f"{name}:{secret or rules.TOKENS[name]}"
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


class RequestMixture:
    """Runs a random sequence of actions. An action is one request or several related ones."""

    def __init__(self, target, seed):
        self.target, self.aws = target, target.aws
        self.random = random.Random(seed)
        self.good = [kind for kind, weight in target.kinds for _ in range(weight)]
        self.bad = list(BAD) + list(target.bad())
        self.remaining = {}

    def run_next(self):
        """Runs one action and returns its name."""
        if self.random.random() < 0.1:
            name, action = self.draw(self.bad)
            self.current = "bad: " + name
        else:
            action = self.draw(self.good)
            self.current = action.__name__
        action(self)
        return self.current

    def draw(self, actions):
        """Returns a random action. Every action is drawn once before any is repeated."""
        remaining = self.remaining.setdefault(id(actions), [])
        if not remaining:
            remaining += self.random.sample(actions, len(actions))
        return remaining.pop()

    # ---- helpers ----

    def key(self, folder):
        return f"{folder}/{self.random.randrange(self.target.places)}/{self.random.choice(NAMES)}"

    def credential(self):
        name = self.random.choice(list(rules.TOKENS))
        return self.random.choice((bearer, basic))(name)

    def request(self, method, target, headers=None, body=b"", expect=200, needs=()):
        """Sends a request and checks that the status is `expect`. Returns None if a service in `needs` has a fault and the request fails."""
        expected = expect if isinstance(expect, tuple) else (expect,)
        response = self.target.request(method, target, headers or {}, body)
        if response.status >= 500:
            self.check_failure(response, needs, method)
            return None
        check(response.status in expected, f"{method}: {response.status} instead of {expect}: {response.code}")
        self.check_headers(response)
        return response

    def check_failure(self, response, needs, method):
        """Checks that a required service has a fault, and that the error has the documented form."""
        if response.code in ("ServiceUnavailable", "-") and self.aws.may_lack_rules(response.began, response.ended):
            self.target.counts["without rules"] += 1
        elif needs and self.aws.faults.had_fault(needs, response.began, response.ended):
            self.target.counts["failed with " + "+".join(needs)] += 1
        else:
            raise CheckFailed(f"{response.status} {response.code} without a fault")
        self.check_headers(response)
        check(response.status in (500, 503), f"{response.status}")
        if method == "HEAD":
            return
        problem = response.problem()
        check(problem["status"] == response.status and problem["request_id"] and problem["remedy"], "the problem document is incomplete")
        check(response.status != 503 or response.headers.get("retry-after"), "no Retry-After")
        text = json.dumps(problem)
        check("X-Amz" not in text and not self.target.secrets.found_in(text), "an error contains a secret")

    @staticmethod
    def check_headers(response):
        check("location" not in response.headers or response.status in (303, 307), "a Location in a response that is not a redirect")
        check(response.headers.get("x-content-type-options") == "nosniff", "no nosniff")
        check(response.headers.get("referrer-policy") in ("no-referrer", "same-origin"), "no Referrer-Policy")

    def sign_needs(self):
        return ("sts",) if self.aws.sessions else ()

    def signed(self, response, url, method, key, headers=None, reuse_window=None):
        """Checks a signed URL, and that its session belongs to the active rules."""
        if response is None:
            return None
        query = check_url(url, method, key, headers or {}, response.clock_window, self.aws, reuse_window)
        check("x-signpost" in query, "no x-signpost")
        self.target.check_rules(query, response)
        return query

    # ---- good requests ----

    def redirect(self, method, key, headers=None, body=b"", signed=None, target=None):
        response = self.request(method, target or path_of(key), headers, body, 307, self.sign_needs())
        if response:
            signed = self.target.passed_on(signed or {})
            self.signed(response, response.headers["location"], method, key, signed)
            check(response.headers.get("cache-control") == "no-store", "a redirect that can be cached")
            self.target.carry_out(method, response.headers["location"], signed, body)

    def get(self):
        self.redirect("GET", self.key("public"))

    def head(self):
        self.redirect("HEAD", self.key("public"), self.credential())

    def put(self):
        body = self.random.randbytes(self.random.choice((0, 1, 100, 20000)))
        self.redirect("PUT", self.key("desk"), self.credential(), body, {"content-length": str(len(body))} if body else {})

    def put_with_metadata(self):
        body = self.random.randbytes(50)
        headers = {"x-amz-meta-colour": "green", "content-md5": md5(body)}
        self.redirect("PUT", self.key("desk"), self.credential() | headers, body, {"content-length": "50"} | headers)

    def put_once(self):
        self.redirect("PUT", self.key("create"), self.credential(), b"x" * 10, {"content-length": "10"})

    def delete(self):
        self.redirect("DELETE", self.key("desk"), self.credential())

    def as_json(self):
        method, key = self.random.choice(("GET", "DELETE", "PUT")), self.key("desk")
        query = "?contentLength=7&meta-a=b" if method == "PUT" else ""
        response = self.request(method, path_of(key) + query, self.credential() | AS_JSON, needs=self.sign_needs())
        if response:
            instruction = response.json()
            given = {name: value for name, value in instruction["headers"].items() if name.lower() != "host"}
            expected = {"content-length": "7", "x-amz-meta-a": "b"} if method == "PUT" else {}
            check(given == expected, f"headers to send: {sorted(given)}")
            check((instruction["method"], instruction["key"]) == (method, key), "another method or key")
            self.signed(response, instruction["url"], method, key, given)

    def as_text(self):
        key = self.key("public")
        response = self.request("GET", path_of(key) + "?url", needs=self.sign_needs())
        if response:
            check(response.body.endswith(b"\n") and response.body.count(b"\n") == 1, "not one line")
            self.signed(response, response.text[:-1], "GET", key)

    def as_go_example(self):
        key = self.key("desk")
        response = self.request("GET", f"/-/presign{path_of(key)}?method=PUT&contentLength=3", self.credential(), needs=self.sign_needs())
        if response:
            instruction = response.json()
            self.signed(response, instruction["URL"], "PUT", key, {"content-length": "3"})

    def reused(self):
        key = self.key("reused")
        response = self.request("GET", path_of(key), None, b"", 307, self.sign_needs())
        if response:
            self.signed(response, response.headers["location"], "GET", key, reuse_window=rules.REUSE_WINDOW)
            cached = re.fullmatch(r"private, max-age=(\d+)", response.headers["cache-control"])
            if cached:
                start, end = response.clock_window
                # The response may be from a window that began after the request.
                is_one_window = start // rules.REUSE_WINDOW == end // rules.REUSE_WINDOW
                left = rules.REUSE_WINDOW - start % rules.REUSE_WINDOW if is_one_window else rules.REUSE_WINDOW
                check(0 < int(cached.group(1)) <= left + 2, f"cached for {cached.group(1)} s of {left:.0f}")
            else:
                check(response.headers["cache-control"] == "no-store", "another Cache-Control")

    def changing(self):
        """Reads below a prefix that only some versions of the rules allow."""
        which = self.random.choice(("even", "odd"))
        key = self.key(which)
        response = self.request("GET", path_of(key), None, b"", (307, 401), self.sign_needs())
        if response:
            allowing = {rules.name_of(version) for version in self.aws.versions(response.began, response.ended)}
            check(response.status == (307 if which in allowing else 401) or len(allowing) > 1, f"{response.status} does not match the active rules")
            if response.status == 307:
                self.signed(response, response.headers["location"], "GET", key)

    def multipart(self):
        key, credential = self.key("desk"), self.credential()
        self.redirect_of("POST", key, "?uploads", credential)
        upload = "uploadId=an-id/with+signs".replace("/", "%2F").replace("+", "%2B")
        self.redirect_of("PUT", key, f"?partNumber=3&{upload}", credential, b"part", {"content-length": "4"})
        self.redirect_of("GET", key, f"?{upload}", credential)
        self.redirect_of("POST", key, f"?{upload}", credential, b"<CompleteMultipartUpload/>")
        self.redirect_of("DELETE", key, f"?{upload}", credential)

    def redirect_of(self, method, key, query, credential, body=b"", signed=None):
        response = self.request(method, path_of(key) + query, credential, body, 307, self.sign_needs())
        if response:
            self.signed(response, response.headers["location"], method, key, signed)

    def sign_many(self):
        keys = [self.key(self.random.choice(("desk", "public", "secret"))) for _ in range(self.random.choice((1, 10, 30)))]
        body = json.dumps([{"method": "GET", "key": key} for key in keys]).encode()
        response = self.request("POST", "/-/sign", self.credential() | {"content-type": "application/json"}, body, needs=self.sign_needs())
        if response is None:
            return
        results = response.json()
        check(len(results) == len(keys), "the number of results differs from the number of keys")
        for key, one in zip(keys, results):
            if key.startswith("secret/"):
                check(one["error"]["status"] == 403, "a key that no rule allows")
            elif "error" in one:
                check(one["error"]["status"] in (500, 503), f"{one['error']['status']}")
                check(self.aws.faults.had_fault(("sts",), response.began, response.ended), "an error without a fault")
            else:
                check(one["key"] == key, "out of order")
                self.signed(response, one["url"], "GET", key)

    def generated(self):
        response = self.request("POST", "/desk/in/?ext=mp4", self.credential() | AS_JSON, needs=self.sign_needs())
        if response:
            instruction = response.json()
            check(re.fullmatch(r"desk/in/[0-9A-HJKMNP-TV-Z]{26}\.mp4", instruction["key"]), "no ULID")
            given = {name: value for name, value in instruction["headers"].items() if name.lower() != "host"}
            self.signed(response, instruction["url"], "PUT", instruction["key"], given)

    def form(self):
        as_json = self.random.random() < 0.5
        response = self.request("GET", "/desk/in/?form", self.credential() | (AS_JSON if as_json else {"accept": "text/html"}), needs=self.sign_needs())
        if response and as_json:
            instruction = response.json()
            policy = json.loads(base64.b64decode(instruction["fields"]["policy"]))
            check(instruction["url"].startswith(self.aws.bucket_origin), "the form leads to another host")
            check(["eq", "$bucket", "x"] not in policy["conditions"] and policy["expiration"], "no policy")
            self.aws.secrets.add(instruction["fields"]["x-amz-signature"])
        elif response:
            check(b'enctype="multipart/form-data"' in response.body, "no form")

    def location(self, method, target, headers=None, body=b""):
        """Requests a redirect from the server with the embedded S3, which has no faults, and returns its URL."""
        return self.request(method, target, headers, body, 307).headers["location"]

    def round_trip(self):
        """Uploads, downloads, lists and deletes an object."""
        credential, target = self.credential(), self.target
        folder = f"desk/trip-{self.random.getrandbits(64):x}/"
        key = folder + self.random.choice(NAMES)
        body = self.random.randbytes(self.random.choice((1, 1000, 100_000, 1_000_000)))
        if self.random.random() < 0.3:
            target.half_at_s3(self.location("PUT", path_of(key), credential, body), body)
            check(target.at_s3("GET", self.location("GET", path_of(key), credential))[0] == 404, "half of an upload is stored")
        if self.random.random() < 0.5:
            url = self.location("PUT", path_of(key), credential, body)
        else:
            url = self.request("PUT", f"{path_of(key)}?url&contentLength={len(body)}", credential).text[:-1]
        check(target.at_s3("PUT", url, None, body)[0] == 200, "the upload failed")
        check(target.at_s3("PUT", url, None, body + b"x")[0] in (400, 403), "an upload with another length was accepted")
        check(target.at_s3("GET", self.location("GET", path_of(key), credential)) == (200, body), "the downloaded bytes differ")
        check(target.at_s3("HEAD", self.location("HEAD", path_of(key), credential))[0] == 200, "HEAD failed")
        objects = self.request("GET", path_of(folder) + "?recursive", credential | AS_JSON).json()["objects"]
        check([(entry["key"], entry["size"]) for entry in objects] == [(key, len(body))], "the object is not listed")
        check(target.at_s3("DELETE", self.location("DELETE", path_of(key), credential))[0] == 204, "the object was not deleted")
        check(target.at_s3("GET", self.location("GET", path_of(key), credential))[0] == 404, "the object still exists")

    def in_parts(self):
        """Completes or aborts a multipart upload."""
        credential, target = self.credential(), self.target
        key = f"desk/parts-{self.random.getrandbits(64):x}/a"
        _, created = target.at_s3("POST", self.location("POST", path_of(key) + "?uploads", credential))
        upload = "uploadId=" + quote(re.search(r"<UploadId>(.*?)</UploadId>", created.decode())[1], safe="")
        body = self.random.randbytes(100_000)
        url = self.location("PUT", f"{path_of(key)}?partNumber=1&{upload}", credential, body)
        check(target.at_s3("PUT", url, None, body)[0] == 200, "the part was rejected")
        listed = self.request("GET", path_of(key.rpartition("/")[0] + "/") + "?uploads", credential | AS_JSON).json()["uploads"]
        check([entry["key"] for entry in listed] == [key], "the upload is not listed")
        if self.random.random() < 0.5:
            check(target.at_s3("DELETE", self.location("DELETE", f"{path_of(key)}?{upload}", credential))[0] == 204, "the upload was not aborted")
            return
        etag = hashlib.md5(body).hexdigest()
        parts = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part></CompleteMultipartUpload>".encode()
        url = self.location("POST", f"{path_of(key)}?{upload}", credential, parts)
        check(target.at_s3("POST", url, None, parts)[0] == 200, "the upload was not completed")
        check(target.at_s3("GET", self.location("GET", path_of(key), credential)) == (200, body), "the downloaded bytes differ")
        check(target.at_s3("DELETE", self.location("DELETE", path_of(key), credential))[0] == 204, "the object was not deleted")

    def listing(self):
        prefix = f"desk/{self.random.randrange(1000)}/"
        accept = self.random.choice(("application/json", "text/plain", "text/html"))
        response = self.request("GET", path_of(prefix), self.credential() | {"accept": accept}, needs=("s3", *self.sign_needs()))
        if response is None:
            return
        expected = self.target.listed(prefix)
        if accept == "application/json":
            entries = [(entry["key"].removeprefix(prefix), entry["size"]) for entry in response.json()["objects"]]
            check(entries == expected, f"wrong entries: {len(entries)} of {len(expected)}")
        else:
            for name, _ in expected:
                check(name in response.text, f"{name} is not listed")

    def pending_uploads(self):
        response = self.request("GET", "/desk/p/?uploads", self.credential() | AS_JSON, needs=("s3", *self.sign_needs()))
        if response:
            check(len(response.json()["uploads"]) == self.target.pending, "wrong pending uploads")

    def share(self):
        key, credential = self.key("desk"), self.credential()
        response = self.request("POST", "/-/share", credential | AS_JSON, json.dumps({"key": key, "expires": "1h"}).encode())
        if response is None:
            return
        link = "share=" + response.json()["url"].partition("?share=")[2]
        self.target.secrets.add(link)
        response = self.request("GET", f"{path_of(key)}?{link}", None, b"", 307, self.sign_needs())
        if response:
            self.signed(response, response.headers["location"], "GET", key)
        self.request("PUT", f"{path_of(key)}?{link}", None, b"x", 403)
        self.request("GET", f"{path_of(key + 'x')}?{link}", None, b"", 403)
        forged = link[:-2] + ("AA" if link[-2:] != "AA" else "BB")
        self.request("GET", f"{path_of(key)}?{forged}", None, b"", 401)

    def share_for_one_use(self):
        key = self.key("desk")
        response = self.request("POST", "/-/share", self.credential() | AS_JSON, json.dumps({"key": key, "uses": 2}).encode())
        if response is None:
            return
        link = "share=" + response.json()["url"].partition("?share=")[2]
        self.target.secrets.add(link)
        given, no_failure = 0, True
        for _ in range(4):
            response = self.request("GET", f"{path_of(key)}?{link}", None, b"", (307, 401), ("table", *self.sign_needs()))
            no_failure = no_failure and response is not None
            given += response is not None and response.status == 307
        check(given <= 2, f"{given} uses of 2")
        check(given == 2 or not no_failure or self.aws.faults.seen, f"{given} uses of 2")

    def sign_in(self):
        name = self.random.choice(list(rules.TOKENS))
        form = f"token={rules.TOKENS[name]}&return_to=%2Fdesk%2F".encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": self.target.origin, "sec-fetch-site": "same-origin"}
        response = self.request("POST", "/-/login", headers, form)
        if response is None:
            return
        cookie = response.cookie
        check(cookie, "no cookie")
        self.target.secrets.add(cookie)
        key = self.key("desk")
        response = self.request("GET", path_of(key), {"cookie": cookie}, b"", 307, self.sign_needs())
        if response:
            self.signed(response, response.headers["location"], "GET", key)
        altered = cookie[:-3] + ("AAA" if cookie[-3:] != "AAA" else "BBB")
        self.request("GET", path_of(key), {"cookie": altered}, b"", 401)

    def pages(self):
        target, status = self.random.choice((("/-/health", 200), ("/-/openapi.yaml", 200), ("/-/docs", 200), ("/-/login", 200)))
        response = self.request("GET", target, {"accept": "text/html"}, b"", status)
        check(response is None or len(response.body) > 20, "an empty page")

    def options(self):
        response = self.request("OPTIONS", path_of(self.key("desk")), {"origin": "https://app.example.com", "access-control-request-method": "PUT"}, b"", 204)
        check(response is None or "PUT" in response.headers["allow"], "no Allow")


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


GOOD = [
    (RequestMixture.get, 12), (RequestMixture.head, 6), (RequestMixture.put, 12), (RequestMixture.put_with_metadata, 3), (RequestMixture.put_once, 3), (RequestMixture.delete, 6),
    (RequestMixture.as_json, 8), (RequestMixture.as_text, 4), (RequestMixture.as_go_example, 2), (RequestMixture.reused, 5), (RequestMixture.changing, 5), (RequestMixture.multipart, 3),
    (RequestMixture.sign_many, 3), (RequestMixture.generated, 2), (RequestMixture.form, 2), (RequestMixture.listing, 8), (RequestMixture.pending_uploads, 2), (RequestMixture.share, 2),
    (RequestMixture.share_for_one_use, 2), (RequestMixture.sign_in, 2), (RequestMixture.pages, 3), (RequestMixture.options, 3),
]  # fmt: skip


def bad(name, method, target, status, headers=None, body=b"", signs=False):
    """Returns an action for a request that is always rejected, or for an unusual one that is signed nevertheless."""

    def action(mixture):
        given = dict(headers(mixture) if callable(headers) else headers or {})
        response = mixture.request(method, target, given, body, status, mixture.sign_needs() if signs else ())
        if response and response.status >= 400:
            check("location" not in response.headers and b"X-Amz-Signature" not in response.body, "a rejection with a URL")
            if response.status == 401:
                check(response.challenge, "no WWW-Authenticate")

    return name, action


DESK = "/desk/1/a.txt"
ANN = bearer("ann")
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJsb2FkLXdyb25nLWp3dCJ9.load-wrong-signature0"
BAD = [
    bad("dot segments", "GET", "/public/../desk/1/a.txt", 400),
    bad("escaped dot segments", "GET", "/public/%2e%2e/secret", 400),
    bad("a key that is too long", "GET", "/public/" + "k" * 1100, 400),
    bad("the empty key", "DELETE", "/", 400, ANN),
    bad("a control character", "GET", "/public/a%00b", 400),
    bad("a reserved path", "GET", "/-/nothing", 404),
    bad("no credential", "GET", DESK, 401),
    bad("a wrong token", "GET", DESK, 401, {"authorization": "Bearer load-wrong-token-0123456789"}),
    bad("a wrong token for a public object", "GET", "/public/a", 401, {"authorization": "Bearer load-wrong-token-0123456789"}),
    bad("a wrong password", "PUT", DESK, 401, lambda _: basic("ann", "load-wrong-password-0")),
    bad("an invalid Basic credential", "GET", DESK, 401, {"authorization": "Basic %%%load-wrong-basic-0"}),
    bad("an unknown scheme", "GET", DESK, 401, {"authorization": "Digest username=load-wrong-digest-0"}),
    bad("a JWT of an unknown issuer", "GET", DESK, 401, {"authorization": f"Bearer {JWT}"}),
    bad("two credentials", "GET", DESK + "?share=load-wrong-link-0123", 401, ANN),
    bad("an invalid link", "GET", DESK + "?share=load-wrong-link-0123", 401),
    bad("a key that no rule allows", "GET", "/secret/a", 403, ANN),
    bad("a write that is denied", "PUT", "/archive/a", 403, ANN, b"x"),
    bad("an anonymous write", "PUT", "/public/a", 401, None, b"x"),
    bad("an unknown parameter", "GET", "/public/a?acl", 400),
    bad("a parameter twice", "GET", "/public/a?expires=60&expires=70", 400),
    bad("an invalid number", "PUT", DESK + "?url&contentLength=many", 400, ANN),
    bad("a lifetime that is too long", "GET", "/public/a?expires=9999999999999999999999", 400),
    bad("an object that is too large", "PUT", "/create/a?url&contentLength=1000001", 413, ANN),
    bad("a copy header", "PUT", DESK, 400, ANN | {"x-amz-copy-source": "/other/secret"}, b"x"),
    bad("an ACL", "PUT", DESK, 400, ANN | {"x-amz-acl": "public-read"}, b"x"),
    bad("an unknown method", "PATCH", DESK, 405, ANN),
    bad("a POST without an operation", "POST", DESK, 405, ANN),
    bad("a part number out of range", "PUT", DESK + "?partNumber=10001&uploadId=u&url", 400, ANN),
    bad("invalid JSON", "POST", "/-/sign", 400, ANN, b'[{"method": "GET", "key"'),
    bad("JSON with another structure", "POST", "/-/sign", 400, ANN, b'{"a": [1, 2, {"b": null}]}'),
    bad("too many keys in one request", "POST", "/-/sign", 400, ANN, json.dumps([{"method": "GET", "key": "public/a"}] * 101).encode()),
    bad("deep JSON", "POST", "/-/share", 400, ANN, b"[" * 5000),
    bad("a share link for a key without permission", "POST", "/-/share", 403, ANN, b'{"key": "secret/a"}'),
    bad("a share link with too long a lifetime", "POST", "/-/share", 400, ANN, b'{"key": "desk/a", "expires": "400d"}'),
    bad("a listing that no rule allows", "GET", "/secret/", 403, ANN),
    bad("a sign-in from another origin", "POST", "/-/login", 403, {"origin": "https://evil.example", "content-type": "application/x-www-form-urlencoded"}, b"token=x"),
    bad("a large header", "GET", "/public/a", 307, {"x-probe": "a" * 30_000}, signs=True),
    bad("an invalid Accept header", "GET", "/public/a", (200, 307), {"accept": ";;q=,,*/;/*" * 300}, signs=True),
]  # fmt: skip
