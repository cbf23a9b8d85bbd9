"""The processes under load: the function in the runtime emulator, and the local server with external and embedded S3."""

import collections
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import rules
from cloud import FUNCTION_KEYS, BUCKET, FakeAws, Secrets, listed
from mixture import GOOD, RequestMixture
from signatures import CheckFailed, check
from weather import FaultSchedule

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
sys.path[:0] = [str(EVENTS), str(ROOT / "tests"), str(ROOT / "tests/runtime")]

import make  # noqa: E402
from lib.lambda_emulator import Emulator  # noqa: E402
from malformed import malformed_events  # noqa: E402
from responses import Response  # noqa: E402

KEYS = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
ROLE = "arn:aws:iam::123456789012:role/signer"


class TimedResponse:
    """A response, and the time of its request by the clock of the process."""

    def __init__(self, status, headers, body, cookie, began, clock):
        self.status, self.headers, self.body, self.cookie = status, headers, body, cookie
        self.began, self.ended = began, time.monotonic()
        self.clock_window = clock.now() - (self.ended - began), clock.now()

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def challenge(self):
        return self.headers.get("www-authenticate") or self.headers.get("x-amzn-remapped-www-authenticate")

    def problem(self):
        """Parses an error response in any of its three formats."""
        kind = self.headers.get("content-type", "")
        if kind == "application/problem+json":
            return self.json()
        if kind.startswith("text/plain"):
            found = re.fullmatch(r"(\w+): .* \(request ([^)]+)\)\n(.+)\n", self.text, re.S)
        else:
            found = re.search(r"<p>Error <code>(\w+)</code>, request <code>([^<]+)</code></p>(.*)", self.text, re.S)
        check(found, f"{self.status} without a problem document")
        return {"status": self.status, "code": found[1], "request_id": found[2], "remedy": found[3]}

    @property
    def code(self):
        try:
            return self.problem()["code"] if self.body else "-"
        except (CheckFailed, ValueError, KeyError):
            return "-"


class Target:
    """One process with its own fault schedule, fake AWS services and log."""

    pending = 1
    places = 1000
    kinds = GOOD

    def __init__(self, name, folder, clock, version=0):
        self.name, self.clock = name, clock
        self.folder = folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.secrets = Secrets()
        self.faults = FaultSchedule()
        self.rules = rules.Versions()
        self.aws = FakeAws(clock, self.faults, self.secrets, self.rules)
        self.aws.version = version
        self.log = self.folder / "log"
        self.counts = collections.Counter()
        self.done = collections.Counter()
        self.failures = []
        self.latencies = []
        self.samples = []  # (seconds, KiB, descriptors)

    def environment(self, more):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": FUNCTION_KEYS[0],
            "AWS_SECRET_ACCESS_KEY": FUNCTION_KEYS[1],
            "AWS_SESSION_TOKEN": FUNCTION_KEYS[2],
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SIGNPOST_BUCKET": BUCKET,
            "SIGNPOST_KEYS": KEYS,
            "SIGNPOST_CORS_ORIGINS": "https://app.example.com",
            "SIGNPOST_LOG": "info",
        } | more

    def aws_settings(self):
        """Returns the settings of a process that uses the fake AWS services."""
        return {
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "SIGNPOST_RULES_SOURCE": "s3://load-rules/rules.toml",
            "SIGNPOST_SIGNING_MODE": "signer",
            "SIGNPOST_SIGNER_ROLE_ARN": ROLE,
            "SIGNPOST_SIGNER_SESSION": "15m",
            "SIGNPOST_TABLE": "load-uses",
        }

    def bad(self):
        return ()

    def carry_out(self, method, url, headers, body):
        """Follows a redirect if the target has an S3 server."""

    def listed(self, prefix):
        return listed(prefix)

    def check_rules(self, query, response):
        """Checks that the session belongs to the active rules."""
        session = self.aws.session(query["X-Amz-Credential"].partition("/")[0])
        if session:
            epochs = {self.rules.epoch(version) for version in self.aws.versions(response.began, response.ended)}
            check(session.epoch in epochs, f"signed by a session of epoch {session.epoch} instead of {sorted(epochs)}")

    def request(self, method, target, headers, body):
        began = time.monotonic()
        status, headers, body, cookie = self.send(method, target, headers, body)
        response = TimedResponse(status, headers, body, cookie, began, self.clock)
        self.latencies.append(response.ended - began)
        self.counts[f"{status // 100}xx"] += 1
        return response

    def passed_on(self, headers):
        """The headers of a client that reach Signpost: a REST API drops Content-MD5."""
        return {name: value for name, value in headers.items() if (self.front, name) != ("rest", "content-md5")}

    def sample(self, began):
        status = Path(f"/proc/{self.pid()}/status").read_text()
        kib = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        self.samples.append((time.monotonic() - began, kib, len(os.listdir(f"/proc/{self.pid()}/fd"))))


