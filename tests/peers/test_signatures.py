"""Random plans of tests/core/signer_oracle.rs, signed by Signpost and by botocore. The URLs must be identical.

SIGNPOST_SIGNATURE_CASES sets the number of plans. The default is 100,000.
"""

import datetime
import json
import os
import subprocess
from pathlib import Path
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[2]
CASES = int(os.environ.get("SIGNPOST_SIGNATURE_CASES", "100000"))


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    file = tmp_path_factory.mktemp("plans") / "plans.jsonl"
    command = ["cargo", "test", "--quiet", "--workspace", "--test", "core", "signer_oracle::write_plans", "--", "--ignored"]
    environment = os.environ | {"SIGNPOST_SIGNATURE_FILE": str(file), "SIGNPOST_SIGNATURE_CASES": str(CASES)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return file


def escape(text):
    return quote(text, safe="-._~")


def signed_by_botocore(plan, monkeypatch):
    """Returns the URL, with its parameters in the canonical order."""
    time = datetime.datetime.fromtimestamp(plan["time"], datetime.timezone.utc).replace(tzinfo=None)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: time)
    credentials = Credentials(plan["access_key_id"], plan["secret_access_key"], plan["session_token"])
    query = "&".join(f"{escape(name)}={escape(value)}" for name, value in plan["query"])
    request = AWSRequest(plan["method"], plan["url"] + ("?" + query if query else ""))
    for name, value in plan["headers"]:
        request.headers.add_header(name, value)
    auth = botocore.auth.S3SigV4QueryAuth(credentials, "s3", plan["region"], expires=plan["expires"])
    auth.add_auth(request)
    address, _, query = request.url.partition("?")
    pairs = [pair.split("=", 1) for pair in query.split("&")]
    signature = next(value for name, value in pairs if name == "X-Amz-Signature")
    pairs = sorted((name, value) for name, value in pairs if name != "X-Amz-Signature")
    return f"{address}?" + "&".join(f"{name}={value}" for name, value in pairs) + f"&X-Amz-Signature={signature}"


def test_every_url_equals_the_url_of_botocore(plans, monkeypatch):
    compared = 0
    with plans.open() as lines:
        for line in lines:
            plan = json.loads(line)
            assert plan["signed"] == signed_by_botocore(plan, monkeypatch), {**plan, "secret_access_key": "-", "session_token": "-"}
            compared += 1
    assert compared == CASES
