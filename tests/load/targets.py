"""The processes under load: the function in the runtime emulator, and the local server in front of two kinds of S3."""

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
from cloud import BASE, BUCKET, Cloud, Secrets, listed
from mixture import GOOD, Mixture
from signatures import Wrong, demand
from weather import Weather

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
sys.path[:0] = [str(EVENTS), str(ROOT / "tests"), str(ROOT / "tests/runtime")]

import make  # noqa: E402
from lib.lambda_emulator import Emulator  # noqa: E402
from malformed import malformed_events  # noqa: E402
from responses import Response  # noqa: E402

KEYS = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
ROLE = "arn:aws:iam::123456789012:role/signer"


class Answer:
    """An answer, and when it was asked for."""

    def __init__(self, status, headers, body, cookie, began, clock):
        self.status, self.headers, self.body, self.cookie = status, headers, body, cookie
        self.began, self.ended = began, time.monotonic()
        self.asked = clock.now() - (self.ended - began), clock.now()

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def challenge(self):
        return self.headers.get("www-authenticate") or self.headers.get("x-amzn-remapped-www-authenticate")

    def problem(self):
        """A refusal or failure in any of its three forms."""
        kind = self.headers.get("content-type", "")
        if kind == "application/problem+json":
            return self.json()
        if kind.startswith("text/plain"):
            found = re.fullmatch(r"(\w+): .* \(request ([^)]+)\)\n(.+)\n", self.text, re.S)
        else:
            found = re.search(r"<h1>(?:<[^>]*>)*(\w+).*?<p>(.*?)</p>(.*)", self.text, re.S)
        demand(found, f"{self.status} without a problem")
        return {"status": self.status, "code": found[1], "request_id": found[2], "remedy": found[3]}

    @property
    def code(self):
        try:
            return self.problem()["code"] if self.body else "-"
        except (Wrong, ValueError, KeyError):
            return "-"


class Target:
    """One process, with its own clock's weather, its own cloud and its own log."""

    pending = 1
    places = 1000
    kinds = GOOD

    def __init__(self, name, folder, clock, version=0):
        self.name, self.clock = name, clock
        self.folder = folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.secrets = Secrets()
        self.weather = Weather()
        self.rules = rules.Versions()
        self.cloud = Cloud(clock, self.weather, self.secrets, self.rules)
        self.cloud.version = version
        self.log = self.folder / "log"
        self.counts = collections.Counter()
        self.done = collections.Counter()
        self.wrong = []
        self.latencies = []
        self.samples = []  # (seconds, KiB, descriptors)

    def environment(self, more):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": BASE[0],
            "AWS_SECRET_ACCESS_KEY": BASE[1],
            "AWS_SESSION_TOKEN": BASE[2],
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SIGNPOST_BUCKET": BUCKET,
            "SIGNPOST_KEYS": KEYS,
            "SIGNPOST_CORS_ORIGINS": "https://app.example.com",
            "SIGNPOST_LOG": "info",
        } | more

    def cloudy(self):
        """The settings of a process that has a cloud."""
        return {
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "SIGNPOST_RULES_SOURCE": "s3://load-rules/rules.toml",
            "SIGNPOST_SIGNING_MODE": "signer",
            "SIGNPOST_SIGNER_ROLE_ARN": ROLE,
            "SIGNPOST_SIGNER_SESSION": "15m",
            "SIGNPOST_TABLE": "load-uses",
        }

    def bad(self):
        return ()

    def carry_out(self, method, url, headers, body):
        """Follows a redirect, where there is an S3 to lead to."""

    def listed(self, prefix):
        return listed(prefix)

    def check_rules(self, query, answer):
        """The session is one of the rules in force."""
        session = self.cloud.session(query["X-Amz-Credential"].partition("/")[0])
        if session:
            epochs = {self.rules.epoch(version) for version in self.cloud.versions(answer.began, answer.ended)}
            demand(session.epoch in epochs, f"signed by a session of epoch {session.epoch}, in {sorted(epochs)}")

    def ask(self, method, target, headers, body):
        began = time.monotonic()
        status, told, answered, cookie = self.send(method, target, headers, body)
        answer = Answer(status, told, answered, cookie, began, self.clock)
        self.latencies.append(answer.ended - began)
        self.counts[f"{status // 100}xx"] += 1
        return answer

    def sample(self, began):
        status = Path(f"/proc/{self.pid()}/status").read_text()
        kib = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        self.samples.append((time.monotonic() - began, kib, len(os.listdir(f"/proc/{self.pid()}/fd"))))


