"""Runs the function under strace and checks that a redirect needs no socket but that of the runtime API, no name resolution and no certificate."""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from responses import EVENTS, FRONTS, ROOT

sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from lib.tokens import token_table  # noqa: E402
from runtime_api import Function  # noqa: E402

METHODS = ("get", "head", "put", "delete")
OTHER_EVENTS = ["rest-get-json", "rest-get-url", "rest-put-url", "rest-refused-dot-dot", "rest-refused-basic", "rest-health", "rest-options"]
# Files that a program opens to resolve names or to set up TLS.
NETWORK_FILES = re.compile(
    r"resolv\.conf|nsswitch|/etc/hosts|host\.conf|gai\.conf|libnss|libresolv|/etc/services"
    r"|/ssl/|/pki/|ca-certificates|ca-bundle|cert\.pem|\.crt\b|openssl\.cnf|libssl|libcrypto"
)
TRACED_CALLS = "trace=network,open,openat,openat2,execve,execveat,fork,vfork"

RULES = f"""
version = 1
{token_table("ci", "secret")}
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
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # the example in AWS's documentation
    "AWS_SESSION_TOKEN": "example-session-token",
    "AWS_REGION": "eu-central-1",
    "AWS_LAMBDA_FUNCTION_NAME": "signpost",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "SIGNPOST_BUCKET": "example-bucket",
    "SIGNPOST_RULES": RULES,
}


def check_all(results, binary):
    """Sends events of every front and operation to the function, and then checks the trace of its system calls."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        command = [shutil.which("strace"), "-f", "-qq", "-s", "256", "-e", TRACED_CALLS, "-o", str(trace), str(binary)]
        function = Function(command, ENVIRONMENT)
        try:
            runtime_port = function.api.address.split(":")[1]
            check_redirects(function, results)
            check_other_responses(function, results)
            calls = trace.read_text()
        finally:
            function.finish()
    check_trace(calls, runtime_port, results)


def check_redirects(function, results):
    """The response to every operation through every front is a signed redirect."""
    for front in FRONTS:
        for method in METHODS:
            response = json.loads(function.invoke(event(f"{front}-{method}"))[0])
            signed = "X-Amz-Signature=" in json.dumps(response)
            results.check(f"sockets: {front}-{method} redirects", response["statusCode"] == 307 and signed, response["statusCode"])


def check_other_responses(function, results):
    """Instructions, rejections and service endpoints, which the trace then includes."""
    for name in OTHER_EVENTS:
        response = json.loads(function.invoke(event(name))[0])
        results.check(f"sockets: {name} gets a response", 200 <= response["statusCode"] < 500, response["statusCode"])


def event(name):
    return json.dumps(json.loads((EVENTS / f"{name}.json").read_text())).encode()


def check_trace(trace, runtime_port, results):
    lines = trace.splitlines()

    def calls(pattern):
        return [line for line in lines if re.search(pattern, line)]

    def check(name, holds, wrong=()):
        results.check(f"sockets: {name}", holds, "\n".join(wrong))

    sockets, connections = calls(r"\bsocket(pair)?\("), calls(r"connect\(")
    to_runtime_api = f'sin_port=htons({runtime_port}), sin_addr=inet_addr("127.0.0.1")'
    # Without these two calls, an incomplete trace would pass the checks below.
    check("the trace contains the socket of the runtime API", len(sockets) > 0)
    check("the trace contains opened files", "openat(" in trace)
    check("one socket is opened", len(sockets) == 1, sockets)
    check("its family is AF_INET", all("AF_INET," in line for line in sockets), sockets)
    elsewhere = [line for line in connections if to_runtime_api not in line and "resumed" not in line]
    check("all connections are to the runtime API", len(connections) >= 1 and not elsewhere, elsewhere)
    datagrams = calls(r"\b(sendmmsg|bind|listen)\(")
    check("no socket listens or sends datagrams", not datagrams, datagrams)
    network_files = [line for line in calls("open") if NETWORK_FILES.search(line)]
    check("no resolver, TLS or certificate file is opened", not network_files, network_files)
    programs = calls(r"\bexecve(at)?\(|\bv?fork\(")
    check("no other program is started", len(programs) == 1, programs)
