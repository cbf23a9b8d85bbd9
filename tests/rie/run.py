#!/usr/bin/env python3
"""Feeds every event of events/ to the release binary under the Lambda Runtime Interface Emulator and holds the answers to expected.json.

    tests/rie/run.py                     target/release/signpost-lambda, every event
    tests/rie/run.py --only rest-get     events whose name begins so
    tests/rie/run.py --update            rewrite the snapshots
    tests/rie/run.py --binary PATH --rie PATH

Each presigned URL is signed again here, with the standard library only, from the method and the headers that expected.json names:
the signatures agree only if exactly these were signed. Then come requests that no front would send; the process must survive them all. Last
come members, with all that tells who they are (identities.py).
Signatures and session tokens are replaced before anything is compared, written or printed.
"""

import argparse
import base64
import copy
import difflib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from sigv4 import signature_of  # noqa: E402: its folder had to be told first

ROOT = HERE.parent.parent
EVENTS = ROOT / "events"
SNAPSHOTS = HERE / "snapshots"
SHOWN = 40
FRONTS = ("rest", "http-api", "function-url", "alb", "alb-multi-value")

REGION = "eu-central-1"
BUCKET = "example-bucket"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own documentation example
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
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


# ---- the emulator ----


def find_rie(given):
    """The emulator's binary: the aws-sam-cli wheel carries it, and tests/sam/run installs that."""
    candidates = [Path(given)] if given else []
    candidates += sorted((ROOT / "tests/sam/.venv").glob("lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"))
    for candidate in candidates:
        if candidate.exists():
            return candidate
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Emulator:
    """One function in one emulator, for the length of a `with`."""

    def __init__(self, rie, binary, settings=SETTINGS, log=None):
        self.folder = Path(tempfile.mkdtemp(prefix="signpost-rie-"))
        self.rie, self.binary, self.settings = self.folder / "rie", binary, settings
        shutil.copy(rie, self.rie)
        self.rie.chmod(0o755)
        self.log = log or self.folder / "log"
        self.invoke_port, self.runtime_port = free_port(), free_port()

    def __enter__(self):
        command = [
            self.rie,
            "--runtime-interface-emulator-address", f"127.0.0.1:{self.invoke_port}",
            "--runtime-api-address", f"127.0.0.1:{self.runtime_port}",
            str(self.binary),
        ]  # fmt: skip
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)} | self.settings
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # The invoke port opens before the runtime port: a fast function that is called in between gets a 502.
        deadline = time.monotonic() + 15
        while not (answers(self.invoke_port) and answers(self.runtime_port)):
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.__exit__()
                raise SystemExit(f"the emulator did not start:\n{redact(self.output())}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.last_output = self.output()
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self):
        return self.log.read_bytes().decode("utf-8", "replace") if self.log.exists() else ""

    def invoke(self, payload):
        """The raw answer to one event."""
        connection = http.client.HTTPConnection("127.0.0.1", self.invoke_port, timeout=30)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", payload, {"content-type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def function_processes(self):
        """Ids of the function's processes: a new id means that the old process ended."""
        children = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, queue = [], [self.process.pid]
        while queue:
            for child in children.get(queue.pop(), []):
                found.append(child)
                queue.append(child)
        return sorted(found)


# ---- answers ----


class Answer:
    """An answer in whichever shape the front wants."""

    def __init__(self, raw):
        try:
            self.raw = json.loads(raw)
        except ValueError:
            raise Wrong(f"not JSON: {redact(raw[:300].decode('utf-8', 'replace'))}") from None
        if not isinstance(self.raw, dict) or "statusCode" not in self.raw:
            raise Wrong(f"not an HTTP answer: {redact(json.dumps(self.raw))[:300]}")
        self.status = self.raw["statusCode"]
        self.headers = {}
        for name, value in (self.raw.get("headers") or {}).items():
            self.headers[name.lower()] = value
        for name, values in (self.raw.get("multiValueHeaders") or {}).items():
            self.headers[name.lower()] = ", ".join(values)
        body = self.raw.get("body") or ""
        self.body = base64.b64decode(body).decode() if self.raw.get("isBase64Encoded") else body


