"""Identities at the function under the emulator, through each front: bearer tokens of an OpenID Connect issuer on loopback, whose keys the
function fetches over TLS; generated tokens; sessions; share links; and the pages and listings of users.
"""

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

from responses import EVENTS, FRONTS, ROOT, SETTINGS, Mismatch, Response, check_url, expect_equal, redact

sys.path[:0] = [str(ROOT / "tests"), str(EVENTS)]

import make  # noqa: E402
from lib.lambda_emulator import Emulator  # noqa: E402
from lib.tokens import base64url, basic, bearer, digest  # noqa: E402

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
id = "vault"
who = ["issuer:idp"]
can = ["read"]
on = ["vault/**"]

[[rule]]
id = "no-claim"
effect = "deny"
who = ["issuer:idp"]
can = ["read"]
on = ["vault/{{team}}/**"]

[[rule]]
id = "no-status"
effect = "deny"
who = ["issuer:idp"]
if = {{ status = ["blocked"] }}
can = ["read"]
on = ["vault/**"]

[[rule]]
id = "no-group"
effect = "deny"
who = ["group:idp/blocked"]
can = ["read"]
on = ["vault/**"]

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


class Issuer:
    """An OpenID Connect issuer that publishes its configuration and keys over TLS, records requests, and signs tokens."""

    def __init__(self, folder):
        self.certificate, self.key, self.requests = folder / "issuer.pem", folder / "signing.pem", []
        output = ["-keyout", folder / "tls.pem", "-out", self.certificate]
        subject = ["-subj", "/CN=issuer", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-x509", *curve, "-nodes", "-days", "1", *subject, *output)
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().partition("=")[2]
        jwk = {"kty": "RSA", "kid": "k", "use": "sig", "alg": "RS256", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.requests.append(self.path)
                document = {
                    "/.well-known/openid-configuration": {"issuer": issuer.origin, "jwks_uri": issuer.origin + "/keys"},
                    "/keys": {"keys": [jwk]},
                }.get(self.path)
                body = json.dumps(document).encode()
                self.send_response(200 if document else 404)
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
        """A signed token. A claim with the value None is left out."""
        now = int(time.time())
        claims = {"iss": self.origin, "sub": subject, "aud": "files", "iat": now, "exp": now + 300} | claims
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": "k", "typ": "JWT"} | (header or {})
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{base64url(openssl('dgst', '-sha256', '-sign', self.key, data=text.encode()))}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


class Front:
    """The function behind one front."""

    def __init__(self, emulator, name):
        self.emulator, self.name = emulator, name

    def request(self, method, target, headers=None, body=b""):
        event = make.SHAPE[self.name](make.Request(method, target, headers or {}, body))
        return Response(self.emulator.invoke(json.dumps(event).encode()))

    def expect_rejection(self, status, method, target, headers=None, body=b""):
        response = self.request(method, target, headers, body)
        expect_equal(f"{method} {target.partition('?')[0]}", status, response.status)
        response.expect_no_signed_url()
        if status == 401 and not response.headers.get("www-authenticate"):
            raise Mismatch("no WWW-Authenticate header")

    def expect_redirect(self, rule, method, key, headers=None, body=b""):
        """Requires a redirect that this rule allows. Returns the user_id for which the URL was signed."""
        response = self.request(method, "/" + key, headers, body)
        signed = make.length_of(body) if body else {}
        expect_equal(f"{method} {key}", 307, response.status)
        check_url(response.headers["location"], make.signed(key, method, headers=signed))
        _, user_id, allowed_by = dict(parse_qsl(urlsplit(response.headers["location"]).query))["x-signpost"].split(".")
        expect_equal("rule", rule, allowed_by)
        return user_id


# ---- the checks, each of which runs through each front ----


def a_user_reaches_only_what_the_claims_allow(front, issuer):
    alice, bob = (bearer(issuer.token(subject)) for subject in ("alice", "bob"))
    staff = bearer(issuer.token("alice", groups=["staff", "others"]))
    user_id = front.expect_redirect("staff", "GET", "staff/x", staff)
    expect_equal("user_id is 32 hexadecimal digits", True, re.fullmatch(r"[0-9a-f]{32}", user_id) is not None)
    expect_equal("user_id", user_id, front.expect_redirect("own", "GET", f"users/{user_id}/x", alice))
    front.expect_redirect("own", "PUT", f"users/{user_id}/x", alice, make.BODY)
    front.expect_redirect("public", "GET", "public/x", alice)
    for other in (bob, {}, bearer(TOKEN)):
        front.expect_rejection(403 if other else 401, "GET", f"/users/{user_id}/x", other)
    front.expect_rejection(403, "GET", "/staff/x", bob)
    front.expect_rejection(403, "DELETE", f"/users/{user_id}/x", alice)
    on_main = bearer(issuer.token("ci", ref="refs/heads/main", repository_id="42"))
    on_another_branch = bearer(issuer.token("ci", ref="refs/heads/x", repository_id="42"))
    front.expect_redirect("main", "PUT", "artifacts/42/a.zip", on_main, make.BODY)
    front.expect_rejection(403, "PUT", "/artifacts/43/a.zip", on_main, make.BODY)
    front.expect_rejection(403, "PUT", "/artifacts/42/a.zip", on_another_branch, make.BODY)


def an_invalid_bearer_token_is_rejected_even_for_public_objects(front, issuer):
    valid, now = issuer.token("alice"), int(time.time())
    header, claims, signature = valid.split(".")
    other_claims = issuer.token("mallory").split(".")[1]
    invalid = {
        "expired": issuer.token("alice", exp=now - 120),
        "not yet valid": issuer.token("alice", nbf=now + 600),
        "without exp": issuer.token("alice", exp=None),
        "for another audience": issuer.token("alice", aud="other"),
        "of another issuer": issuer.token("alice", iss="https://127.0.0.1"),
        "with an unknown key id": issuer.token("alice", header={"kid": "unknown"}),
        "unsigned": f"{base64url(json.dumps({'alg': 'none', 'kid': 'k'}).encode())}.{claims}.",
        "with another algorithm": issuer.token("alice", header={"alg": "HS256"}),
        "with the claims of another token": f"{header}.{other_claims}.{signature}",
        "truncated": valid[:-4],
    }
    for description, token in invalid.items():
        try:
            front.expect_rejection(401, "GET", "/public/x", bearer(token))
        except Mismatch as mismatch:
            raise Mismatch(f"a token {description}: {mismatch}") from None


def a_generated_token_is_accepted_as_bearer_token_and_as_password(front, _issuer):
    for credential in (bearer(TOKEN), basic("ci", TOKEN)):
        front.expect_redirect("ci", "GET", "ci/x", credential)
    for credential in (bearer(TOKEN + "x"), basic("cd", TOKEN)):
        front.expect_rejection(401, "GET", "/public/x", credential)


def a_session_starts_at_the_form_and_ends_at_sign_out(front, _issuer):
    same_origin = {"sec-fetch-site": "same-origin"}
    cross_site = {"sec-fetch-site": "cross-site"}
    form_type = {"content-type": "application/x-www-form-urlencoded"}
    page = front.request("GET", "/-/login?next=%2Fci%2F", {"accept": "text/html"})
    expect_equal("the form", (200, True), (page.status, 'name="token"' in page.body and 'value="/ci/"' in page.body))
    form = urlencode({"token": TOKEN, "next": "/ci/x"}).encode()
    front.expect_rejection(403, "POST", "/-/login", form_type | cross_site, form)
    wrong_form = urlencode({"token": "wrong", "next": "/"}).encode()
    wrong = front.request("POST", "/-/login", form_type | same_origin, wrong_form)
    outcome = (wrong.status, 'name="token"' in wrong.body, "signpost=" in json.dumps(wrong.raw))
    expect_equal("the form again, and no session", (401, True, False), outcome)
    started = front.request("POST", "/-/login", form_type | same_origin, form)
    set_cookie = r"(__Host-signpost=[\w.=-]+); Path=/; Max-Age=(\d+); Secure; HttpOnly; SameSite=Lax"
    session = re.search(set_cookie, json.dumps(started.raw))
    expect_equal("the session", (200, True), (started.status, session is not None and 0 < int(session[2]) <= 3600))
    cookie = {"cookie": f"theme=dark; {session[1]}"}
    front.expect_redirect("ci", "GET", "ci/x", cookie)
    front.expect_rejection(403, "PUT", "/ci/x", cookie, make.BODY)
    front.expect_redirect("ci", "PUT", "ci/x", cookie | same_origin, make.BODY)
    front.expect_rejection(403, "PUT", "/ci/x", cookie | cross_site, make.BODY)
    front.expect_rejection(401, "GET", "/public/x", cookie | bearer(TOKEN))
    altered = session[1][:-3] + ("AAA" if session[1][-3:] != "AAA" else "BBB")
    front.expect_rejection(401, "GET", "/public/x", {"cookie": altered})
    ended = front.request("POST", "/-/logout", cookie | same_origin)
    removed = re.search(r"__Host-signpost=; Path=/; Max-Age=0", json.dumps(ended.raw))
    expect_equal("the end of the session", (200, True), (ended.status, removed is not None))


def listings_and_pages_show_the_path_to_a_users_prefix(front, issuer):
    """Signpost lists the folders above a prefix that may be listed without a request to S3."""
    alice = bearer(issuer.token("alice"))
    user_id = front.expect_redirect("public", "GET", "public/x", alice)
    listing = front.request("GET", "/users/", alice | {"accept": "application/json"})
    expect_equal("the listing", 200, listing.status)
    expect_equal("folders", [user_id], [folder["name"].rstrip("/") for folder in json.loads(listing.body)["folders"]])
    page = front.request("GET", "/", alice | {"accept": "text/html"})
    expect_equal("the page", (200, True), (page.status, "users/" in page.body and "staff/" not in page.body))
    for credential, status in (({}, 401), (bearer(TOKEN), 403)):
        front.expect_rejection(status, "GET", "/users/", credential)


def a_share_link_grants_its_key_only(front, _issuer):
    headers = bearer(TOKEN) | {"content-type": "application/json"}
    created = front.request("POST", "/-/share", headers, b'{"key": "ci/a b"}')
    expect_equal("the link", 200, created.status)
    link = urlsplit(created.body.strip())
    used = front.request("GET", f"/ci/a%20b?{link.query}")
    expect_equal("the use of the link", 307, used.status)
    check_url(used.headers["location"], make.signed("ci/a b", "GET"))
    front.expect_rejection(403, "GET", f"/ci/other?{link.query}")
    front.expect_rejection(401, "GET", f"/ci/a%20b?{link.query[:-2]}")


def a_deny_rule_applies_if_a_claim_has_no_plain_value(front, issuer):
    """The claims of tokens that Signpost verifies."""
    for claims, status in (
        ({"team": "blue"}, 307),
        ({"team": "red"}, 403),
        ({"team": ["red"]}, 403),
        ({"team": "red team"}, 403),
        ({"team": "r" * 129}, 403),
        ({}, 403),
        ({"team": "blue", "status": "blocked"}, 403),
        ({"team": "blue", "status": ["active"]}, 403),
        ({"team": "blue", "groups": ["eng", "blocked"]}, 403),
        ({"team": "blue", "groups": "eng,blocked"}, 403),
        ({"team": "blue", "groups": {"blocked": True}}, 403),
        ({"team": "blue", "groups": ["eng"]}, 307),
    ):
        claims = {"status": "active"} | claims
        response = front.request("GET", "/vault/red/x", bearer(issuer.token("alice", **claims)))
        expect_equal(f"the status for {claims}", status, response.status)


CHECKS = [
    a_user_reaches_only_what_the_claims_allow,
    an_invalid_bearer_token_is_rejected_even_for_public_objects,
    a_generated_token_is_accepted_as_bearer_token_and_as_password,
    a_session_starts_at_the_form_and_ends_at_sign_out,
    listings_and_pages_show_the_path_to_a_users_prefix,
    a_share_link_grants_its_key_only,
    a_deny_rule_applies_if_a_claim_has_no_plain_value,
]

GATEWAY_RULES = """version = 1

[[issuer]]
name = "gw"
iss = "https://gateway.example.com"
via = "gateway"
groups = "groups"

[[rule]]
id = "all"
who = ["issuer:gw"]
can = ["read"]
on = ["**"]

[[rule]]
id = "if"
effect = "deny"
who = ["issuer:gw"]
if = { status = ["blocked"] }
can = ["read"]
on = ["if/**"]

[[rule]]
id = "group"
effect = "deny"
who = ["group:gw/blocked"]
can = ["read"]
on = ["group/**"]

[[rule]]
id = "claim"
effect = "deny"
who = ["issuer:gw"]
can = ["read"]
on = ["claim/{team}/**"]
"""


def deny_rules_apply_if_the_gateway_flattened_the_claims(emulator):
    """The events of a JWT authorizer of an HTTP API, and of a Cognito authorizer of a REST API."""
    for front, wrap in (("http-api", lambda claims: {"jwt": {"claims": claims}}), ("rest", lambda claims: {"claims": claims})):
        for target, claims, status in (
            ("/if/x", {"status": "active"}, 307),
            ("/if/x", {"status": "blocked"}, 403),
            ("/if/x", {"status": "[blocked]"}, 403),
            ("/if/x", {"status": "[active blocked]"}, 403),
            ("/if/x", {"status": "active,blocked"}, 403),
            ("/if/x", {}, 403),
            ("/group/x", {"groups": "eng"}, 307),
            ("/group/x", {}, 307),
            ("/group/x", {"groups": "blocked"}, 403),
            ("/group/x", {"groups": "[blocked]"}, 403),
            ("/group/x", {"groups": "[eng blocked]"}, 403),
            ("/group/x", {"groups": "eng,blocked"}, 403),
            ("/claim/red/x", {"team": "blue"}, 307),
            ("/claim/red/x", {"team": "red"}, 403),
            ("/claim/red/x", {"team": "[red]"}, 403),
            ("/claim/red%20team/x", {"team": "red team"}, 403),
            ("/claim/red/x", {}, 403),
        ):
            event = make.SHAPE[front](make.Request("GET", target, {}, b""))
            identity = {"iss": "https://gateway.example.com", "sub": "alice"}
            event["requestContext"]["authorizer"] = wrap(identity | claims)
            response = Response(emulator.invoke(json.dumps(event).encode()))
            expect_equal(f"{front} {target} with {claims}", status, response.status)


def a_new_secret_ends_the_links_of_a_token(emulator_binary, binary, settings):
    """Restarts the function with another digest under the same id, as the runbook for rotation describes."""
    with Emulator(emulator_binary, binary, settings) as emulator:
        front = Front(emulator, "rest")
        headers = bearer(TOKEN) | {"content-type": "application/json"}
        link = urlsplit(front.request("POST", "/-/share", headers, b'{"key": "ci/x"}').body.strip())
        expect_equal("the link", 307, front.request("GET", f"/ci/x?{link.query}").status)
    rotated = settings | {"SIGNPOST_RULES": settings["SIGNPOST_RULES"].replace(digest(TOKEN), digest("another"))}
    with Emulator(emulator_binary, binary, rotated) as emulator:
        front = Front(emulator, "rest")
        front.expect_rejection(401, "GET", f"/ci/x?{link.query}")
        front.expect_redirect("ci", "GET", "ci/x", bearer("another"))


def check_all(results, emulator_binary, binary):
    """Runs every check through every front. Returns the output of the function."""
    with tempfile.TemporaryDirectory(prefix="signpost-issuer-") as folder:
        issuer = Issuer(Path(folder))
        settings = SETTINGS | {
            "SIGNPOST_RULES": RULES.format(origin=issuer.origin, digest=digest(TOKEN)),
            "SIGNPOST_KEYS": "k1:" + "A" * 43,
            "SSL_CERT_FILE": str(issuer.certificate),
        }
        emulator = Emulator(emulator_binary, binary, settings)
        with emulator:
            for front in FRONTS:
                for check in CHECKS:
                    run_check(results, check, Front(emulator, front), issuer)
        name = "a new secret ends the links of a token"
        run(results, name, lambda: a_new_secret_ends_the_links_of_a_token(emulator_binary, binary, settings))
        issuer.stop()
    with Emulator(emulator_binary, binary, SETTINGS | {"SIGNPOST_RULES": GATEWAY_RULES}) as gateway:
        name = "deny rules apply if the gateway flattened the claims"
        run(results, name, lambda: deny_rules_apply_if_the_gateway_flattened_the_claims(gateway))
    # An unknown key id causes one more request, and no other for half a minute. All other answers come from the first response.
    documents = ["/.well-known/openid-configuration", "/keys"]
    few_requests = sorted(set(issuer.requests)) == documents and len(issuer.requests) <= 4
    results.check("the function sends few requests to the issuer", few_requests, issuer.requests)
    return emulator.last_output


def run_check(results, check, front, issuer):
    run(results, f"{front.name}: {check.__name__.replace('_', ' ')}", lambda: check(front, issuer))


def run(results, name, check):
    errors = (Mismatch, OSError, ValueError, KeyError, TypeError)
    results.run(name, check, errors, describe)


def describe(error):
    """The text of a failure, without secrets."""
    return redact(str(error) if isinstance(error, Mismatch) else f"{type(error).__name__}: {error}")
