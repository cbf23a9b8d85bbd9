"""A fake AWS account for the tests of `tests/live/all`: the AWS CLI as a script, and an S3 server that evaluates session policies.

The session token of a fake session is its policy, so that the S3 server knows it. The server behaves as AWS documents, unless it has a
fault.
"""

import base64
import http.server
import json
import stat
import sys
import threading
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlsplit

AWS_SCRIPT = """#!{python}
import base64, json, os, sys
from pathlib import Path
account = json.loads(Path({state!r}).read_text())
words = sys.argv[1:3]
option = lambda name: sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None
with open({log!r}, "a") as log:
    log.write(" ".join(words) + "\\n")
if words == ["configure", "get"]:
    print("eu-central-1")
    sys.exit()
answers = {{
    "sts get-caller-identity": {{"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/somebody"}},
    "cloudformation describe-stacks": {{"Stacks": [{{"Outputs": [{{"OutputKey": k, "OutputValue": v}} for k, v in account["outputs"].items()]}}]}},
    "logs filter-log-events": {{"events": [{{"message": line}} for line in account["reports"]]}},
    "iam create-role": {{"Role": {{"Arn": "arn:aws:iam::123456789012:role/probe"}}}},
    "iam put-role-policy": {{}}, "iam delete-role-policy": {{}}, "iam delete-role": {{}},
}}
if words == ["sts", "assume-role"]:
    if Path({log!r}).read_text().count("assume-role") < 3:
        sys.exit("An error occurred (AccessDenied) when calling the AssumeRole operation")
    token = base64.b64encode((option("--policy") or "null").encode()).decode()
    print(json.dumps({{"Credentials": {{"AccessKeyId": "ASIAFAKE", "SecretAccessKey": "fake-secret", "SessionToken": token}}, "PackedPolicySize": 47}}))
else:
    print(json.dumps(answers[" ".join(words)]))
"""


def install_aws(folder, outputs, reports):
    """Writes the script `aws` to a new folder. Returns the folder, and the file that lists the calls."""
    folder.mkdir()
    state, log, script = folder / "state.json", folder / "calls", folder / "aws"
    state.write_text(json.dumps({"outputs": outputs, "reports": reports}))
    log.touch()
    script.write_text(AWS_SCRIPT.format(python=sys.executable, state=str(state), log=str(log)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder, log


class S3Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        status = self.status(url.path, query)
        with self.server.lock:
            if status == 200 and self.command == "PUT":
                self.server.objects.add(url.path)
            if status == 200 and self.command == "DELETE":
                self.server.objects.discard(url.path)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_DELETE = answer

    def status(self, path, query):
        fault, exists = self.server.fault, path in self.server.objects
        policy = json.loads(base64.b64decode(query["X-Amz-Security-Token"]))
        statements = policy["Statement"] if policy else []
        allowed = {action for found in statements for action in ([found["Action"]] if isinstance(found["Action"], str) else found["Action"])}
        may = lambda action: not policy or action in allowed  # noqa: E731
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        if (datetime.now(timezone.utc) - signed_at).total_seconds() > 900 and fault != "no age limit":
            return 403
        if "uploads" in query:
            return 200 if fault == "prefix of uploads" and query["prefix"] != "other/" else 403
        if not may({"GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}[self.command]):
            return 403
        create_only = self.headers.get("If-None-Match") or query.get("If-None-Match")
        needs_condition = any("Null" in found.get("Condition", {}) for found in statements)
        if needs_condition and not create_only:
            return 403
        compared = self.headers.get("If-Match") or (self.command == "PUT" and query.get("If-Match"))
        if compared and compared != "*" and not may("s3:GetObject") and fault != "no permission for an ETag":
            return 403
        if (create_only and exists and fault != "replaces objects") or compared:
            return 412
        if self.command == "GET" and not exists:
            return 404 if may("s3:ListBucket") else 403
        return 200

    def log_message(self, *_):
        pass


class FakeS3:
    def __init__(self, fault=None):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), S3Handler)
        self.server.fault, self.server.objects, self.server.lock = fault, set(), threading.Lock()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def objects(self):
        return self.server.objects

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
