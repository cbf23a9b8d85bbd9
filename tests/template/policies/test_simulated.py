"""Every operation, role and signing mode, and everything that must be denied, as IAM evaluates them."""

import json
import re
from pathlib import Path

import pytest

import signpost
from lib.tokens import bearer
from simulator import evaluate, policies, s3_actions, s3_context, simulation
from sts import Sts
from users import key, rules

OBJECT_KEY = "users/someone/k"
# Changes to a request that the role's policy or the bucket policy must deny.
DENIED_BY_THE_ROLE = {
    "signed in a header": {"s3_authType": "REST-HEADER"},
    "a bucket of another account": {"s3_ResourceAccount": "210987654321"},
}
DENIED_BY_THE_BUCKET = {
    "without TLS": {"aws_SecureTransport": "false"},
    "over TLS 1.1": {"s3_TlsVersion": "1.1"},
    "signed with version 2": {"s3_signatureversion": "AWS"},
}
STACKS = list(policies()["stacks"])


@pytest.fixture(params=STACKS)
def stack(request):
    return policies()["stacks"][request.param]


def resource(bucket, action):
    """The resource of an action on the object or on its bucket."""
    on_the_bucket = s3_actions()[action] == "bucket"
    return f"arn:aws:s3:::{bucket}" + ("" if on_the_bucket else f"/{OBJECT_KEY}")


def operations():
    """Each operation with an action that it requires, and its `s3:authType`."""
    for name, actions in policies()["operations"].items():
        for action in actions:
            yield name, action, "POST" if name == "PostObject" else "REST-QUERY-STRING"


def check(cases, expected):
    """Evaluates simulations by name. `expected` must be true for each result."""
    assert cases, "nothing was simulated"
    results = {name: evaluate(simulation) for name, simulation in cases.items()}
    wrong = {name: result for name, result in results.items() if not expected(result)}
    assert not wrong, wrong


def allowed(result):
    return result == "Allowed"


def denied(result):
    return result in ("ImplicitlyDenied", "ExplicitlyDenied")


def explicitly_denied(result):
    return result == "ExplicitlyDenied"


def test_the_signer_can_sign_every_operation(stack):
    check(
        {
            name: simulation(stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(auth_type))
            for name, action, auth_type in operations()
        },
        allowed,
    )


def mounted(arn, action):
    """The resource of an action on a further bucket, or on the object below an access point."""
    below = f"/object/{OBJECT_KEY}" if ":accesspoint/" in arn else f"/{OBJECT_KEY}"
    return arn + ("" if s3_actions()[action] == "bucket" else below)


def test_the_signer_can_sign_every_operation_in_each_further_bucket(stack):
    if not stack["more"]:
        return
    # The simulator knows no access point as the resource of this action.
    unknown = ("s3:ListBucketMultipartUploads", "accesspoint")
    cases = [
        (f"{name}, {arn}", action, arn, auth_type)
        for name, action, auth_type in operations()
        for arn in stack["more"]
        if not (action == unknown[0] and unknown[1] in arn)
    ]

    def by(role, suffix="", header=None):
        return {
            name: simulation(stack, role, action, mounted(arn + suffix, action), s3_context(header or auth_type))
            for name, action, arn, auth_type in cases
        }

    check(by(stack["signer"]), allowed)
    check(by(stack["signer"], suffix="-2"), denied)
    check(by(stack["signer"], header="REST-HEADER"), denied)
    if stack["signer"] != "FunctionRole":
        check(by("FunctionRole"), denied)


def test_the_signer_has_no_access_to_other_buckets(stack):
    cases = {}
    for name, action, auth_type in operations():
        for other in ("example-other", f"{stack['bucket']}-2", "example-replica"):
            cases[f"{name}, {other}"] = simulation(stack, stack["signer"], action, resource(other, action), s3_context(auth_type))
    check(cases, denied)


@pytest.mark.parametrize("change", DENIED_BY_THE_ROLE)
def test_the_signer_is_limited_to_presigned_requests_to_its_account(stack, change):
    check(
        {
            name: simulation(
                stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(auth_type, **DENIED_BY_THE_ROLE[change])
            )
            for name, action, auth_type in operations()
        },
        denied,
    )


def test_a_form_can_only_upload(stack):
    check(
        {
            name: simulation(stack, stack["signer"], action, resource(stack["bucket"], action), s3_context("POST"))
            for name, action, _ in operations()
            if action != "s3:PutObject"
        },
        denied,
    )


