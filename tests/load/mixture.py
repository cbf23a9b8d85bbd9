"""The requests, good and bad, and what must come of each."""

import base64
import hashlib
import json
import random
import re
from urllib.parse import quote

import rules
from signatures import Wrong, check_url, demand

NAMES = ("a.txt", "a b+c%d.txt", "f/🚀.bin", "e\u0301.txt", "c//d", "x'y(z)*~.txt", "k" * 200)
AS_JSON = {"accept": "application/json"}


def path_of(key):
    return "/" + quote(key, safe="/-_.~")


def bearer(name):
    return {"authorization": f"Bearer {rules.TOKENS[name]}"}


def basic(name, secret=None):
    text = f"{name}:{secret or rules.TOKENS[name]}"
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


class Mixture:
    """One kind of request after another, by chance."""

    def __init__(self, target, seed):
        self.target, self.cloud = target, target.cloud
        self.random = random.Random(seed)
        self.good = [kind for kind, weight in target.kinds for _ in range(weight)]
        self.bad = list(BAD) + list(target.bad())
        self.decks = {}

    def one(self):
        """Does one thing, and gives its name."""
        if self.random.random() < 0.1:
            name, doing = self.draw(self.bad)
            self.doing = "bad: " + name
        else:
            doing = self.draw(self.good)
            self.doing = doing.__name__
        doing(self)
        return self.doing

    def draw(self, cards):
        """A card by chance, each once before any comes again."""
        deck = self.decks.setdefault(id(cards), [])
        if not deck:
            deck += self.random.sample(cards, len(cards))
        return deck.pop()

    # ---- helpers ----

    def key(self, folder):
        return f"{folder}/{self.random.randrange(self.target.places)}/{self.random.choice(NAMES)}"

    def member(self):
        name = self.random.choice(list(rules.TOKENS))
        return self.random.choice((bearer, basic))(name)

    def ask(self, method, target, headers=None, body=b"", expect=200, needs=()):
        """The answer, which has the status `expect` unless what it `needs` fails just now."""
        expected = expect if isinstance(expect, tuple) else (expect,)
        answer = self.target.ask(method, target, headers or {}, body)
        if answer.status >= 500:
            self.excused(answer, needs, method)
            return None
        demand(answer.status in expected, f"{method}: {answer.status} where {expect} is due: {answer.code}")
        self.check_headers(answer)
        return answer

    def excused(self, answer, needs, method):
        """A failure is right while what it needs fails, and tells what the documents say."""
        if answer.code in ("ServiceUnavailable", "-") and self.cloud.may_be_without_rules(answer.began, answer.ended):
            self.target.counts["without rules"] += 1
        elif needs and self.cloud.weather.was_bad(needs, answer.began, answer.ended):
            self.target.counts["failed with " + "+".join(needs)] += 1
        else:
            raise Wrong(f"{answer.status} {answer.code} in fair weather")
        self.check_headers(answer)
        demand(answer.status in (500, 503), f"{answer.status}")
        if method == "HEAD":
            return
        told = answer.problem()
        demand(told["status"] == answer.status and told["request_id"] and told["remedy"], "the problem lacks a member")
        demand(answer.status != 503 or answer.headers.get("retry-after"), "no Retry-After")
        text = json.dumps(told)
        demand("X-Amz" not in text and not self.target.secrets.found_in(text), "a failure tells a secret")

    @staticmethod
    def check_headers(answer):
        demand("location" not in answer.headers or answer.status in (303, 307), "a Location beside an answer")
        demand(answer.headers.get("x-content-type-options") == "nosniff", "no nosniff")
        demand(answer.headers.get("referrer-policy") in ("no-referrer", "same-origin"), "no Referrer-Policy")

    def sign_needs(self):
        return ("sts",) if self.cloud.sessions else ()

    def signed(self, answer, url, method, key, headers=None, stable=None):
        """Checks a URL that was given, and that it is signed by a session of the rules in force."""
        if answer is None:
            return None
        query = check_url(url, method, key, headers or {}, answer.asked, self.cloud, stable)
        demand("x-signpost" in query, "no x-signpost")
        self.target.check_rules(query, answer)
        return query

    # ---- good requests ----

    def redirect(self, method, key, headers=None, body=b"", signed=None, target=None):
        answer = self.ask(method, target or path_of(key), headers, body, 307, self.sign_needs())
        if answer:
            self.signed(answer, answer.headers["location"], method, key, signed)
            demand(answer.headers.get("cache-control") == "no-store", "a redirect that may be kept")
            self.target.carry_out(method, answer.headers["location"], signed or {}, body)

    def get(self):
        self.redirect("GET", self.key("public"))

    def head(self):
        self.redirect("HEAD", self.key("public"), self.member())

    def put(self):
        body = self.random.randbytes(self.random.choice((0, 1, 100, 20000)))
        self.redirect("PUT", self.key("desk"), self.member(), body, {"content-length": str(len(body))} if body else {})

    def put_with_metadata(self):
        body = self.random.randbytes(50)
        told = {"x-amz-meta-colour": "green", "content-md5": md5(body)}
        self.redirect("PUT", self.key("desk"), self.member() | told, body, {"content-length": "50"} | told)

    def put_once(self):
        self.redirect("PUT", self.key("create"), self.member(), b"x" * 10, {"content-length": "10"})

    def delete(self):
        self.redirect("DELETE", self.key("desk"), self.member())

    def as_json(self):
        method, key = self.random.choice(("GET", "DELETE", "PUT")), self.key("desk")
        query = "?contentLength=7&meta-a=b" if method == "PUT" else ""
        answer = self.ask(method, path_of(key) + query, self.member() | AS_JSON, needs=self.sign_needs())
        if answer:
            told = answer.json()
            given = {name: value for name, value in told["headers"].items() if name.lower() != "host"}
            expected = {"content-length": "7", "x-amz-meta-a": "b"} if method == "PUT" else {}
            demand(given == expected, f"headers to send: {sorted(given)}")
            demand((told["method"], told["key"]) == (method, key), "another method or key")
            self.signed(answer, told["url"], method, key, given)

    def as_text(self):
        key = self.key("public")
        answer = self.ask("GET", path_of(key) + "?url", needs=self.sign_needs())
        if answer:
            demand(answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1, "not one line")
            self.signed(answer, answer.text[:-1], "GET", key)

    def as_go_example(self):
        key = self.key("desk")
        answer = self.ask("GET", f"/-/presign{path_of(key)}?method=PUT&contentLength=3", self.member(), needs=self.sign_needs())
        if answer:
            told = answer.json()
            self.signed(answer, told["URL"], "PUT", key, {"content-length": "3"})

    def stable(self):
        key = self.key("stable")
        answer = self.ask("GET", path_of(key), None, b"", 307, self.sign_needs())
        if answer:
            self.signed(answer, answer.headers["location"], "GET", key, stable=rules.STABLE)
            kept = re.fullmatch(r"private, max-age=(\d+)", answer.headers["cache-control"])
            if kept:
                left = rules.STABLE - answer.asked[0] % rules.STABLE
                demand(0 < int(kept.group(1)) <= left + 2, f"kept for {kept.group(1)} s of {left:.0f}")
            else:
                demand(answer.headers["cache-control"] == "no-store", "another Cache-Control")

    def changing(self):
        """Whether the rules in force let anyone read there."""
        which = self.random.choice(("even", "odd"))
        key = self.key(which)
        answer = self.ask("GET", path_of(key), None, b"", (307, 401), self.sign_needs())
        if answer:
            allowing = {rules.name_of(version) for version in self.cloud.versions(answer.began, answer.ended)}
            demand(answer.status == (307 if which in allowing else 401) or len(allowing) > 1, f"{answer.status} by other rules")
            if answer.status == 307:
                self.signed(answer, answer.headers["location"], "GET", key)

    def multipart(self):
        key, member = self.key("desk"), self.member()
        self.redirect_of("POST", key, "?uploads", member)
        upload = "uploadId=an-id/with+signs".replace("/", "%2F").replace("+", "%2B")
        self.redirect_of("PUT", key, f"?partNumber=3&{upload}", member, b"part", {"content-length": "4"})
        self.redirect_of("GET", key, f"?{upload}", member)
        self.redirect_of("POST", key, f"?{upload}", member, b"<CompleteMultipartUpload/>")
        self.redirect_of("DELETE", key, f"?{upload}", member)

    def redirect_of(self, method, key, query, member, body=b"", signed=None):
        answer = self.ask(method, path_of(key) + query, member, body, 307, self.sign_needs())
        if answer:
            self.signed(answer, answer.headers["location"], method, key, signed)

    def sign_many(self):
        keys = [self.key(self.random.choice(("desk", "public", "secret"))) for _ in range(self.random.choice((1, 10, 30)))]
        wanted = json.dumps([{"method": "GET", "key": key} for key in keys]).encode()
        answer = self.ask("POST", "/-/sign", self.member() | {"content-type": "application/json"}, wanted, needs=self.sign_needs())
        if answer is None:
            return
        told = answer.json()
        demand(len(told) == len(keys), "another number of answers")
        for key, one in zip(keys, told):
            if key.startswith("secret/"):
                demand(one["error"]["status"] == 403, "a key that no rule grants")
            elif "error" in one:
                demand(one["error"]["status"] in (500, 503), f"{one['error']['status']}")
                demand(self.cloud.weather.was_bad(("sts",), answer.began, answer.ended), "a failure in fair weather")
            else:
                demand(one["key"] == key, "out of order")
                self.signed(answer, one["url"], "GET", key)

    def generated(self):
        answer = self.ask("POST", "/desk/in/?ext=mp4", self.member() | AS_JSON, needs=self.sign_needs())
        if answer:
            told = answer.json()
            demand(re.fullmatch(r"desk/in/[0-9A-HJKMNP-TV-Z]{26}\.mp4", told["key"]), "no ULID")
            given = {name: value for name, value in told["headers"].items() if name.lower() != "host"}
            self.signed(answer, told["url"], "PUT", told["key"], given)

    def form(self):
        as_json = self.random.random() < 0.5
        answer = self.ask("GET", "/desk/in/?form", self.member() | (AS_JSON if as_json else {"accept": "text/html"}), needs=self.sign_needs())
        if answer and as_json:
            told = answer.json()
            policy = json.loads(base64.b64decode(told["fields"]["policy"]))
            demand(told["url"].startswith(self.cloud.bucket_origin), "leads elsewhere")
            demand(["eq", "$bucket", "x"] not in policy["conditions"] and policy["expiration"], "no policy")
            self.cloud.secrets.note(told["fields"]["x-amz-signature"])
        elif answer:
            demand(b'enctype="multipart/form-data"' in answer.body, "no form")

    def location(self, method, target, headers=None, body=b""):
        """Where one is sent, in front of the embedded S3, which has no weather."""
        return self.ask(method, target, headers, body, 307).headers["location"]

    def round_trip(self):
        """What was stored comes back, is listed, and goes."""
        member, target = self.member(), self.target
        folder = f"desk/trip-{self.random.getrandbits(64):x}/"
        key = folder + self.random.choice(NAMES)
        body = self.random.randbytes(self.random.choice((1, 1000, 100_000, 1_000_000)))
        if self.random.random() < 0.3:
            target.half_at_s3(self.location("PUT", path_of(key), member, body), body)
            demand(target.at_s3("GET", self.location("GET", path_of(key), member))[0] == 404, "half of an upload is there")
        if self.random.random() < 0.5:
            url = self.location("PUT", path_of(key), member, body)
        else:
            url = self.ask("PUT", f"{path_of(key)}?url&contentLength={len(body)}", member).text[:-1]
        demand(target.at_s3("PUT", url, None, body)[0] == 200, "the upload failed")
        demand(target.at_s3("PUT", url, None, body + b"x")[0] in (400, 403), "another length was taken")
        demand(target.at_s3("GET", self.location("GET", path_of(key), member)) == (200, body), "something else came back")
        demand(target.at_s3("HEAD", self.location("HEAD", path_of(key), member))[0] == 200, "there is no HEAD")
        told = self.ask("GET", path_of(folder) + "?recursive", member | AS_JSON).json()["objects"]
        demand([(entry["key"], entry["size"]) for entry in told] == [(key, len(body))], "it is not listed")
        demand(target.at_s3("DELETE", self.location("DELETE", path_of(key), member))[0] == 204, "it was not deleted")
        demand(target.at_s3("GET", self.location("GET", path_of(key), member))[0] == 404, "it is still there")

    def in_parts(self):
        """An upload in parts, which ends or is given up."""
        member, target = self.member(), self.target
        key = f"desk/parts-{self.random.getrandbits(64):x}/a"
        _, told = target.at_s3("POST", self.location("POST", path_of(key) + "?uploads", member))
        upload = "uploadId=" + quote(re.search(r"<UploadId>(.*?)</UploadId>", told.decode())[1], safe="")
        body = self.random.randbytes(100_000)
        url = self.location("PUT", f"{path_of(key)}?partNumber=1&{upload}", member, body)
        demand(target.at_s3("PUT", url, None, body)[0] == 200, "the part was not taken")
        listed = self.ask("GET", path_of(key.rpartition("/")[0] + "/") + "?uploads", member | AS_JSON).json()["uploads"]
        demand([entry["key"] for entry in listed] == [key], "the upload is not listed")
        if self.random.random() < 0.5:
            demand(target.at_s3("DELETE", self.location("DELETE", f"{path_of(key)}?{upload}", member))[0] == 204, "not given up")
            return
        etag = hashlib.md5(body).hexdigest()
        parts = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part></CompleteMultipartUpload>".encode()
        url = self.location("POST", f"{path_of(key)}?{upload}", member, parts)
        demand(target.at_s3("POST", url, None, parts)[0] == 200, "not completed")
        demand(target.at_s3("GET", self.location("GET", path_of(key), member)) == (200, body), "something else came back")
        demand(target.at_s3("DELETE", self.location("DELETE", path_of(key), member))[0] == 204, "it was not deleted")

    def listing(self):
        prefix = f"desk/{self.random.randrange(1000)}/"
        accept = self.random.choice(("application/json", "text/plain", "text/html"))
        answer = self.ask("GET", path_of(prefix), self.member() | {"accept": accept}, needs=("s3", *self.sign_needs()))
        if answer is None:
            return
        expected = self.target.listed(prefix)
        if accept == "application/json":
            told = [(entry["key"].removeprefix(prefix), entry["size"]) for entry in answer.json()["objects"]]
            demand(told == expected, f"{len(told)} entries of {len(expected)}, or others")
        else:
            for name, _ in expected:
                demand(name in answer.text, f"{name} is not listed")

    def pending_uploads(self):
        answer = self.ask("GET", "/desk/p/?uploads", self.member() | AS_JSON, needs=("s3", *self.sign_needs()))
        if answer:
            demand(len(answer.json()["uploads"]) == self.target.pending, "other uploads")

    def share(self):
        key, member = self.key("desk"), self.member()
        answer = self.ask("POST", "/-/share", member | AS_JSON, json.dumps({"key": key, "expires": "1h"}).encode())
        if answer is None:
            return
        link = "share=" + answer.json()["url"].partition("?share=")[2]
        self.target.secrets.note(link)
        answer = self.ask("GET", f"{path_of(key)}?{link}", None, b"", 307, self.sign_needs())
        if answer:
            self.signed(answer, answer.headers["location"], "GET", key)
        self.ask("PUT", f"{path_of(key)}?{link}", None, b"x", 403)
        self.ask("GET", f"{path_of(key + 'x')}?{link}", None, b"", 403)
        forged = link[:-2] + ("AA" if link[-2:] != "AA" else "BB")
        self.ask("GET", f"{path_of(key)}?{forged}", None, b"", 401)

    def share_for_one_use(self):
        key = self.key("desk")
        answer = self.ask("POST", "/-/share", self.member() | AS_JSON, json.dumps({"key": key, "uses": 2}).encode())
        if answer is None:
            return
        link = "share=" + answer.json()["url"].partition("?share=")[2]
        self.target.secrets.note(link)
        given, fair = 0, True
        for _ in range(4):
            answer = self.ask("GET", f"{path_of(key)}?{link}", None, b"", (307, 401), ("table", *self.sign_needs()))
            fair = fair and answer is not None
            given += answer is not None and answer.status == 307
        demand(given <= 2, f"{given} uses of 2")
        demand(given == 2 or not fair or self.cloud.weather.seen, f"{given} uses of 2")

    def sign_in(self):
        name = self.random.choice(list(rules.TOKENS))
        form = f"token={rules.TOKENS[name]}&return_to=%2Fdesk%2F".encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": self.target.origin, "sec-fetch-site": "same-origin"}
        answer = self.ask("POST", "/-/login", headers, form)
        if answer is None:
            return
        cookie = answer.cookie
        demand(cookie, "no cookie")
        self.target.secrets.note(cookie)
        key = self.key("desk")
        answer = self.ask("GET", path_of(key), {"cookie": cookie}, b"", 307, self.sign_needs())
        if answer:
            self.signed(answer, answer.headers["location"], "GET", key)
        spoiled = cookie[:-3] + ("AAA" if cookie[-3:] != "AAA" else "BBB")
        self.ask("GET", path_of(key), {"cookie": spoiled}, b"", 401)

    def pages(self):
        target, status = self.random.choice((("/-/health", 200), ("/-/openapi.yaml", 200), ("/-/docs", 200), ("/-/login", 200)))
        answer = self.ask("GET", target, {"accept": "text/html"}, b"", status)
        demand(answer is None or len(answer.body) > 20, "an empty page")

    def options(self):
        answer = self.ask("OPTIONS", path_of(self.key("desk")), {"origin": "https://app.example.com", "access-control-request-method": "PUT"}, b"", 204)
        demand(answer is None or "PUT" in answer.headers["allow"], "no Allow")


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


