"""The commands of docs/OPERATIONS.md for an existing bucket, for rules on AWS and for the rotation of a token, with the AWS CLI.

moto answers the requests. It stores the configuration of a bucket and the versions of a parameter as AWS does.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest

from lib import processes

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs/OPERATIONS.md").read_text()
REGION = "us-east-1"
BUCKET, ORIGIN = "my-bucket", "https://files.example.com"
RULES = f"""version = 1

[[token]]
id = "ci" # the pipeline
sha256 = "{hashlib.sha256(b"old").hexdigest()}"

[[rule]]
id = "r"
who = ["token:ci"]
can = ["read"]
on = ["homes/{{user_id}}/**"]
"""

pytestmark = pytest.mark.skipif(not shutil.which("aws"), reason="requires the AWS CLI")


def block(name):
    """The commands below the comment `<!-- NAME -->`."""
    found = re.search(rf"<!-- {re.escape(name)} -->\n```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found, name
    return found.group(1)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """The endpoint of a moto server."""
    port = processes.free_port()
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    start = "from moto.server import main; import sys; main(['-p', sys.argv[1]])"
    process = processes.start([sys.executable, "-c", start, str(port)], stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(url + "/moto-api/data.json").close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        processes.stop(process)


@pytest.fixture
def shell(endpoint, tmp_path):
    """Runs commands in an empty folder, with the AWS CLI and `signpost`."""
    urllib.request.urlopen(urllib.request.Request(endpoint + "/moto-api/reset", method="POST")).close()
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a-key-that-moto-does-not-check",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
        "PARAMETER": "/signpost/rules",
        "PATH": f"{ROOT / 'target/debug'}:{os.environ['PATH']}",
    }

    def run(commands, code=0, **more):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SIGNPOST_"))}
        result = subprocess.run(
            ["bash", "-euc", commands], cwd=tmp_path, env=environment | settings | more, capture_output=True, text=True
        )
        assert result.returncode == code, f"{commands}\n{result.stdout}{result.stderr}"
        return result.stdout

    run.folder = tmp_path
    run.client = lambda service: boto3.client(
        service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="k", aws_secret_access_key="s"
    )
    return run


def check(shell, code, bucket=BUCKET, origin=ORIGIN):
    return shell(f"{ROOT}/deploy/check-bucket {bucket} {origin}", code=code)


def test_the_commands_for_an_existing_bucket_set_everything_that_the_check_requires(shell):
    s3 = shell.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    before = check(shell, 1)
    for missing in ("versioning", "public access block", "s3:signatureAge", "aws:SecureTransport", "incomplete uploads", "old versions", "CORS"):
        assert re.search(f"^missing .*{missing}", before, re.MULTILINE), (missing, before)
    shell(block("existing bucket").replace("my-bucket", BUCKET))
    after = check(shell, 0)
    assert "missing" not in after and "unknown" not in after, after
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    # A deletion leaves a marker, as the runbook to restore an object says. The policy denies requests without TLS.
    s3.delete_bucket_policy(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    assert s3.delete_object(Bucket=BUCKET, Key="k")["DeleteMarker"]


def test_the_check_of_a_bucket_finds_each_missing_setting(shell):
    s3 = shell.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    shell(block("existing bucket"))
    changes = [
        ("versioning", lambda: s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})),
        ("public access block", lambda: s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": True})),
        ("object ownership", lambda: s3.delete_bucket_ownership_controls(Bucket=BUCKET)),
        ("s3:signatureAge", lambda: s3.delete_bucket_policy(Bucket=BUCKET)),
        ("old versions", lambda: s3.delete_bucket_lifecycle(Bucket=BUCKET)),
        ("CORS", lambda: s3.delete_bucket_cors(Bucket=BUCKET)),
    ]
    for name, change in changes:
        change()
        found = check(shell, 1)
        assert re.search(f"^missing .*{re.escape(name)}", found, re.MULTILINE), (name, found)
    assert re.search("^missing .*CORS", check(shell, 1, origin="https://other.example.com"), re.MULTILINE)
    assert "CORS" not in check(shell, 1, origin="")
    assert "unknown  get-bucket-versioning" in check(shell, 2, bucket="no-such-bucket")
    shell(f"{ROOT}/deploy/check-bucket", code=2)


def test_rules_are_published_and_taken_back_with_the_commands(shell):
    file = shell.folder / "rules.toml"
    file.write_text(RULES)
    publish = re.sub(r"^signpost rules test .*\n", "", block("rules on AWS"), flags=re.MULTILINE)
    shell(publish)
    stored = lambda: shell.client("ssm").get_parameter(Name="/signpost/rules")["Parameter"]["Value"]
    # The digest in the log is that of the file.
    assert hashlib.sha256(stored().encode()).hexdigest() == hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text(RULES.replace("homes/", "houses/"))
    shell(publish)
    assert "houses/" in stored()
    shell(block("rules back"), VERSION="1")
    assert stored().rstrip("\n") == RULES.rstrip("\n")
    file.write_text("version = 2")
    shell(publish, code=1)
    assert "homes/" in stored()


def test_a_token_is_rotated_with_the_commands(shell):
    ssm = shell.client("ssm")
    ssm.put_parameter(Name="/signpost/rules", Type="String", Value=RULES)
    whoami = "SIGNPOST_URL=$URL SIGNPOST_TOKEN=$secret signpost whoami"
    steps = block("rotate a token")
    assert whoami in steps
    steps = steps.replace(whoami, 'printf %s "$secret" >secret')
    first, second = steps.split("# 3.")
    shell(first)
    stored = lambda: ssm.get_parameter(Name="/signpost/rules")["Parameter"]["Value"]
    new = hashlib.sha256((shell.folder / "secret").read_bytes()).hexdigest()
    old = hashlib.sha256(b"old").hexdigest()
    assert f'sha256 = ["{new}", "{old}"]' in stored()
    shell("#" + second)
    assert stored().rstrip("\n") == RULES.replace(old, new).rstrip("\n")
