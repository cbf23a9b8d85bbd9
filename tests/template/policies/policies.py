"""Prints, as JSON, the policies of the template in each signing mode, and the actions that the code requires.

Run with the Python of tests/template/.venv, which can expand the template.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "properties"))

import permissions  # noqa: E402
import stacks  # noqa: E402

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0123-abcd"
NEW, EXISTING, REPLICA = "example-new", "example-existing", "example-replica"
ROLES = {name: f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("FunctionRole", "SignerRole", "ReplicationRole")}
LOG = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/signpost/signpost/function"
ATTRIBUTES = {
    "Bucket": NEW,
    "Bucket.Arn": f"arn:aws:s3:::{NEW}",
    "FunctionLogGroup.Arn": f"{LOG}:*",
    "Table": "signpost-ids",
    "Table.Arn": f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/signpost-ids",
    **{f"{name}.Arn": arn for name, arn in ROLES.items()},
}


def stack(**parameters):
    found = stacks.Stack(ATTRIBUTES, **parameters)
    roles = {
        name: {
            "arn": ROLES[name],
            "policy": {"Version": "2012-10-17", "Statement": found.statements(name)},
            "trust": role["Properties"]["AssumeRolePolicyDocument"],
        }
        for name, role in found.of_type("AWS::IAM::Role").items()
    }
    bucket_policy = found.resources.get("BucketPolicy", {}).get("Properties", {}).get("PolicyDocument")
    return {
        "mode": found.parameters["SigningMode"],
        "bucket": parameters.get("ExistingBucket", NEW),
        "max_age": found.parameters["MaxExpiresSeconds"] * 1000,
        "signer": found.signer,
        "roles": roles,
        "bucket_policy": bucket_policy,
        "kms": found.parameters["KmsKeyArn"],
        "more": [arn for arn in found.parameters["MoreBuckets"] if arn],
        "mount_roles": [arn for arn in found.parameters["MountRoles"] if arn],
    }


MODES = ["signer", "scoped", "execution"]
found = {f"{mode}": stack(SigningMode=mode) for mode in MODES}
found |= {f"{mode}-existing": stack(SigningMode=mode, ExistingBucket=EXISTING) for mode in MODES}
found["signer-kms"] = stack(KmsKeyArn=KEY)
found["execution-kms-capped"] = stack(SigningMode="execution", KmsKeyArn=KEY, MaxExpiresSeconds=300)
found["rules-in-an-object"] = stack(RulesObject="s3://example-rules/signpost/rules.toml")
found["rules-in-a-parameter"] = stack(RulesParameter="/signpost/rules", SigningMode="execution")
found["with-a-table"] = stack(CreateTable="yes")
MORE = ",".join(["arn:aws:s3:::example-more", f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/more"])
MOUNT_ROLES = f"arn:aws:iam::210987654321:role/signpost,arn:aws:iam::{ACCOUNT}:role/team/archive"
found |= {f"{mode}-with-mounts": stack(SigningMode=mode, MoreBuckets=MORE, MountRoles=MOUNT_ROLES) for mode in MODES}
found["replicated"] = stack(ReplicationBucketArn=f"arn:aws:s3:::{REPLICA}", Tracing="yes")

operations = {name: sorted(actions) for name, actions in (permissions.REQUIRED | permissions.FORM | permissions.LISTINGS).items()}
with_parameter = {f"{name} with {parameter}": [action] for (name, parameter), action in permissions.WITH_PARAMETER.items()}
json.dump(
    {
        "account": ACCOUNT,
        "log": LOG,
        "replica": REPLICA,
        "operations": operations | {name: actions for name, actions in with_parameter.items() if actions[0] not in permissions.WITHHELD},
        "withheld": sorted(permissions.WITHHELD),
        "granted": sorted(permissions.granted()),
        "stacks": found,
    },
    sys.stdout,
)
