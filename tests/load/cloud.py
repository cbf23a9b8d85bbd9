"""A fake S3, STS and DynamoDB for one process under test. They support only the requests of Signpost, and they inject faults."""

import json
import random
import re
import secrets as randomness
import socket
import struct
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from signatures import signature_of

BUCKET = "load-bucket"
FUNCTION_KEYS = ("AKIAIOSFODNN7EXAMPLE", "load-secret-of-the-function", "load-token-of-the-function")
SESSION_SECONDS = 180  # minimum lifetime of a session, by either clock
OBJECTS = 12
WRONG_KIND = '<?xml version="1.0"?><CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>"e"</ETag></CopyObjectResult>'
UNAVAILABLE = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@dataclass(frozen=True)
class Session:
    secret: str
    token: str
    ends: float
    epoch: str


class FakeAws:
    """The services of one process. `bucket_origin` is the origin of its presigned URLs."""

    def __init__(self, clock, faults, secrets, rules):
        self.clock, self.faults, self.secrets, self.rules = clock, faults, secrets, rules
        self.sessions, self.problems, self.uses = {}, [], {}
        self.calls = {}
        self.confirmed = None  # time of the last confirmation, by the clock of the process
        self.sent = []  # (time, version)
        self.version = 0
        self.bad_rules_sent = -60.0
        self._lock = threading.Lock()
        self._random = random.Random(11)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        self.bucket_origin, self.bucket_path = self.endpoint, "/" + BUCKET
        threading.Thread(target=self._accept, daemon=True).start()

    def session(self, access_key):
        return self.sessions[access_key]

    def versions(self, start, end):
        """Returns the versions of the rules that can have been active between the two times."""
        before = [version for at, version in self.sent if at < start - 0.5][-1:]
        return set(before + [version for at, version in self.sent if start - 0.5 <= at <= end + 0.5])

    def may_lack_rules(self, start, end):
        """Returns true if the rules have not been confirmed for ten minutes and the last refresh failed."""
        expired = self.confirmed is None or self.clock.now() - self.confirmed > 590
        return expired and (self.bad_rules_sent > start - 12 or self.faults.had_fault(("rules",), start - 12, end))

    # ---- HTTP ----

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                client.settimeout(15)
                request = read_request(client)
                if request:
                    self._respond(client, *request)
            except OSError:
                pass

    def _respond(self, client, method, target, headers, body):
        service, respond = self._route(method, target, headers, body)
        with self._lock:
            self.calls[service] = self.calls.get(service, 0) + 1
        fault = self.faults.fault(service) if service in ("s3", "sts", "rules", "table") else None
        status, more, text, done = respond(fault)
        data = http_response(status, more, text)
        if fault in (None, "slow", "other", "ended"):
            if fault == "slow":
                time.sleep(self._random.uniform(0.2, 1.2))
            if fault in (None, "slow"):
                done()
            client.sendall(data)
        elif fault == "drip":
            for at in range(0, len(data), 40):
                client.sendall(data[at : at + 40])
                time.sleep(0.2)
        else:
            send_fault(client, fault, data, more, text)

    def _route(self, method, target, headers, body):
        parts = urlsplit(target)
        if headers.get("x-amz-target", "").startswith("DynamoDB"):
            return "table", lambda _: self._update(json.loads(body))
        if method == "POST" and "Action=AssumeRole" in body:
            return "sts", lambda fault: self._assume(parse_qs(body), fault)
        if method == "GET" and parts.path == "/load-rules/rules.toml":
            return "rules", lambda _: self._get_rules(target, headers)
        if method == "GET" and parts.path in (self.bucket_path, self.bucket_path + "/"):
            return "s3", lambda fault: self._list(target, fault)
        self.problems.append(f"unexpected request: {method} {parts.path}")
        return "unknown", lambda _: (404, {}, "", lambda: None)

    # ---- the services ----

    def _assume(self, form, fault):
        name = form["RoleSessionName"][0]
        access_key = "ASIA" + randomness.token_hex(8).upper()
        # The session is long enough by the clock of the process, and does not end too early by the true clock.
        ends = int(time.time()) + SESSION_SECONDS + max(self.clock.offset, 0)
        if fault == "ended":
            ends = int(self.clock.now()) - 600
        session = Session(self.secrets.fresh("secret"), self.secrets.fresh("token"), ends, name.rpartition(".")[2])
        self.sessions[access_key] = session
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
        if fault == "other":
            expiration = "soon"
        text = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>{session.secret}</SecretAccessKey>"
            f"<SessionToken>{session.token}</SessionToken><Expiration>{expiration}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
        return 200, {"content-type": "text/xml"}, text, lambda: None

    def _get_rules(self, target, headers):
        version = self.version
        tag = f'"v{version}"'
        self._check_signature("GET", target, FUNCTION_KEYS[0])

        def confirmed():
            if not self.rules.is_good(version):
                self.bad_rules_sent = time.monotonic()
            else:
                self.confirmed = self.clock.now()
                if not self.sent or self.sent[-1][1] != version:
                    self.sent.append((time.monotonic(), version))

        if headers.get("if-none-match") == tag:
            return 304, {"etag": tag}, "", confirmed
        return 200, {"etag": tag}, self.rules.text(version), confirmed

    def _list(self, target, fault):
        query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        self._check_signature("GET", target, query["X-Amz-Credential"].partition("/")[0])
        prefix = query.get("prefix", "")
        if fault == "other":
            return 200, {"content-type": "application/xml"}, WRONG_KIND, lambda: None
        if "uploads" in query:
            entries = f"<Upload><Key>{quote(prefix + 'parts')}</Key><UploadId>u1</UploadId><Initiated>2026-07-10T19:19:04.000Z</Initiated></Upload>"
            text = f"<ListMultipartUploadsResult><Bucket>{BUCKET}</Bucket><IsTruncated>false</IsTruncated>{entries}</ListMultipartUploadsResult>"
        else:
            entries = "".join(
                f"<Contents><Key>{quote(prefix + name)}</Key><Size>{size}</Size><LastModified>2026-07-10T19:19:04.000Z</LastModified><ETag>&quot;e&quot;</ETag></Contents>"
                for name, size in listed(prefix)
            )
            text = f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{quote(prefix)}</Prefix><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        return 200, {"content-type": "application/xml"}, text, lambda: None

    def _check_signature(self, method, target, access_key):
        secret = FUNCTION_KEYS[1] if access_key == FUNCTION_KEYS[0] else self.sessions[access_key].secret
        url = self.endpoint + target
        query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        self.secrets.add(query["X-Amz-Signature"])
        if signature_of(method, url, {}, secret) != query["X-Amz-Signature"]:
            self.problems.append("a request of the service has a wrong signature")

    def _update(self, update):
        name = update["Key"]["id"]["S"]
        max_uses = int(update["ExpressionAttributeValues"][":most"]["N"])
        with self._lock:
            used = self.uses.get(name, 0)
            if used >= max_uses:
                failed = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"})
                return 400, {"content-type": "application/x-amz-json-1.0"}, failed, lambda: None
            self.uses[name] = used + 1
        return 200, {"content-type": "application/x-amz-json-1.0"}, "{}", lambda: None


