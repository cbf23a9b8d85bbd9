"""Members at the release binary under the emulator, through each front: bearers of an OpenID Connect issuer on loopback, whose keys the function
fetches over TLS, generated tokens, sessions, and the pages and listings that come with them. `run.py` runs it after the events.
"""

import base64
import hashlib
import http.server
import json
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import run as rie

sys.path.insert(0, str(rie.EVENTS))

import make  # noqa: E402

TOKEN = "the-token-of-ci"
RULES = """version = 1

[[issuer]]
name = "idp"
iss = "{origin}"
aud = ["files"]
alg = ["RS256"]
groups = "groups"

[[token]]
id = "ci"
sha256 = "{digest}"

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]

[[rule]]
id = "own"
who = ["issuer:idp"]
can = ["read", "write", "list"]
on = ["users/{{user_id}}/**"]

[[rule]]
id = "staff"
who = ["group:idp/staff"]
can = ["read"]
on = ["staff/**"]

[[rule]]
id = "main"
who = ["issuer:idp"]
if = {{ ref = ["refs/heads/main"] }}
can = ["write"]
on = ["artifacts/{{repository_id}}/**"]

[[rule]]
id = "ci"
who = ["token:ci"]
can = ["read", "write", "list"]
on = ["ci/**"]
share = ["read"]
"""


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Tells its configuration and its keys over TLS, counts who asks, and signs tokens."""

    def __init__(self, folder):
        self.certificate, self.key, self.asked = folder / "issuer.pem", folder / "signing.pem", []
        made = ["-keyout", folder / "tls.pem", "-out", self.certificate]
        named = ["-subj", "/CN=issuer", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-x509", *curve, "-nodes", "-days", "1", *named, *made)
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().partition("=")[2]
        jwk = {"kty": "RSA", "kid": "k", "use": "sig", "alg": "RS256", "n": encoded(bytes.fromhex(modulus)), "e": "AQAB"}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                told = {
                    "/.well-known/openid-configuration": {"issuer": issuer.origin, "jwks_uri": issuer.origin + "/keys"},
                    "/keys": {"keys": [jwk]},
                }.get(self.path)
                body = json.dumps(told).encode()
                self.send_response(200 if told else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "tls.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.origin = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, subject, header=None, **claims):
        now = int(time.time())
        claims = {"iss": self.origin, "sub": subject, "aud": "files", "iat": now, "exp": now + 300} | claims
        parts = [{"alg": "RS256", "kid": "k", "typ": "JWT"} | (header or {}), {name: value for name, value in claims.items() if value is not None}]
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        return f"{text}.{encoded(openssl('dgst', '-sha256', '-sign', self.key, data=text.encode()))}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


class Front:
    """The function behind one front."""

    def __init__(self, emulator, name):
        self.emulator, self.name = emulator, name

    def ask(self, method, target, headers=None, body=b""):
        event = make.SHAPE[self.name](make.Request(method, target, headers or {}, body))
        return rie.Answer(self.emulator.invoke(json.dumps(event).encode()))

    def refuses(self, status, method, target, headers=None, body=b""):
        answer = self.ask(method, target, headers, body)
        rie.expect(f"{method} {target.partition('?')[0]}", status, answer.status)
        if "location" in answer.headers or "X-Amz-Signature" in json.dumps(answer.raw):
            raise rie.Wrong("a URL was signed")
        if status == 401 and not answer.headers.get("www-authenticate"):
            raise rie.Wrong("no WWW-Authenticate header")

    def signs(self, rule, method, key, headers=None, body=b""):
        """The user_id of the member to whom the URL was given."""
        answer = self.ask(method, "/" + key, headers, body)
        signed = make.length_of(body) if body else {}
        rie.expect(f"{method} {key}", 307, answer.status)
        rie.check_url(answer.headers["location"], make.signed(key, method, headers=signed))
        _, user_id, by = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["x-signpost"].split(".")
        rie.expect("rule", rule, by)
        return user_id


def bearer(token):
    return {"authorization": f"Bearer {token}"}


# ---- what each front must show ----


def bearers_open_their_own(front, issuer):
    alice, bob = (bearer(issuer.token(subject)) for subject in ("alice", "bob"))
    staff = bearer(issuer.token("alice", groups=["staff", "others"]))
    user_id = front.signs("staff", "GET", "staff/x", staff)
    rie.expect("user_id by issuer and subject", re.fullmatch(r"[0-9a-f]{32}", user_id) is not None, True)
    rie.expect("user_id", user_id, front.signs("own", "GET", f"users/{user_id}/x", alice))
    front.signs("own", "PUT", f"users/{user_id}/x", alice, make.BODY)
    front.signs("public", "GET", "public/x", alice)
    for other in (bob, {}, bearer(TOKEN)):
        front.refuses(403 if other else 401, "GET", f"/users/{user_id}/x", other)
    front.refuses(403, "GET", "/staff/x", bob)
    front.refuses(403, "DELETE", f"/users/{user_id}/x", alice)
    built = bearer(issuer.token("ci", ref="refs/heads/main", repository_id="42"))
    front.signs("main", "PUT", "artifacts/42/a.zip", built, make.BODY)
    front.refuses(403, "PUT", "/artifacts/43/a.zip", built, make.BODY)
    front.refuses(403, "PUT", "/artifacts/42/a.zip", bearer(issuer.token("ci", ref="refs/heads/x", repository_id="42")), make.BODY)


def wrong_bearers_are_nobody_even_where_anyone_may_read(front, issuer):
    good, now = issuer.token("alice"), int(time.time())
    header, claims, signature = good.split(".")
    other = issuer.token("mallory").split(".")
    wrong = {
        "expired": issuer.token("alice", exp=now - 120),
        "not yet": issuer.token("alice", nbf=now + 600),
        "without an end": issuer.token("alice", exp=None),
        "for another audience": issuer.token("alice", aud="other"),
        "of another issuer": issuer.token("alice", iss="https://127.0.0.1"),
        "of another key id": issuer.token("alice", header={"kid": "unknown"}),
        "unsigned": f"{encoded(json.dumps({'alg': 'none', 'kid': 'k'}).encode())}.{claims}.",
        "by another algorithm": issuer.token("alice", header={"alg": "HS256"}),
        "another's claims": f"{header}.{other[1]}.{signature}",
        "cut": good[:-4],
    }
    for what, token in wrong.items():
        try:
            front.refuses(401, "GET", "/public/x", bearer(token))
        except rie.Wrong as problem:
            raise rie.Wrong(f"a token {what}: {problem}") from None


def generated_tokens_are_taken_in_both_ways(front, _issuer):
    for credential in (f"Bearer {TOKEN}", "Basic " + base64.b64encode(f"ci:{TOKEN}".encode()).decode()):
        front.signs("ci", "GET", "ci/x", {"authorization": credential})
    for credential in (f"Bearer {TOKEN}x", "Basic " + base64.b64encode(f"cd:{TOKEN}".encode()).decode()):
        front.refuses(401, "GET", "/public/x", {"authorization": credential})


def a_session_begins_at_the_form_and_ends(front, _issuer):
    own = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
    page = front.ask("GET", "/-/login?next=%2Fci%2F", {"accept": "text/html"})
    rie.expect("the form", (200, True), (page.status, 'name="token"' in page.body and 'value="/ci/"' in page.body))
    form = urlencode({"token": TOKEN, "next": "/ci/x"}).encode()
    front.refuses(403, "POST", "/-/login", own | {"sec-fetch-site": "cross-site"}, form)
    wrong = front.ask("POST", "/-/login", own, urlencode({"token": "wrong", "next": "/"}).encode())
    rie.expect("another form, and no session", (401, True, False), (wrong.status, 'name="token"' in wrong.body, "signpost=" in json.dumps(wrong.raw)))
    begun = front.ask("POST", "/-/login", own, form)
    told = re.search(r"(__Host-signpost=[\w.=-]+); Path=/; Max-Age=(\d+); Secure; HttpOnly; SameSite=Lax", json.dumps(begun.raw))
    rie.expect("the session", (200, True), (begun.status, told is not None and 0 < int(told[2]) <= 3600))
    cookie = {"cookie": f"theme=dark; {told[1]}"}
    front.signs("ci", "GET", "ci/x", cookie)
    front.refuses(403, "PUT", "/ci/x", cookie, make.BODY)
    front.signs("ci", "PUT", "ci/x", cookie | {"sec-fetch-site": "same-origin"}, make.BODY)
    front.refuses(403, "PUT", "/ci/x", cookie | {"sec-fetch-site": "cross-site"}, make.BODY)
    front.refuses(401, "GET", "/public/x", cookie | bearer(TOKEN))
    spoiled = told[1][:-3] + ("AAA" if told[1][-3:] != "AAA" else "BBB")
    front.refuses(401, "GET", "/public/x", {"cookie": spoiled})
    ended = front.ask("POST", "/-/logout", cookie | {"sec-fetch-site": "same-origin"})
    gone = re.search(r"__Host-signpost=; Path=/; Max-Age=0", json.dumps(ended.raw))
    rie.expect("the end", (200, True), (ended.status, gone is not None))


def listings_and_their_pages_show_a_member_the_way(front, issuer):
    """Above a folder that may be listed, the way there is told without asking S3."""
    alice = bearer(issuer.token("alice"))
    user_id = front.signs("public", "GET", "public/x", alice)
    listed = front.ask("GET", "/users/", alice | {"accept": "application/json"})
    rie.expect("the listing", 200, listed.status)
    rie.expect("folders", [user_id], [folder["name"].rstrip("/") for folder in json.loads(listed.body)["folders"]])
    page = front.ask("GET", "/", alice | {"accept": "text/html"})
    rie.expect("the page", (200, True), (page.status, "users/" in page.body and "staff/" not in page.body))
    for credential, status in (({}, 401), (bearer(TOKEN), 403)):
        front.refuses(status, "GET", "/users/", credential)


def a_share_link_is_made_and_lends(front, _issuer):
    made = front.ask("POST", "/-/share", bearer(TOKEN) | {"content-type": "application/json"}, b'{"key": "ci/a b"}')
    rie.expect("the link", 200, made.status)
    link = urlsplit(made.body.strip())
    lent = front.ask("GET", f"/ci/a%20b?{link.query}")
    rie.expect("its use", 307, lent.status)
    rie.check_url(lent.headers["location"], make.signed("ci/a b", "GET"))
    front.refuses(403, "GET", f"/ci/other?{link.query}")
    front.refuses(401, "GET", f"/ci/a%20b?{link.query[:-2]}")


CHECKS = [
    bearers_open_their_own,
    wrong_bearers_are_nobody_even_where_anyone_may_read,
    generated_tokens_are_taken_in_both_ways,
    a_session_begins_at_the_form_and_ends,
    listings_and_their_pages_show_a_member_the_way,
    a_share_link_is_made_and_lends,
]


def check_all(emulator_binary, binary):
    """How many checks passed, what was wrong, and what the function wrote."""
    passed, wrong = 0, []
    with tempfile.TemporaryDirectory(prefix="signpost-issuer-") as folder:
        issuer = Issuer(Path(folder))
        settings = rie.SETTINGS | {
            "SIGNPOST_RULES": RULES.format(origin=issuer.origin, digest=hashlib.sha256(TOKEN.encode()).hexdigest()),
            "SIGNPOST_KEYS": "k1:" + "A" * 43,
            "SSL_CERT_FILE": str(issuer.certificate),
        }
        emulator = rie.Emulator(emulator_binary, binary, settings)
        with emulator:
            for front in rie.FRONTS:
                for check in CHECKS:
                    name = f"{front}: {check.__name__.replace('_', ' ')}"
                    try:
                        check(Front(emulator, front), issuer)
                        passed += 1
                    except rie.Wrong as problem:
                        wrong.append((name, str(problem)))
                    except (OSError, ValueError, KeyError, TypeError) as problem:
                        wrong.append((name, rie.redact(f"{type(problem).__name__}: {problem}")))
        issuer.stop()
    # An unknown key id asks once more, and not again for half a minute; everything else is known after the first answer.
    if sorted(set(issuer.asked)) != ["/.well-known/openid-configuration", "/keys"] or len(issuer.asked) > 4:
        wrong.append(("the issuer", f"was asked {issuer.asked}"))
    else:
        passed += 1
    return passed, wrong, emulator.last_output