class Function(Target):
    """The Lambda binary in the runtime emulator. Each request comes from the next front."""

    workers = 1
    origin = "https://5h7pqvr9u4.execute-api.eu-central-1.amazonaws.com"

    def __init__(self, folder, clock, binary, emulator, library):
        super().__init__("function", folder, clock)
        # The emulator does not pass LD_PRELOAD to the function, because it is linked statically.
        start = self.folder / "bootstrap"
        clocked = " ".join(f"{name}={value}" for name, value in clock.environment(library).items())
        start.write_text(f"#!/bin/sh\nexec env {clocked} {binary}\n")
        start.chmod(0o755)
        lambda_settings = {
            "AWS_LAMBDA_FUNCTION_NAME": "signpost",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
        }
        self.emulator = Emulator(emulator, start, self.environment(self.aws_settings() | lambda_settings), self.log)
        self.emulator.__enter__()
        self.turn = 0
        self.malformed = [(name, payload) for name, payload in malformed_events() if len(payload) < 200_000]

    def start(self):
        self.emulator.invoke((EVENTS / "rest-health.json").read_bytes())
        self.first = self.emulator.function_processes()

    def pid(self):
        return self.first[-1]

    def alive(self):
        return self.emulator.function_processes() == self.first

    def stop(self):
        self.emulator.__exit__()

    def send(self, method, target, headers, body):
        headers = dict(headers)
        fronts = ["rest", "function-url", "alb", "alb-multi-value"]
        # An HTTP API decodes the path, cuts it at a `?` and merges slashes.
        if not any(text in target for text in ("%3F", "%00", "//")):
            fronts.append("http-api")
        self.turn += 1
        front = fronts[self.turn % len(fronts)]
        request = make.Request(method, target, headers, body)
        if method in ("PUT", "POST") and not body and "uploads" in target:
            request.length = False
        if front == "alb" and "expires=60&expires=70" in target or headers.get("origin") == self.origin:
            front = "rest"
        self.front = front
        event = make.SHAPE[front](request)
        answer = Response(self.emulator.invoke(json.dumps(event).encode()))
        cookies = answer.raw.get("cookies") or [answer.headers.get("set-cookie", "")]
        return answer.status, answer.headers, answer.body.encode(), session_in(cookies)

    def bad(self):
        def malformed_event(payload):
            def action(_):
                raw = self.emulator.invoke(payload)
                check(not re.search(rb"panic|Runtime\.Exit|exited|Sandbox\.Timeout|timed out", raw), "the function exited")
                self.counts["malformed"] += 1

            return "malformed event", action

        # About as many as all other bad requests, so that both kinds are sent.
        return [malformed_event(payload) for _, payload in self.malformed[:: max(1, len(self.malformed) // 40)]]


class Local(Target):
    """`signpost-local` over HTTP."""

    workers = 3

    def __init__(self, name, folder, clock, binary, library, arguments, settings):
        super().__init__(name, folder, clock)
        command = [str(binary), "--listen", "127.0.0.1:0", *arguments(self)]
        environment = self.environment(settings(self)) | clock.environment(library)
        self.local = threading.local()
        self.output = self.log.open("wb")
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output
        )
        self.origin = self._wait()
        self.address = urlsplit(self.origin).hostname, urlsplit(self.origin).port

    def _wait(self):
        for _ in range(600):
            if found := re.search(r"signpost: listening on (http://\S+)", self.log.read_text()):
                return found[1].rstrip("/")
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")

    def start(self):
        pass

    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def send(self, method, target, headers, body):
        status, received_headers, received_body = exchange(self.local, self.address, method, target, headers, body)
        cookies = [value for name, value in received_headers if name.lower() == "set-cookie"]
        return status, {name.lower(): value for name, value in received_headers}, received_body, session_in(cookies)

    def bad(self):
        def raw(name, action):
            return name, lambda mixture: action(mixture.random)

        def dropped(data, wait=0.0):
            """Sends a part of `data` and closes the connection."""

            def action(generator):
                with socket.create_connection(self.address, 10) as client:
                    client.sendall(data[: generator.randrange(1, len(data) + 1)])
                    time.sleep(wait)
                self.counts["dropped"] += 1

            return action

        def slow(generator):
            head = f"GET /public/slow HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\nConnection: close\r\n\r\n".encode()
            with socket.create_connection(self.address, 20) as client:
                for at in range(0, len(head), 8):
                    client.sendall(head[at : at + 8])
                    time.sleep(generator.uniform(0.02, 0.25))
                received = client.recv(65536)
            check(received.startswith((b"HTTP/1.1 307", b"HTTP/1.1 50")), f"a slow client received {received[:12]!r}")
            self.counts["slow clients"] += 1

        def random_bytes(generator):
            with socket.create_connection(self.address, 10) as client:
                try:
                    client.sendall(generator.randbytes(300) + b"\r\n\r\n")
                    received = client.recv(65536)
                except ConnectionError:
                    received = b""
            check(not received or received.startswith(b"HTTP/1.1 4"), f"the response to random bytes is {received[:12]!r}")
            self.counts["random bytes"] += 1

        def huge(generator):
            head = b"GET /public/a HTTP/1.1\r\nHost: a\r\nx-probe: " + b"a" * 200_000 + b"\r\n\r\n"
            with socket.create_connection(self.address, 10) as client:
                try:
                    client.sendall(head)
                    received = client.recv(65536)
                except ConnectionError:
                    received = b""
            check(not received or received.startswith(b"HTTP/1.1 4"), f"the response to a huge header is {received[:12]!r}")

        put = b"PUT /desk/1/dropped HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer load-wrong-ann-is-its-secret\r\nContent-Length: 1000\r\n\r\n" + b"x" * 999
        return [
            raw("half a head", dropped(b"GET /public/a HTTP/1.1\r\nHost: a")),
            raw("half a body", dropped(put, 0.1)),
            raw("a client that does not wait for the response", dropped(b"GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")),
            raw("a slow client", slow),
            raw("random bytes", random_bytes),
            raw("a huge header", huge),
        ]


class External(Local):
    """The local server with an external S3 and a session for each user."""

    front = "rest"

    def __init__(self, folder, clock, binary, library):
        mode = {"SIGNPOST_SIGNING_MODE": "scoped"}
        super().__init__("local, external S3", folder, clock, binary, library, lambda self: ["--front", self.front], lambda self: self.aws_settings() | mode)


class Embedded(Local):
    """The local server with its embedded S3. The bodies are uploaded and downloaded."""

    front = "function-url"

    places = 20

    def __init__(self, folder, clock, binary, library):
        def arguments(self):
            path = self.folder / "rules.toml"
            path.write_text(rules.table(0, signer=False))
            return ["--front", self.front, "--rules", str(path), "--data", str(self.folder / "data")]

        super().__init__("local, embedded S3", folder, clock, binary, library, arguments, lambda self: {"SIGNPOST_BUCKET": ""})
        found = re.search(r"served by the embedded S3 on (\S+)", self.log.read_text())
        self.aws.bucket_origin, self.aws.bucket_path = found[1], "/signpost"
        self.aws.session = lambda _: None
        self.aws.versions = lambda *_: {0}
        self.aws.may_lack_rules = lambda *_: False
        self.s3 = threading.local()

    def carry_out(self, method, url, headers, body):
        """Sends the request to the S3 server, which verifies the signature."""
        status, _ = self.at_s3(method, url, headers, body)
        expected = {"GET": (404,), "HEAD": (404,), "PUT": (200, 412), "DELETE": (204,)}[method]
        check(status in expected, f"S3 returns {status} for {method}")

    def at_s3(self, method, url, headers=None, body=b""):
        """Sends a request to a signed URL and returns the status and the body."""
        parts = urlsplit(url)
        target = url.split(parts.netloc, 1)[1]
        status, _, received_body = exchange(self.s3, (parts.hostname, parts.port), method, target, headers or {}, body)
        self.counts[f"S3 {status // 100}xx"] += 1
        return status, received_body

    def half_at_s3(self, url, body):
        """Sends half of an upload and closes the connection."""
        parts = urlsplit(url)
        head = f"PUT {url.split(parts.netloc, 1)[1]} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((parts.hostname, parts.port), 10) as client:
            client.sendall(head.encode() + body[: len(body) // 2])
        self.counts["uploads dropped"] += 1

    @property
    def kinds(self):
        return [kind for kind in Target.kinds if kind[0] not in (RequestMixture.listing, RequestMixture.pending_uploads)] + [(RequestMixture.round_trip, 15), (RequestMixture.in_parts, 3)]


def session_in(cookies):
    """Returns the session cookie for the next request, or None."""
    found = [cookie.partition(";")[0] for cookie in cookies if cookie.startswith("__Host-signpost=")]
    return found[0] if found else None


def exchange(state, address, method, target, headers, body):
    """Sends one request over the connection of this thread, or over a new one."""
    for attempt in (1, 2):
        connection = getattr(state, "connection", None)
        if connection is None or attempt == 2:
            connection = state.connection = http.client.HTTPConnection(*address, timeout=40)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if (body or method in ("PUT", "POST")) and "content-length" not in headers:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            state.connection = None
            if attempt == 2:
                raise
    raise AssertionError