def listed(prefix):
    """Returns the names and sizes of the objects below a prefix."""
    return [(f"file {index:02}.bin", index * 1000 + len(prefix)) for index in range(OBJECTS)]


def read_request(client):
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return None
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (text.split(":", 1) for text in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        more = client.recv(65536)
        if not more:
            return None
        body += more
    method, target, _ = line.split(" ", 2)
    return method, target, headers, body.decode()


def http_response(status, headers, text):
    body = text.encode()
    fields = {"date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), "connection": "close"} | headers
    if status != 304:
        fields["content-length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Fake\r\n{lines}\r\n".encode() + body


def send_fault(client, fault, data, headers, text):
    """Sends a faulty response."""
    tag = {name: value for name, value in headers.items() if name == "etag"}
    if fault == "unavailable":
        client.sendall(http_response(503, {"content-type": "application/xml"}, UNAVAILABLE))
    elif fault == "error page":
        client.sendall(http_response(500, {"content-type": "text/html"}, "<html><body><h1>500 Internal Server Error</h1></body></html>"))
    elif fault == "denied":
        client.sendall(http_response(403, {"content-type": "application/xml"}, DENIED))
    elif fault == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif fault == "silent":
        client.settimeout(12)
        client.recv(1)
    elif fault == "cut":
        client.sendall(data[: max(20, len(data) - max(1, len(text) // 2) - 1)])
    elif fault == "truncated":
        client.sendall(http_response(200, headers, text[: len(text) * 2 // 3]))
    elif fault == "html":
        client.sendall(http_response(200, {"content-type": "text/html"} | tag, "<!doctype html><html><body>It works!</body></html>"))
    elif fault == "empty":
        client.sendall(http_response(200, tag, ""))
    elif fault == "garbage":
        client.sendall(bytes(range(256)) * 8)
    elif fault == "huge":
        client.sendall(http_response(200, tag, "<a>" * 2_000_000))
    else:
        raise ValueError(fault)


class Secrets:
    """The secrets that must not appear in a log."""

    PIECE = re.compile(r"[A-Za-z0-9_-]{16,}")
    MARK = re.compile(r"load-(?:secret|token|wrong)-[0-9a-z-]+")

    def __init__(self):
        self.words = set()

    def fresh(self, kind):
        return f"load-{kind}-{randomness.token_hex(16)}"

    def add(self, word):
        """Adds a secret that the service created. The log must not contain any long part of it."""
        self.words.update(self.PIECE.findall(word))

    def found_in(self, text):
        """Returns the kinds of the secrets in a line."""
        found = {match.group().rpartition("-")[0] for match in self.MARK.finditer(text)}
        if "X-Amz-" in text:
            found.add("a part of a signed URL")
        return found | {"a signature, link or cookie" for piece in self.PIECE.findall(text) if piece in self.words}