GOOD = [
    (Mixture.get, 12), (Mixture.head, 6), (Mixture.put, 12), (Mixture.put_with_metadata, 3), (Mixture.put_once, 3), (Mixture.delete, 6),
    (Mixture.as_json, 8), (Mixture.as_text, 4), (Mixture.as_go_example, 2), (Mixture.stable, 5), (Mixture.changing, 5), (Mixture.multipart, 3),
    (Mixture.sign_many, 3), (Mixture.generated, 2), (Mixture.form, 2), (Mixture.listing, 8), (Mixture.pending_uploads, 2), (Mixture.share, 2),
    (Mixture.share_for_one_use, 2), (Mixture.sign_in, 2), (Mixture.pages, 3), (Mixture.options, 3),
]  # fmt: skip


def bad(name, method, target, status, headers=None, body=b"", signs=False):
    """A request that is refused, whatever the weather; or one that is strange, and signed all the same."""

    def doing(mixture):
        given = dict(headers(mixture) if callable(headers) else headers or {})
        answer = mixture.ask(method, target, given, body, status, mixture.sign_needs() if signs else ())
        if answer and answer.status >= 400:
            demand("location" not in answer.headers and b"X-Amz-Signature" not in answer.body, "a refusal with a URL")
            if answer.status == 401:
                demand(answer.challenge, "no WWW-Authenticate")

    return name, doing


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
    bad("a wrong token where anyone may", "GET", "/public/a", 401, {"authorization": "Bearer load-wrong-token-0123456789"}),
    bad("a wrong password", "PUT", DESK, 401, lambda _: basic("ann", "load-wrong-password-0")),
    bad("Basic that is none", "GET", DESK, 401, {"authorization": "Basic %%%load-wrong-basic-0"}),
    bad("an unknown scheme", "GET", DESK, 401, {"authorization": "Digest username=load-wrong-digest-0"}),
    bad("a JWT of nobody", "GET", DESK, 401, {"authorization": f"Bearer {JWT}"}),
    bad("two credentials", "GET", DESK + "?share=load-wrong-link-0123", 401, ANN),
    bad("a link that is none", "GET", DESK + "?share=load-wrong-link-0123", 401),
    bad("a key that no rule grants", "GET", "/secret/a", 403, ANN),
    bad("a write that is denied", "PUT", "/archive/a", 403, ANN, b"x"),
    bad("an anonymous write", "PUT", "/public/a", 401, None, b"x"),
    bad("an unknown parameter", "GET", "/public/a?acl", 400),
    bad("a parameter twice", "GET", "/public/a?expires=60&expires=70", 400),
    bad("a number that is none", "PUT", DESK + "?url&contentLength=many", 400, ANN),
    bad("too long a life", "GET", "/public/a?expires=9999999999999999999999", 400),
    bad("too large an object", "PUT", "/create/a?url&contentLength=1000001", 413, ANN),
    bad("a header that makes a copy", "PUT", DESK, 400, ANN | {"x-amz-copy-source": "/other/secret"}, b"x"),
    bad("an ACL", "PUT", DESK, 400, ANN | {"x-amz-acl": "public-read"}, b"x"),
    bad("an unknown method", "PATCH", DESK, 405, ANN),
    bad("a POST that means nothing", "POST", DESK, 405, ANN),
    bad("a part number out of range", "PUT", DESK + "?partNumber=10001&uploadId=u&url", 400, ANN),
    bad("JSON that is none", "POST", "/-/sign", 400, ANN, b'[{"method": "GET", "key"'),
    bad("JSON of another kind", "POST", "/-/sign", 400, ANN, b'{"a": [1, 2, {"b": null}]}'),
    bad("too many at once", "POST", "/-/sign", 400, ANN, json.dumps([{"method": "GET", "key": "public/a"}] * 101).encode()),
    bad("deep JSON", "POST", "/-/share", 400, ANN, b"[" * 5000),
    bad("a share of what is not one's own", "POST", "/-/share", 403, ANN, b'{"key": "secret/a"}'),
    bad("a share that is too long", "POST", "/-/share", 400, ANN, b'{"key": "desk/a", "expires": "400d"}'),
    bad("a listing that is not granted", "GET", "/secret/", 403, ANN),
    bad("a sign-in from elsewhere", "POST", "/-/login", 403, {"origin": "https://evil.example", "content-type": "application/x-www-form-urlencoded"}, b"token=x"),
    bad("a large header", "GET", "/public/a", 307, {"x-probe": "a" * 30_000}, signs=True),
    bad("rubbish in Accept", "GET", "/public/a", (200, 307), {"accept": ";;q=,,*/;/*" * 300}, signs=True),
]  # fmt: skip