@pytest.mark.parametrize("change", DENIED_BY_THE_BUCKET)
def test_the_bucket_policy_denies(stack, change):
    cases = {
        name: simulation(
            stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(auth_type, **DENIED_BY_THE_BUCKET[change])
        )
        for name, action, auth_type in operations()
    }
    # The template does not change the policy of an existing bucket.
    check(cases, explicitly_denied if stack["bucket_policy"] else allowed)


def test_the_bucket_policy_denies_only_signatures_older_than_the_limit(stack):
    if not stack["bucket_policy"]:
        return
    for age, expected in ((stack["max_age"], allowed), (stack["max_age"] + 1, explicitly_denied)):
        check(
            {
                name: simulation(
                    stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(auth_type, s3_signatureAge=str(age))
                )
                for name, action, auth_type in operations()
            },
            expected,
        )


def test_the_bucket_policy_also_applies_to_administrators(stack):
    if not stack["bucket_policy"]:
        return
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    stack = stack | {"roles": {"Admin": {"policy": everything}}}
    target = f"arn:aws:s3:::{stack['bucket']}/k"
    cases = {
        name: simulation(stack, "Admin", "s3:GetObject", target, s3_context(**change)) for name, change in DENIED_BY_THE_BUCKET.items()
    }
    check(cases, explicitly_denied)
    check({"an unchanged request": simulation(stack, "Admin", "s3:GetObject", target, s3_context("REST-HEADER"))}, allowed)


def test_every_other_s3_action_is_denied(stack):
    """Every S3 action that the code does not require, for every role: permanent deletion of versions, ACLs, policies and so on."""
    granted = set(policies()["granted"])
    assert set(policies()["withheld"]) <= set(s3_actions()) and not granted & set(policies()["withheld"])
    cases = {}
    for action, on in s3_actions().items():
        if on == "other" or action in granted:
            continue
        target = f"arn:aws:s3:::{stack['bucket']}" + ("/k" if on == "object" else "")
        for role in {stack["signer"], "FunctionRole"}:
            cases[f"{action} by {role}"] = simulation(stack, role, action, target, s3_context())
    assert len(cases) > 80
    check(cases, denied)


def test_the_function_role_has_no_access_to_the_bucket(stack):
    if stack["signer"] == "FunctionRole":
        return
    check(
        {
            name: simulation(stack, "FunctionRole", action, resource(stack["bucket"], action), s3_context(auth_type))
            for name, action, auth_type in operations()
        },
        denied,
    )


def test_the_function_writes_only_its_own_log(stack):
    log = policies()["log"]
    for group, expected in ((log, allowed), (log + "-2", denied), (log.replace("function", "access"), denied)):
        cases = {
            action: simulation(stack, "FunctionRole", action, f"{group}:log-stream:s", {})
            for action in ("logs:PutLogEvents", "logs:CreateLogStream")
        }
        check(cases, expected)
    others = ("logs:GetLogEvents", "logs:DeleteLogStream")
    check({action: simulation(stack, "FunctionRole", action, f"{log}:log-stream:s", {}) for action in others}, denied)


def test_the_function_reads_only_the_configured_rules(stack):
    account = policies()["account"]
    sources = {
        "s3:GetObject": ("rules-in-an-object", "arn:aws:s3:::example-rules/signpost/rules.toml"),
        "ssm:GetParameter": ("rules-in-a-parameter", f"arn:aws:ssm:eu-central-1:{account}:parameter/signpost/rules"),
    }
    for action, (name, source) in sources.items():
        context = s3_context("REST-HEADER") if action.startswith("s3:") else {}
        own = stack == policies()["stacks"][name]
        check({action: simulation(stack, "FunctionRole", action, source, context)}, allowed if own else denied)
        check({action: simulation(stack, "FunctionRole", action, source + "2", context)}, denied)
        write = action.replace("Get", "Put")
        check({write: simulation(stack, "FunctionRole", write, source, context)}, denied)


def test_the_function_only_reads_and_updates_items_of_its_table(stack):
    table = f"arn:aws:dynamodb:eu-central-1:{policies()['account']}:table/signpost-ids"

    def on(action, table=table):
        return simulation(stack, "FunctionRole", f"dynamodb:{action}", table, {})

    required = ("BatchGetItem", "UpdateItem")
    check({action: on(action) for action in required}, allowed if stack == policies()["stacks"]["with-a-table"] else denied)
    check({action: on(action, table + "-2") for action in required}, denied)
    others = ("GetItem", "PutItem", "BatchWriteItem", "DeleteItem", "Query", "Scan", "DeleteTable", "UpdateTable", "UpdateTimeToLive")
    check({action: on(action) for action in others}, denied)