class Wrong(Exception):
    """One thing that is not as expected; its text carries no signature."""


def expect(name, want, got):
    if want != got:
        raise Wrong(f"{name}: expected {want!r}, got {redact(repr(got))}")


# ---- signatures ----


def check_url(url, want, listed=None):
    """The URL leads to the expected key, and exactly the expected method, headers and conditions are signed."""
    if re.search(r"[^!-~]", url):
        raise Wrong("the URL holds a raw space, control or non-ASCII character")
    parts = urlsplit(url)
    expect("scheme", "https", parts.scheme)
    expect("host", f"{BUCKET}.s3.{REGION}.amazonaws.com", parts.netloc)
    expect("key", want["key"].encode(), unquote_to_bytes(parts.path[1:]))
    expect("encoding of the path", "/" + quote(want["key"], safe="/-_.~"), parts.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    hoisted = query.get("If-None-Match") == "*"

    headers = dict(want["signed"])
    if want["form"] == "presign" and want.get("create_only") and not hoisted:
        headers["if-none-match"] = "*"
    if want["form"] in ("redirect", "url"):
        expect("If-None-Match=* in the query", want.get("create_only", False), hoisted)
    elif not want.get("create_only"):
        expect("If-None-Match=* in the query", False, hoisted)
    names = sorted({"host", *headers})
    expect("signed headers", names, query.get("X-Amz-SignedHeaders", "").split(";"))
    if listed is not None:
        given = {name.lower(): value for name, value in listed.items() if name.lower() != "host"}
        expect("headers that the client must send", headers, given)

    if not 1 <= int(query["X-Amz-Expires"]) <= 900:
        raise Wrong(f"lives for {query['X-Amz-Expires']} s")
    expect("session token", SETTINGS["AWS_SESSION_TOKEN"], query.get("X-Amz-Security-Token"))
    expect("credential", ["AKIDEXAMPLE", REGION, "s3", "aws4_request"], query["X-Amz-Credential"].split("/")[:1] + query["X-Amz-Credential"].split("/")[2:])
    if signature_of(want["method"], url, headers, SECRET) != query.get("X-Amz-Signature"):
        fits = [m for m in ("GET", "HEAD", "PUT", "DELETE", "POST") if signature_of(m, url, headers, SECRET) == query.get("X-Amz-Signature")]
        raise Wrong(f"the signature is none for {want['method']}" + (f" but for {fits[0]}" if fits else " with these headers and this path"))


def check(answer, want, front):
    expect("status", want["status"], answer.status)
    if front == "alb" and answer.raw.get("multiValueHeaders") and not answer.raw.get("headers"):
        raise Wrong("an ALB without multi-value headers reads `headers` only")
    if front == "alb-multi-value" and not answer.raw.get("multiValueHeaders"):
        raise Wrong("an ALB with multi-value headers reads `multiValueHeaders` only")
    if want.get("cors"):
        allowed = answer.headers.get("access-control-allow-origin")
        if allowed not in (want["cors"], "*"):
            raise Wrong(f"access-control-allow-origin: expected {want['cors']!r}, got {allowed!r}")
    if answer.status == 405 or (answer.status == 204):
        if not answer.headers.get("allow"):
            raise Wrong("no Allow header")
    if answer.status == 401 and not answer.headers.get("www-authenticate"):
        raise Wrong("no WWW-Authenticate header")
    if want["method"] is None:
        if "location" in answer.headers or "X-Amz-Signature" in json.dumps(answer.raw):
            raise Wrong("a URL was signed")
        if want.get("form") == "health":
            health = json.loads(answer.body)
            expect("members of the answer", {"status", "version"}, set(health))
        return

    form = want["form"]
    if form == "redirect":
        check_url(answer.headers.get("location", ""), want)
    elif form == "url":
        if not answer.body.endswith("\n") or answer.body.count("\n") != 1:
            raise Wrong("the body is not one line")
        check_url(answer.body[:-1], want)
    elif form == "json":
        told = json.loads(answer.body)
        expect("members of the answer", {"method", "url", "headers", "key", "expires_in", "expires_at"}, set(told))
        expect("method", want["method"], told["method"])
        expect("key", want["key"], told["key"])
        check_url(told["url"], want, told["headers"])
    elif form == "presign":
        told = json.loads(answer.body)
        expect("members of the answer", {"URL", "Method", "Header"}, set(told))
        expect("Method", want["method"], told["Method"])
        check_url(told["URL"], want, {name: ", ".join(values) for name, values in told["Header"].items()})
    if form != "redirect" and "location" in answer.headers:
        raise Wrong("a Location beside a 200")
    expect("cache-control", "no-store", answer.headers.get("cache-control"))
    expect("referrer-policy", "no-referrer", answer.headers.get("referrer-policy"))
    expect("x-content-type-options", "nosniff", answer.headers.get("x-content-type-options"))
    if "accept" not in answer.headers.get("vary", "").lower() and form != "presign":
        raise Wrong("no Vary: Accept")


# ---- snapshots ----

REDACTIONS = [
    (r"(X-Amz-Signature=)[0-9a-fA-F]+", r"\1REDACTED"),
    (r"(X-Amz-Security-Token=)[^&\"\\\s]+", r"\1REDACTED"),
    (r"(X-Amz-Date=)\d{8}T\d{6}Z", r"\1DATE"),
    (r"(X-Amz-Credential=AKIDEXAMPLE(?:%2F|/))\d{8}", r"\1DATE"),
    (r"(?<![0-9a-fA-F-])(?!7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0|d16a6b55-dea9-4b23-8499-eb85c3d2d904)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "REQUEST-ID"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)", "TIME"),
    (r"example-session-token[^&\"\\\s]*", "REDACTED"),
    (re.escape(SECRET), "REDACTED"),
]


def redact(text):
    for pattern, replacement in REDACTIONS:
        text = re.sub(pattern, replacement, text)
    return text


def snapshot(answer):
    shown = copy.deepcopy(answer.raw)
    body = answer.body
    try:
        shown["body"] = json.loads(body)
        if isinstance(shown["body"], dict) and "version" in shown["body"]:
            shown["body"]["version"] = "VERSION"
    except ValueError:
        shown["body"] = body
    shown.pop("isBase64Encoded", None)
    return json.loads(redact(json.dumps(shown)))


def row_of(name):
    """The name of the snapshot's file: one for all fronts of a request."""
    front = max((front for front in FRONTS if name.startswith(f"{front}-")), key=len, default="")
    return (name.removeprefix(f"{front}-"), front) if front else (name, "")


def compare_snapshots(taken, update, whole):
    wrong = []
    for row, answers_by_front in sorted(taken.items()):
        path = SNAPSHOTS / f"{row}.json"
        text = json.dumps(answers_by_front, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        old = path.read_text() if path.exists() else ""
        if update and whole:
            SNAPSHOTS.mkdir(exist_ok=True)
            path.write_text(text)
        elif whole and not old:
            wrong.append((f"snapshot {row}", "there is none: --update writes it"))
        elif whole and text != old:
            diff = difflib.unified_diff(old.splitlines(), text.splitlines(), "snapshot", "answer", lineterm="", n=1)
            wrong.append((f"snapshot {row}", "\n      ".join(list(diff)[:20])))
    if whole:
        for path in SNAPSHOTS.glob("*.json"):
            if path.stem not in taken:
                if update:
                    path.unlink()
                else:
                    wrong.append((f"snapshot {path.stem}", "nothing writes it any more: --update removes it"))
    return wrong


# ---- what no front would send ----


def malformed():
    """Pairs of name and payload. Each must be answered, none may end the process."""
    events = {front: json.loads((EVENTS / f"{front}-get.json").read_text()) for front in FRONTS}
    put = json.loads((EVENTS / "rest-put.json").read_text())

    def changed(front, change):
        event = copy.deepcopy(events[front])
        change(event)
        return json.dumps(event).encode()

    def header(name, value):
        def change(event):
            for field, wrapped in (("headers", value), ("multiValueHeaders", [value])):
                if field in event:
                    event[field] = {k: v for k, v in event[field].items() if k.lower() != name} | {name: wrapped}

        return change

    def setting(**values):
        return lambda event: event.update(values)

    for front in FRONTS:
        for label, value in (("empty", ""), ("space", "a b"), ("port", "host:99999"), ("brackets", "[::1"), ("slash", "a/b?c#d"), ("control", "a\r\nb: c"), ("unicode", "hôte.example")):
            yield f"{front}: Host {label}", changed(front, header("host", value))
        yield f"{front}: no headers", changed(front, lambda event: [event.pop(name, None) for name in ("headers", "multiValueHeaders")])
        yield f"{front}: header with a line break", changed(front, header("x-probe", "a\r\nset-cookie: b"))
        yield f"{front}: header that is not ASCII", changed(front, header("x-probe", "ÿþ\u0080☠"))
        yield f"{front}: header with NUL", changed(front, header("x-probe", "a\u0000b"))
        yield f"{front}: header name with a space", changed(front, header("x probe", "a"))
        yield f"{front}: empty header name", changed(front, header("", "a"))
        yield f"{front}: metadata that is not ASCII", changed(front, header("x-amz-meta-name", "naïve ☠"))
        yield f"{front}: huge header", changed(front, header("x-probe", "a" * 1_000_000))
        yield f"{front}: Accept rubbish", changed(front, header("accept", ";;q=,,*/;/*" * 500))
        yield f"{front}: Content-Length rubbish", changed(front, header("content-length", "-1, 99999999999999999999"))
        yield f"{front}: Authorization rubbish", changed(front, header("authorization", "Basic %%%"))
        yield f"{front}: many headers", changed(front, lambda event: [event[name].update({f"x-{i}": "v" if name == "headers" else ["v"] for i in range(5000)}) for name in ("headers", "multiValueHeaders") if name in event])
        yield f"{front}: body that is not base64", changed(front, setting(body="%%%", isBase64Encoded=True))
        yield f"{front}: body of a wrong type", changed(front, setting(body={"a": 1}))
    for front in ("rest", "alb", "alb-multi-value"):
        for label, value in (("space", "/a b"), ("quote", '/a"b'), ("angle", "/a<b>"), ("fragment", "/a#b"), ("query", "/a?b"), ("none", ""), ("null", None), ("relative", "a"), ("lone surrogate", "/\ud800"), ("huge", "/" + "a" * 100_000)):
            yield f"{front}: path with {label}", changed(front, setting(path=value))
        for label, value in (("none", ""), ("unknown", "FOO BAR"), ("lower case", "get"), ("null", None)):
            yield f"{front}: method {label}", changed(front, setting(httpMethod=value))
        for label, value in (("wrong type", "a=b"), ("null member", {"a": None}), ("bad escape", {"a": "%zz", "%": "%"})):
            yield f"{front}: query {label}", changed(front, setting(queryStringParameters=value, multiValueQueryStringParameters=value))
    for front in ("http-api", "function-url"):
        for label, value in (("space", "a b=c d"), ("quotes", 'a="b"'), ("angle brackets", "a=<b>"), ("bad escape", "a=%zz&%"), ("control", "a=\r\n"), ("unicode", "ä=ö"), ("fragment", "a#b"), ("huge", "a=" + "b" * 1_000_000), ("null", None)):
            yield f"{front}: rawQueryString with {label}", changed(front, setting(rawQueryString=value))
        for label, value in (("space", "/a b"), ("quote", '/a"b'), ("angle", "/a<b>"), ("none", ""), ("null", None), ("relative", "a"), ("huge", "/" + "a" * 100_000)):
            yield f"{front}: rawPath with {label}", changed(front, setting(rawPath=value))
        for label, value in (("none", ""), ("unknown", "FOO BAR"), ("lower case", "get"), ("null", None)):
            yield f"{front}: method {label}", changed(front, lambda event, value=value: event["requestContext"]["http"].update(method=value))
        yield f"{front}: stage that is not in the path", changed(front, lambda event: event["requestContext"].update(stage="elsewhere"))
        yield f"{front}: no request context", changed(front, lambda event: event.pop("requestContext"))
    yield "rest: proxy that is not in the path", changed("rest", setting(pathParameters={"proxy": "elsewhere"}))
    yield "rest: no proxy", changed("rest", setting(pathParameters=None))
    yield "rest: request path of its own", changed("rest", lambda event: event["requestContext"].update(path="//elsewhere"))
    yield "rest: body of 6 MB", json.dumps(put | {"body": base64.b64encode(b"a" * 4_500_000).decode()}).encode()
    yield "empty object", b"{}"
    yield "empty array", b"[]"
    yield "null", b"null"
    yield "number", b"42"
    yield "text", b'"GET /docs/report.pdf"'
    yield "not JSON", b"GET / HTTP/1.1\r\n\r\n"
    yield "cut JSON", (EVENTS / "rest-get.json").read_bytes()[:200]
    yield "not UTF-8", b'{"path": "\xff\xfe"}'
    yield "deep", b"[" * 10_000 + b"]" * 10_000
    yield "nothing", b""


def survives(emulator, name, payload):
    """The answer says no, or is harmless; and the same process goes on."""
    before = emulator.function_processes()
    raw = emulator.invoke(payload)
    try:
        told = json.loads(raw)
    except ValueError:
        told = {"errorMessage": raw.decode("utf-8", "replace")} if raw.strip() else {}
    text = json.dumps(told)
    if re.search(r"panic", text, re.I):
        raise Wrong(f"panicked: {redact(text)[:200]}")
    if re.search(r"Runtime\.Exit|exited|Sandbox\.Timeout|timed out", text):
        raise Wrong(f"the process ended: {redact(text)[:200]}")
    status = told.get("statusCode") if isinstance(told, dict) else None
    if status is None and not (isinstance(told, dict) and "errorMessage" in told):
        raise Wrong(f"neither an answer nor an error: {redact(text)[:200]}")
    again = Answer(emulator.invoke((EVENTS / "rest-get.json").read_bytes()))
    expect("the next request", 307, again.status)
    expect("the function's processes", before, emulator.function_processes())


# ---- the run ----


def as_get(event):
    """A recorded POST as the GET of the same path, to see which key it leads to."""
    event = copy.deepcopy(event)
    for name in ("queryStringParameters", "multiValueQueryStringParameters"):
        event.pop(name, None)
    event.pop("body", None)
    event["isBase64Encoded"] = False
    for name in ("headers", "multiValueHeaders"):
        if name in event:
            event[name] = {k: v for k, v in event[name].items() if k.lower() not in ("content-length", "content-type")}
    if "httpMethod" in event:
        event["httpMethod"] = "GET"
    else:
        event["rawQueryString"] = ""
        event["requestContext"]["http"]["method"] = "GET"
    return event


def cases(only):
    expected = json.loads((EVENTS / "expected.json").read_text())
    for name, want in expected.items():
        name = name.removesuffix(".json")
        if only and not name.startswith(only):
            continue
        event = json.loads((EVENTS / f"{name}.json").read_text())
        front = name.split("-")[1] if name.startswith("capture-") else name.split("-")[0]
        yield name, front, event, want
        if name.startswith("capture-"):
            get = {"status": 307, "key": want["key"], "method": "GET", "form": "redirect", "signed": {}}
            yield f"{name}-as-get", front, as_get(event), get


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("SIGNPOST_BINARY", ROOT / "target/release/signpost-lambda"), type=Path)
    parser.add_argument("--rie", help="the emulator's binary (default: the one that tests/sam/run has installed)")
    parser.add_argument("--only", help="only events whose name begins so; no snapshots, no malformed requests")
    parser.add_argument("--update", action="store_true", help="rewrite the snapshots")
    parser.add_argument("--all", action="store_true", help=f"print every failure, not the first {SHOWN}")
    parser.add_argument("--log", type=Path, help="write the function's output there, redacted")
    options = parser.parse_args()

    rie = find_rie(options.rie)
    missing = "no emulator (tests/sam/run install gets it)" if rie is None else None
    missing = missing or (None if options.binary.exists() else "no release binary (cargo build --release)")
    if missing:
        print(f"tests/rie SKIPPED: {missing}")
        print("0 passed, 0 failed, 1 skipped")
        return 1 if os.environ.get("CI") else 0

    passed, wrong, taken = 0, [], {}
    stale = subprocess.run([sys.executable, EVENTS / "make.py", "--check"], capture_output=True, text=True)
    if stale.returncode != 0:
        wrong.append(("corpus", f"events/make.py was not run: {stale.stderr.strip()}"))
    emulator = Emulator(rie, options.binary.resolve())
    with emulator:
        first = emulator.invoke((EVENTS / "rest-health.json").read_bytes())
        if not first.strip() or b"Runtime.Exit" in first:
            print(f"FAIL start: the function does not stay up\n{redact(emulator.output())[-2000:]}")
            print("0 passed, 1 failed, 0 skipped")
            return 1
        for name, front, event, want in cases(options.only):
            try:
                answer = Answer(emulator.invoke(json.dumps(event).encode()))
                row, column = row_of(name)
                taken.setdefault(row, {})[column or "event"] = snapshot(answer)
                check(answer, want, front)
                passed += 1
            except Wrong as problem:
                wrong.append((name, str(problem)))
            except (OSError, ValueError, KeyError, http.client.HTTPException) as problem:
                wrong.append((name, redact(f"{type(problem).__name__}: {problem}")))
        if not options.only:
            for name, payload in malformed():
                try:
                    survives(emulator, name, payload)
                    passed += 1
                except Wrong as problem:
                    wrong.append((f"malformed: {name}", str(problem)))
                except (OSError, ValueError, http.client.HTTPException) as problem:
                    wrong.append((f"malformed: {name}", redact(f"{type(problem).__name__}: {problem}")))

    output = emulator.last_output
    if not options.only:
        import identities  # which imports this file

        more, problems, told = identities.check_all(rie, options.binary.resolve())
        passed, wrong, output = passed + more, wrong + problems, output + told
    if options.log:
        options.log.write_text(redact(output))
    if "panicked at" in output:
        wrong.append(("log", "a panic: " + redact(output[output.index("panicked at") :][:300])))
    secrets = {"a signature": r"X-Amz-Signature=[0-9a-f]{64}", "the session token": r"example-session-token", "the secret key": re.escape(SECRET), "a credential of a request": "not-a-token-of-ours|Z3Vlc3Q6Z3Vlc3M|the-token-of-ci|eyJ[\\w-]{20}|__Host-signpost=[\\w]|share=[\\w]"}
    for what, pattern in secrets.items():
        if re.search(pattern, output):
            wrong.append(("log", f"holds {what}"))
    wrong += compare_snapshots(taken, options.update, not options.only)

    for name, problem in wrong[: len(wrong) if options.all else SHOWN]:
        print(f"FAIL {name}: {problem}")
    if len(wrong) > SHOWN and not options.all:
        print(f"… and {len(wrong) - SHOWN} more (--all shows them)")
    print(f"{passed} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
