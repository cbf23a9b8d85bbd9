"""Runs the function under strace.

In mode `execution`, a redirect needs no socket but that of the runtime API, no name resolution and no certificate. In the other modes,
the function opens one connection to each service, and reuses it.
"""

import http.server
import json
import os
import re
import shutil
import socketserver
import sys
import tempfile
import threading
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

ID_RULES = """
version = 1
{tokens}
[[rule]]
id = "open"
who = ["anyone"]
can = ["read"]
on = ["**"]
rewrite = "objects/{{id}}"
"""

SESSION = """<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId>
<SecretAccessKey>example-session-secret</SecretAccessKey><SessionToken>example-session-token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""

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
    check_reuse(results, binary)


class Services(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """STS, DynamoDB and S3 on one port. Counts connections and requests."""

    daemon_threads = True

    def __init__(self):
        self.connections, self.requests = 0, []
        super().__init__(("127.0.0.1", 0), ServiceHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)


class ServiceHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.respond("S3 ListObjectsV2", "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>")

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        target = self.headers.get("x-amz-target", "")
        if target.startswith("DynamoDB"):
            self.respond(target, '{"Responses": {}}')
        else:
            self.respond("STS AssumeRole", SESSION)

    def respond(self, name, body):
        self.server.requests.append(name)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def check_reuse(results, binary):
    """Each mode that calls services opens one connection to their origin for all calls."""
    role = {"SIGNPOST_SIGNER_ROLE_ARN": "arn:aws:iam::123456789012:role/signer"}
    ids = ID_RULES.format(tokens=token_table("ci", "secret"))
    modes = {
        "signer": ({**role, "SIGNPOST_SIGNING_MODE": "signer"}, {"STS AssumeRole": 1}),
        "scoped": ({**role, "SIGNPOST_SIGNING_MODE": "scoped"}, {"STS AssumeRole": 1}),
        "ids": ({"SIGNPOST_TABLE": "table", "SIGNPOST_RULES": ids}, {"DynamoDB_20120810.BatchGetItem": 5}),
        "listings": ({"SIGNPOST_RULES": RULES.replace('["read",', '["read", "list",')}, {"S3 ListObjectsV2": 5}),
        "signer and ids": (
            {**role, "SIGNPOST_SIGNING_MODE": "signer", "SIGNPOST_TABLE": "table", "SIGNPOST_RULES": ids},
            {"DynamoDB_20120810.BatchGetItem": 5},
        ),
    }
    for mode, (settings, expected) in modes.items():
        services = Services()
        function = Function([str(binary)], ENVIRONMENT | settings | {"AWS_ENDPOINT_URL": services.url})
        try:
            for _ in range(5):
                function.invoke(event("rest-refused-listing" if mode == "listings" else "rest-get"))
        finally:
            function.stop()
            services.shutdown()
        counted = {name: services.requests.count(name) for name in expected}
        results.check(f"sockets: mode {mode} makes the expected calls", counted == expected, services.requests)
        # `signer and ids` prepares two services at the same time, which need two connections.
        limit = 2 if mode == "signer and ids" else 1
        results.check(f"sockets: mode {mode} reuses its connection", services.connections == limit, services.connections)


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