class Function(Target):
    """The Lambda binary in the runtime emulator, behind each front by turns."""

    workers = 1
    origin = "https://5h7pqvr9u4.execute-api.eu-central-1.amazonaws.com"

    def __init__(self, folder, clock, binary, emulator, library):
        super().__init__("function", folder, clock)
        # The emulator is linked statically and would not hand the variable on to be loaded before others.
        start = self.folder / "bootstrap"
        clocked = " ".join(f"{name}={value}" for name, value in clock.environment(library).items())
        start.write_text(f"#!/bin/sh\nexec env {clocked} {binary}\n")
        start.chmod(0o755)
        lambdas = {
            "AWS_LAMBDA_FUNCTION_NAME": "signpost",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
        }
        self.emulator = Emulator(emulator, start, self.environment(self.cloudy() | lambdas), self.log)
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
        fronts = ["rest", "function-url", "alb", "alb-multi-value"] + (["http-api"] if "%3F" not in target and "%00" not in target else [])
        self.turn += 1
        front = fronts[self.turn % len(fronts)]
        request = make.Request(method, target, headers, body)
        if method in ("PUT", "POST") and not body and "uploads" in target:
            request.length = False
        if front == "alb" and "expires=60&expires=70" in target or headers.get("origin") == self.origin:
            front = "rest"
        event = make.SHAPE[front](request)
        told = Response(self.emulator.invoke(json.dumps(event).encode()))
        cookies = told.raw.get("cookies") or [told.headers.get("set-cookie", "")]
        return told.status, told.headers, told.body.encode(), session_in(cookies)

    def bad(self):
        def one(name, payload):
            def doing(_):
                raw = self.emulator.invoke(payload)
                demand(not re.search(rb"panic|Runtime\.Exit|exited|Sandbox\.Timeout|timed out", raw), "the process ended")
                self.counts["malformed"] += 1

            return "malformed event", doing

        # As many as the others together, so that both are met.
        return [one(name, payload) for name, payload in self.malformed[:: max(1, len(self.malformed) // 40)]]


class Local(Target):
    """`signpost-local`, over HTTP."""

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
        status, told, answered = exchange(self.local, self.address, method, target, headers, body)
        cookies = [value for name, value in told if name.lower() == "set-cookie"]
        return status, {name.lower(): value for name, value in told}, answered, session_in(cookies)

    def bad(self):
        def raw(name, doing):
            return name, lambda mixture: doing(mixture.random)

        def dropped(data, wait=0.0):
            """Sends this much, and goes."""

            def doing(generator):
                with socket.create_connection(self.address, 10) as client:
                    client.sendall(data[: generator.randrange(1, len(data) + 1)])
                    time.sleep(wait)
                self.counts["dropped"] += 1

            return doing

        def slow(generator):
            head = f"GET /public/slow HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\nConnection: close\r\n\r\n".encode()
            with socket.create_connection(self.address, 20) as client:
                for at in range(0, len(head), 8):
                    client.sendall(head[at : at + 8])
                    time.sleep(generator.uniform(0.02, 0.25))
                told = client.recv(65536)
            demand(told.startswith((b"HTTP/1.1 307", b"HTTP/1.1 50")), f"a slow client got {told[:12]!r}")
            self.counts["slow clients"] += 1

        def rubbish(generator):
            with socket.create_connection(self.address, 10) as client:
                try:
                    client.sendall(generator.randbytes(300) + b"\r\n\r\n")
                    told = client.recv(65536)
                except ConnectionError:
                    told = b""
            demand(not told or told.startswith(b"HTTP/1.1 4"), f"rubbish got {told[:12]!r}")
            self.counts["rubbish"] += 1

        def huge(generator):
            head = b"GET /public/a HTTP/1.1\r\nHost: a\r\nx-probe: " + b"a" * 200_000 + b"\r\n\r\n"
            with socket.create_connection(self.address, 10) as client:
                try:
                    client.sendall(head)
                    told = client.recv(65536)
                except ConnectionError:
                    told = b""
            demand(not told or told.startswith(b"HTTP/1.1 4"), f"a huge header got {told[:12]!r}")

        put = b"PUT /desk/1/dropped HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer load-wrong-ann-is-its-secret\r\nContent-Length: 1000\r\n\r\n" + b"x" * 999
        return [
            raw("half a head", dropped(b"GET /public/a HTTP/1.1\r\nHost: a")),
            raw("half a body", dropped(put, 0.1)),
            raw("an answer that nobody waits for", dropped(b"GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")),
            raw("a slow client", slow),
            raw("rubbish", rubbish),
            raw("a huge header", huge),
        ]


class Cloudy(Local):
    """The local server in front of an S3 elsewhere, with sessions for each member."""

    def __init__(self, folder, clock, binary, library):
        member = {"SIGNPOST_SIGNING_MODE": "scoped"}
        super().__init__("local, S3 elsewhere", folder, clock, binary, library, lambda _: ["--front", "rest"], lambda self: self.cloudy() | member)


class Embedded(Local):
    """The local server with its own S3, to and from which the bodies are moved."""

    places = 20

    def __init__(self, folder, clock, binary, library):
        def arguments(self):
            table = self.folder / "rules.toml"
            table.write_text(rules.table(0, signer=False))
            return ["--front", "function-url", "--rules", str(table), "--data", str(self.folder / "data")]

        super().__init__("local, embedded S3", folder, clock, binary, library, arguments, lambda self: {"SIGNPOST_BUCKET": ""})
        found = re.search(r"kept by an S3 of this process on (\S+)", self.log.read_text())
        self.cloud.bucket_origin, self.cloud.bucket_path = found[1], "/signpost"
        self.cloud.session = lambda _: None
        self.cloud.versions = lambda *_: {0}
        self.cloud.may_be_without_rules = lambda *_: False
        self.s3 = threading.local()

    def carry_out(self, method, url, headers, body):
        """The S3 verifies the signature."""
        status, _ = self.at_s3(method, url, headers, body)
        expected = {"GET": (404,), "HEAD": (404,), "PUT": (200, 412), "DELETE": (204,)}[method]
        demand(status in expected, f"S3 says {status} to {method}")

    def at_s3(self, method, url, headers=None, body=b""):
        """What S3 answers to a signed URL."""
        parts = urlsplit(url)
        target = url.split(parts.netloc, 1)[1]
        status, _, answered = exchange(self.s3, (parts.hostname, parts.port), method, target, headers or {}, body)
        self.counts[f"S3 {status // 100}xx"] += 1
        return status, answered

    def half_at_s3(self, url, body):
        """Sends half of an upload, and goes."""
        parts = urlsplit(url)
        head = f"PUT {url.split(parts.netloc, 1)[1]} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((parts.hostname, parts.port), 10) as client:
            client.sendall(head.encode() + body[: len(body) // 2])
        self.counts["uploads dropped"] += 1

    @property
    def kinds(self):
        return [kind for kind in Target.kinds if kind[0] not in (Mixture.listing, Mixture.pending_uploads)] + [(Mixture.round_trip, 15), (Mixture.in_parts, 3)]


def session_in(cookies):
    """The cookie of a session, as the next request is to send it."""
    found = [cookie.partition(";")[0] for cookie in cookies if cookie.startswith("__Host-signpost=")]
    return found[0] if found else None


def exchange(kept, address, method, target, headers, body):
    """One request over the connection that this thread keeps, or a new one."""
    for attempt in (1, 2):
        connection = getattr(kept, "connection", None)
        if connection is None or attempt == 2:
            connection = kept.connection = http.client.HTTPConnection(*address, timeout=40)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if (body or method in ("PUT", "POST")) and "content-length" not in headers:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            kept.connection = None
            if attempt == 2:
                raise
    raise AssertionError

