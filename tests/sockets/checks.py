"""Runs the Lambda binary under strace, over events of every front and operation, and holds what it asked of the
kernel to the little that a redirect needs."""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from runtime_api import Function  # noqa: E402

EVENTS = ROOT / "events"
FRONTS = ("rest", "http-api", "function-url", "alb", "alb-multi-value")
METHODS = ("get", "head", "put", "delete")
ANSWERS = ["rest-get-json", "rest-get-url", "rest-put-url", "rest-refused-dot-dot", "rest-refused-basic", "rest-health", "rest-options"]
# Opened by a client that resolves names or sets up TLS.
NETWORK_FILES = re.compile(
    r"resolv\.conf|nsswitch|/etc/hosts|host\.conf|gai\.conf|libnss|libresolv|/etc/services"
    r"|/ssl/|/pki/|ca-certificates|ca-bundle|cert\.pem|\.crt\b|openssl\.cnf|libssl|libcrypto"
)
TRACED = "trace=network,open,openat,openat2,execve,execveat,fork,vfork"

RULES = """
version = 1
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "open"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["**"]
allow_anonymous_write = true
"""

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # AWS's own documentation example
    "AWS_SESSION_TOKEN": "example-session-token",
    "AWS_REGION": "eu-central-1",
    "AWS_LAMBDA_FUNCTION_NAME": "signpost",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "SIGNPOST_BUCKET": "example-bucket",
    "SIGNPOST_RULES": RULES,
}


@dataclass
class Results:
    """What held and what did not."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def check(self, name: str, holds: bool, detail: str = ""):
        if holds:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAILED {name}{': ' if detail else ''}{detail}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=target() / "debug/signpost-lambda")
    binary = parser.parse_args().binary.resolve()
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        command = [shutil.which("strace"), "-f", "-qq", "-s", "256", "-e", TRACED, "-o", str(trace), str(binary)]
        function = Function(command, ENVIRONMENT)
        try:
            runtime_port = function.api.address.split(":")[1]
            redirects(function, results)
            other_answers(function, results)
            seen = trace.read_text()
        finally:
            function.finish()
        check_trace(seen, runtime_port, results)
    print(f"{results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    return 1 if results.failed else 0


def target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def redirects(function: Function, results: Results):
    """Every operation through every front is answered with a signed redirect."""
    for front in FRONTS:
        for method in METHODS:
            answer = json.loads(function.answer(event(f"{front}-{method}"))[0])
            signed = "X-Amz-Signature=" in json.dumps(answer)
            results.check(f"{front}-{method} redirects", answer["statusCode"] == 307 and signed, str(answer["statusCode"]))


def other_answers(function: Function, results: Results):
    """What is told in another form, or refused, is answered too."""
    for name in ANSWERS:
        answer = json.loads(function.answer(event(name))[0])
        results.check(f"{name} is answered", 200 <= answer["statusCode"] < 500, str(answer["statusCode"]))


def event(name: str) -> bytes:
    return json.dumps(json.loads((EVENTS / f"{name}.json").read_text())).encode()


def check_trace(trace: str, runtime_port: str, results: Results):
    sockets = [line for line in trace.splitlines() if re.search(r"\bsocket(pair)?\(", line)]
    connections = [line for line in trace.splitlines() if "connect(" in line]
    to_runtime = f"sin_port=htons({runtime_port}), sin_addr=inet_addr(\"127.0.0.1\")"
    # Without these the trace would prove nothing.
    results.check("the trace sees the runtime API's socket", len(sockets) > 0)
    results.check("the trace sees files", "openat(" in trace)
    results.check("one socket is opened", len(sockets) == 1, "\n".join(sockets))
    results.check("its family is AF_INET", all("AF_INET," in line for line in sockets), "\n".join(sockets))
    elsewhere = [line for line in connections if to_runtime not in line and "resumed" not in line]
    results.check("nothing connects but to the runtime API", len(connections) >= 1 and not elsewhere, "\n".join(elsewhere))
    datagrams = [line for line in trace.splitlines() if re.search(r"\b(sendmmsg|bind|listen)\(", line)]
    results.check("nothing listens or sends datagrams", not datagrams, "\n".join(datagrams))
    network_files = [line for line in trace.splitlines() if "open" in line and NETWORK_FILES.search(line)]
    results.check("no resolver, TLS or certificate file is opened", not network_files, "\n".join(network_files))
    programs = [line for line in trace.splitlines() if re.search(r"\bexecve(at)?\(|\bv?fork\(", line)]
    results.check("no other program is started", len(programs) == 1, "\n".join(programs))


if __name__ == "__main__":
    sys.exit(main())