def assume(stack, role, target, action="sts:AssumeRole", principal=None):
    assumed = simulation(stack, role, action, stack["roles"][target]["arn"], {}, principal=principal)
    return assumed | {"resourcePolicy": stack["roles"][target]["trust"]}


def test_only_the_function_can_assume_the_signer_role(stack):
    if stack["signer"] == "FunctionRole":
        assert "SignerRole" not in stack["roles"]
        return
    function = stack["roles"]["FunctionRole"]["arn"]
    check({"the function": assume(stack, "FunctionRole", "SignerRole", principal=function)}, allowed)
    identity = assume(stack, "FunctionRole", "SignerRole", "sts:SetSourceIdentity", function)
    check({"with the user_id as source identity": identity}, allowed if stack["mode"] == "scoped" else denied)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    other = stack | {"roles": stack["roles"] | {"Admin": {"policy": everything}}}
    other_principals = {
        "an administrator": assume(other, "Admin", "SignerRole", principal=f"arn:aws:iam::{policies()['account']}:role/Admin"),
        "the signer itself": assume(stack, "SignerRole", "SignerRole"),
        "another account": assume(other, "Admin", "SignerRole", principal="arn:aws:iam::210987654321:role/Admin"),
    }
    check(other_principals, denied)
    check({"another role": simulation(stack, "FunctionRole", "sts:AssumeRole", function, {})}, denied)


def test_the_function_assumes_the_roles_of_mounts_with_the_external_id_of_the_document_only(stack):
    function = stack["roles"]["FunctionRole"]["arn"]
    trust = json.loads(json.dumps(runbook("sts:ExternalId")).replace("arn:aws:iam::123456789012:role/FUNCTION-ROLE", function))

    def on(role, action="sts:AssumeRole", external_id="acme-7f3c", principal=function):
        context = {"sts:ExternalId": external_id} if external_id else {}
        assumed = simulation(stack, "FunctionRole", action, role, context, principal=principal)
        assumed["request"]["resource"]["accountId"] = role.split(":")[4]
        return assumed | {"resourcePolicy": trust}

    roles = stack["mount_roles"] or ["arn:aws:iam::210987654321:role/signpost"]
    check({role: on(role) for role in roles}, allowed if stack["mount_roles"] else denied)
    # In the same account, the trust policy alone allows it.
    foreign = [role for role in roles if policies()["account"] not in role]
    scoped = stack["mount_roles"] and stack["mode"] == "scoped"
    check({role: on(role, "sts:SetSourceIdentity") for role in foreign}, allowed if scoped else denied)
    check({f"{role}, {id}": on(role, external_id=id) for role in roles for id in (None, "acme")}, denied)
    check({"another role": on("arn:aws:iam::210987654321:role/signpost-2")}, denied)


def runbook(text_in_policy):
    """The policy in docs/OPERATIONS.md or docs/SIGNING.md that contains this text."""
    document = "\n".join((Path(__file__).resolve().parents[3] / "docs" / name).read_text() for name in ("OPERATIONS.md", "SIGNING.md"))
    blocks = [json.loads(block) for block in re.findall(r"^ *```json\n(.*?)^ *```$", document, re.MULTILINE | re.DOTALL) if text_in_policy in block]
    (found,) = blocks
    return found if "Statement" in found else {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": found}]}


def test_the_runbook_revokes_old_sessions_only(stack):
    if stack["signer"] == "FunctionRole":
        return
    by_name = json.loads(json.dumps(runbook("OLD-EPOCH")).replace("OLD-EPOCH", "1"))
    by_age = runbook("aws:TokenIssueTime")
    user_id = "b5586c4bd203f3040254e3b246f637aa"

    def under(policy, session, issued):
        context = s3_context() | {"aws:userid": f"AROAIOSFODNN7EXAMPLE:{session}", "aws:TokenIssueTime": issued}
        request = simulation(stack, "SignerRole", "s3:GetObject", resource(stack["bucket"], "s3:GetObject"), context)
        request["identityPolicies"].append({"name": "revoked", "policy": policy})
        return request

    before, after = "2026-07-10T19:19:03Z", "2026-07-10T19:19:05Z"
    old, new = ("signpost.1", f"{user_id}.1"), ("signpost.2", f"{user_id}.2", "signpost.11")
    check({name: under(by_name, name, after) for name in old}, explicitly_denied)
    check({name: under(by_name, name, before) for name in new}, allowed)
    check({name: under(by_age, name, before) for name in old + new}, explicitly_denied)
    check({name: under(by_age, name, after) for name in old + new}, allowed)


def test_the_kms_key_can_only_be_used_through_s3(stack):
    key_arn = stack["kms"] or "arn:aws:kms:eu-central-1:123456789012:key/0123-abcd"
    through_s3 = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    # The default key policy: the policies of the account decide.
    own = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]}
    own = {"resourcePolicy": {"Version": "2012-10-17"} | own}
    required = ("kms:Decrypt", "kms:GenerateDataKey")

    def on(action, context, arn=key_arn):
        return simulation(stack, stack["signer"], action, arn, context) | own

    check({action: on(action, through_s3) for action in required}, allowed if stack["kms"] else denied)
    check({action: on(action, {}) for action in required}, denied)
    check({action: on(action, through_s3, key_arn.replace("0123", "4567")) for action in required}, denied)
    others = ("kms:Encrypt", "kms:ScheduleKeyDeletion", "kms:CreateGrant")
    check({action: on(action, through_s3) for action in others}, denied)


