"""The template's policies as data, and the simulator that evaluates them."""

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
    """Every S3 action, and whether its resource is an `object`, a `bucket` or something `other`."""
    done = subprocess.run(["node", "simulate.mjs", "actions"], cwd=HERE, capture_output=True, text=True, check=True)
    return {found["action"]: found["on"] for found in map(json.loads, done.stdout.splitlines())}


@functools.cache
def simulator():
    return subprocess.Popen(["node", "simulate.mjs"], cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def evaluate(simulation):
    """The decision of IAM: `Allowed`, `ImplicitlyDenied` or `ExplicitlyDenied`. An error of the simulator fails the test."""
    process = simulator()
    process.stdin.write(json.dumps(simulation) + "\n")
    process.stdin.flush()
    result = json.loads(process.stdout.readline())
    assert result["result"] != "error", f"{simulation['request']}: {result['errors']}"
    if simulation["request"]["action"] in policies()["granted"]:
        assert not result["ignored"], f"the simulator ignored {result['ignored']}"
    return result["result"]


def simulation(stack, role, action, resource, context, session=None, principal=None):
    """One request to AWS by a session of a role, with all policies of the template that apply."""
    account = policies()["account"]
    principal = principal or f"arn:aws:sts::{account}:assumed-role/{role}/signpost.1"
    found = {
        "request": {
            "principal": principal,
            "action": action,
            "resource": {"resource": resource, "accountId": account},
            "contextVariables": context,
        },
        "identityPolicies": [{"name": role, "policy": stack["roles"][role]["policy"]}],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if session:
        found["sessionPolicy"] = session
    if action.startswith("s3:") and resource.startswith(f"arn:aws:s3:::{stack['bucket']}") and stack["bucket_policy"]:
        found["resourcePolicy"] = stack["bucket_policy"]
    return found


def s3_context(auth_type="REST-QUERY-STRING", **other):
    """The context keys that S3 sends to IAM for a presigned request one second after it was signed, with changes."""
    context = {
        "aws:SecureTransport": "true",
        "s3:ResourceAccount": policies()["account"],
        "s3:TlsVersion": "1.3",
        "s3:authType": auth_type,
        "s3:signatureAge": "1000",
        "s3:signatureversion": "AWS4-HMAC-SHA256",
    }
    return context | {name.replace("_", ":"): value for name, value in other.items()}
