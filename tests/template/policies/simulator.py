"""The template's policies as data, and the simulator that judges them."""

import functools
import json
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAM_PYTHON = HERE.parent / ".venv/bin/python"


@functools.cache
def policies():
    done = subprocess.run([SAM_PYTHON, HERE / "policies.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@functools.cache
def s3_actions():
    """Every action that S3 knows, and whether it is about an `object`, a `bucket` or some `other` thing."""
    done = subprocess.run(["node", "simulate.mjs", "actions"], cwd=HERE, capture_output=True, text=True, check=True)
    return {found["action"]: found["on"] for found in map(json.loads, done.stdout.splitlines())}


@functools.cache
def simulator():
    return subprocess.Popen(["node", "simulate.mjs"], cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def judge(simulation):
    """What IAM says: `Allowed`, `ImplicitlyDenied` or `ExplicitlyDenied`; what the simulator can't judge is a failure."""
    process = simulator()
    process.stdin.write(json.dumps(simulation) + "\n")
    process.stdin.flush()
    result = json.loads(process.stdout.readline())
    assert result["result"] != "error", f"{simulation['request']}: {result['errors']}"
    if simulation["request"]["action"] in policies()["granted"]:
        assert not result["ignored"], f"not weighed: {result['ignored']}"
    return result["result"]


def simulation(stack, role, action, resource, context, session=None, principal=None):
    """One request to AWS by a session of a role, under everything that the template says about it."""
    world = policies()
    held = stack["roles"][role]
    principal = principal or f"arn:aws:sts::{world['account']}:assumed-role/{role}/signpost.1"
    made = {
        "request": {
            "principal": principal,
            "action": action,
            "resource": {"resource": resource, "accountId": world["account"]},
            "contextVariables": context,
        },
        "identityPolicies": [{"name": role, "policy": held["policy"]}],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if session:
        made["sessionPolicy"] = session
    if action.startswith("s3:") and resource.startswith(f"arn:aws:s3:::{stack['bucket']}") and stack["bucket_policy"]:
        made["resourcePolicy"] = stack["bucket_policy"]
    return made


def s3_context(way="REST-QUERY-STRING", **other):
    """What S3 tells IAM of a presigned request a second after it was signed, with changes."""
    context = {
        "aws:SecureTransport": "true",
        "s3:ResourceAccount": policies()["account"],
        "s3:TlsVersion": "1.3",
        "s3:authType": way,
        "s3:signatureAge": "1000",
        "s3:signatureversion": "AWS4-HMAC-SHA256",
    }
    return context | {name.replace("_", ":"): value for name, value in other.items()}