def test_the_replication_role_can_only_replicate():
    stack, replica = policies()["stacks"]["replicated"], policies()["replica"]
    reads = ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
    writes = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")

    def on(action, bucket):
        return simulation(stack, "ReplicationRole", action, f"arn:aws:s3:::{bucket}/k", s3_context("REST-HEADER"))

    check({action: on(action, stack["bucket"]) for action in reads} | {action: on(action, replica) for action in writes}, allowed)
    check({action: on(action, replica) for action in reads} | {action: on(action, stack["bucket"]) for action in writes}, denied)
    check({action: on(action, stack["bucket"]) for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")}, denied)


# ---- a user's session, with the session policy in the requests of the service ----


@pytest.fixture(scope="module")
def session_policy(tmp_path_factory):
    """Returns the session policy with which the service signs for alice, for a rule that allows these actions in her prefix. With
    `pending`, the policy with which the service lists her unfinished uploads."""

    def session_policy_for(*can, pending=False):
        with Sts() as sts:
            settings = {
                "SIGNPOST_SIGNER_ROLE_ARN": policies()["stacks"]["scoped"]["roles"]["SignerRole"]["arn"],
                "SIGNPOST_SIGNING_MODE": "scoped",
                "AWS_ENDPOINT_URL_STS": sts.endpoint,
            }
            credentials = signpost.Credentials("AKIAIOSFODNN7EXAMPLE", "made-up-secret", settings=settings)
            arguments = ["--bucket", policies()["stacks"]["scoped"]["bucket"], "--region", "eu-central-1", "--endpoint", "http://127.0.0.1:1"]
            service = signpost.Signpost(tmp_path_factory.mktemp("signpost"), rules(*can), arguments, credentials)
            try:
                method = "PUT" if "write" in can else "GET"
                length = {"Content-Length": "0"} if method == "PUT" else {}
                if pending:
                    # No S3 server is running, but the service requests the session first.
                    assert service.request("GET", key("alice").removesuffix("k"), bearer("alice"), query="uploads").status >= 500
                else:
                    assert service.request(method, key("alice"), bearer("alice") | length).status == 307
            finally:
                service.stop()
            (policy,) = sts.policies
            return json.loads(policy)

    return session_policy_for


def test_the_session_of_a_mount_at_an_access_point_has_only_its_own_objects(tmp_path):
    """The service signs for alice with a session that names the access point as AWS documents it: `ARN/object/KEY`."""
    stack = policies()["stacks"]["scoped-with-mounts"]
    point = next(arn for arn in stack["more"] if ":accesspoint/" in arn)
    mount = f'\n[[mount]]\nat = "m/"\nbucket = "{point}"\n'
    text = rules("read", "write").replace('on = ["users/', 'on = ["m/users/') + mount
    with Sts() as sts:
        settings = {
            "SIGNPOST_SIGNER_ROLE_ARN": stack["roles"]["SignerRole"]["arn"],
            "SIGNPOST_SIGNING_MODE": "scoped",
            "AWS_ENDPOINT_URL_STS": sts.endpoint,
        }
        credentials = signpost.Credentials("AKIAIOSFODNN7EXAMPLE", "made-up-secret", settings=settings)
        service = signpost.Signpost(tmp_path, text, ["--bucket", stack["bucket"], "--region", "eu-central-1"], credentials)
        try:
            assert service.request("GET", "m/" + key("alice"), bearer("alice")).status == 307
        finally:
            service.stop()
        (session,) = map(json.loads, sts.policies)

    def by_alice(action, target):
        return simulation(stack, "SignerRole", action, target, s3_context(), session=session)

    objects = f"{point}/object/"
    own = {action: by_alice(action, objects + key("alice")) for action in ("s3:GetObject", "s3:PutObject")}
    check(own, allowed)
    others = {
        "an object of bob": ("s3:GetObject", objects + key("bob")),
        "another access point": ("s3:GetObject", f"{point}-2/object/{key('alice')}"),
        "the first bucket": ("s3:GetObject", f"arn:aws:s3:::{stack['bucket']}/{key('alice')}"),
        "a deletion": ("s3:DeleteObject", objects + key("alice")),
    }
    check({name: by_alice(action, target) for name, (action, target) in others.items()}, denied)


# IAM cannot limit this action to a prefix. It has a separate session, which never signs a URL for a client.
PENDING = "s3:ListBucketMultipartUploads"


def as_user(session, action, object_key, **change):
    stack = policies()["stacks"]["scoped"]
    on_the_bucket = s3_actions()[action] == "bucket"
    target = f"arn:aws:s3:::{stack['bucket']}" + ("" if on_the_bucket else f"/{object_key}")
    context = s3_context(**change) | ({"s3:prefix": object_key} if action == "s3:ListBucket" else {})
    return simulation(stack, "SignerRole", action, target, context, session=session)


def test_a_user_has_all_actions_of_the_rule_in_their_own_prefix_only(session_policy):
    session = session_policy("read", "write", "delete", "list")
    granted = set(policies()["granted"]) - {PENDING}
    check({PENDING: as_user(session, PENDING, key("alice"))}, denied)
    check({action: as_user(session, action, key("alice")) for action in granted}, allowed)
    for other_key in (key("bob"), "users/k", "k", key("alice").replace("/k", "x/k")):
        check({f"{action} {other_key}": as_user(session, action, other_key) for action in granted}, denied)
    check({action: as_user(session, action, key("alice"), s3_authType="REST-HEADER") for action in granted}, denied)
    # The session policy allows the deletion of a version, but the role does not.
    assert any("s3:DeleteObjectVersion" in statement["Action"] for statement in session["Statement"])
    check({action: as_user(session, action, key("alice")) for action in policies()["withheld"]}, denied)


@pytest.mark.parametrize("action", ["read", "write", "delete", "list"])
def test_a_user_has_only_the_actions_of_the_rule(session_policy, action):
    by_action = {
        "read": {"s3:GetObject", "s3:GetObjectVersion"},
        "write": {"s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
        "delete": {"s3:DeleteObject"},
        "list": {"s3:ListBucket"},
    }
    assert set().union(*by_action.values()) == set(policies()["granted"]) - {PENDING}
    # The service requests a session only to sign something. The test therefore also allows an action that it can request.
    companion = "write" if action == "read" else "read"
    session = session_policy(action, companion)
    given = by_action[action] | by_action[companion]
    check({name: as_user(session, name, key("alice")) for name in given}, allowed)
    check({name: as_user(session, name, key("alice")) for name in set(policies()["granted"]) - given}, denied)


def test_a_user_may_compare_an_etag_only_if_the_rule_allows_reading(session_policy):
    """The service rejects such a request for a rule without `read` (tests/core/sessions.rs)."""
    conditional = {name: actions for name, actions in policies()["operations"].items() if name.endswith("with ifMatch")}
    assert len(conditional) == 3, conditional
    for can, expected in ((("read", "write", "delete"), allowed), (("write", "delete"), denied)):
        session = session_policy(*can)
        cases = {f"{name} {can}": as_user(session, action, key("alice")) for name, (action,) in conditional.items()}
        check(cases, expected)
        check({action: as_user(session, action, key("alice")) for action in ("s3:PutObject", "s3:DeleteObject")}, allowed)


def test_the_session_that_lists_unfinished_uploads_has_no_other_action(session_policy):
    session = session_policy("read", "write", "delete", "list", pending=True)
    check({PENDING: as_user(session, PENDING, key("alice"))}, allowed)
    check({action: as_user(session, action, key("alice")) for action in set(policies()["granted"]) - {PENDING}}, denied)
