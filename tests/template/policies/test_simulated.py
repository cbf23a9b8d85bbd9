"""Every operation, role and mode, and everything that must not be, as IAM evaluates it."""

import json
import re
from pathlib import Path

import pytest

import signpost
from lib.tokens import bearer
from simulator import judge, policies, s3_actions, s3_context, simulation
from sts import Sts
from users import key, rules

OBJECT_KEY = "users/someone/k"
# What makes the same request one that must be refused, wherever the template's own bucket policy stands.
REFUSED_BY_THE_ROLE = {
    "signed in a header": {"s3_authType": "REST-HEADER"},
    "a bucket of another account": {"s3_ResourceAccount": "210987654321"},
}
REFUSED_BY_THE_BUCKET = {
    "without TLS": {"aws_SecureTransport": "false"},
    "over TLS 1.1": {"s3_TlsVersion": "1.1"},
    "signed by version 2": {"s3_signatureversion": "AWS"},
}
STACKS = list(policies()["stacks"])


@pytest.fixture(params=STACKS)
def stack(request):
    return policies()["stacks"][request.param]


def resource(bucket, action):
    """What an action on the object, or on its bucket, names."""
    of_the_bucket = s3_actions()[action] == "bucket"
    return f"arn:aws:s3:::{bucket}" + ("" if of_the_bucket else f"/{OBJECT_KEY}")


def operations():
    """Each operation with an action that it needs, and the way in which it is signed."""
    for name, actions in policies()["operations"].items():
        for action in actions:
            yield name, action, "POST" if name == "PostObject" else "REST-QUERY-STRING"


def check(cases, expected):
    """`cases` maps a name to a simulation; every one of them must come out as `expected` says."""
    assert cases, "nothing was simulated"
    results = {name: judge(simulation) for name, simulation in cases.items()}
    wrong = {name: result for name, result in results.items() if not expected(result)}
    assert not wrong, wrong


def allowed(result):
    return result == "Allowed"


def denied(result):
    return result in ("ImplicitlyDenied", "ExplicitlyDenied")


def explicitly_denied(result):
    return result == "ExplicitlyDenied"


def test_the_signer_may_do_every_operation(stack):
    check(
        {
            name: simulation(stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(way))
            for name, action, way in operations()
        },
        allowed,
    )


def test_the_signer_may_do_nothing_of_it_elsewhere(stack):
    cases = {}
    for name, action, way in operations():
        for other in ("example-other", f"{stack['bucket']}-2", "example-replica"):
            cases[f"{name}, {other}"] = simulation(stack, stack["signer"], action, resource(other, action), s3_context(way))
    check(cases, denied)


@pytest.mark.parametrize("how", REFUSED_BY_THE_ROLE)
def test_the_signer_may_do_nothing_of_it_in_another_way(stack, how):
    check(
        {
            name: simulation(
                stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(way, **REFUSED_BY_THE_ROLE[how])
            )
            for name, action, way in operations()
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


@pytest.mark.parametrize("how", REFUSED_BY_THE_BUCKET)
def test_the_bucket_refuses(stack, how):
    cases = {
        name: simulation(
            stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(way, **REFUSED_BY_THE_BUCKET[how])
        )
        for name, action, way in operations()
    }
    # The policy of an existing bucket stays as it is: there the template can't refuse it.
    check(cases, explicitly_denied if stack["bucket_policy"] else allowed)


def test_the_bucket_refuses_signatures_above_the_cap_only(stack):
    if not stack["bucket_policy"]:
        return
    for age, expected in ((stack["max_age"], allowed), (stack["max_age"] + 1, explicitly_denied)):
        check(
            {
                name: simulation(
                    stack, stack["signer"], action, resource(stack["bucket"], action), s3_context(way, s3_signatureAge=str(age))
                )
                for name, action, way in operations()
            },
            expected,
        )


def test_no_administrator_gets_past_the_bucket_policy(stack):
    if not stack["bucket_policy"]:
        return
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    stack = stack | {"roles": {"Admin": {"policy": everything}}}
    target = f"arn:aws:s3:::{stack['bucket']}/k"
    cases = {
        how: simulation(stack, "Admin", "s3:GetObject", target, s3_context(**change)) for how, change in REFUSED_BY_THE_BUCKET.items()
    }
    check(cases, explicitly_denied)
    check({"as it should be": simulation(stack, "Admin", "s3:GetObject", target, s3_context("REST-HEADER"))}, allowed)


def test_nothing_else_of_s3(stack):
    """Every action that S3 knows and the code does not need, for every role: versions ended for good, ACLs, policies, …"""
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


def test_the_function_itself_has_no_access_to_the_bucket(stack):
    if stack["signer"] == "FunctionRole":
        return
    check(
        {
            name: simulation(stack, "FunctionRole", action, resource(stack["bucket"], action), s3_context(way))
            for name, action, way in operations()
        },
        denied,
    )


def test_the_function_writes_its_own_log_only(stack):
    log = policies()["log"]
    for group, expected in ((log, allowed), (log + "-2", denied), (log.replace("function", "access"), denied)):
        cases = {
            action: simulation(stack, "FunctionRole", action, f"{group}:log-stream:s", {})
            for action in ("logs:PutLogEvents", "logs:CreateLogStream")
        }
        check(cases, expected)
    others = ("logs:GetLogEvents", "logs:DeleteLogStream")
    check({action: simulation(stack, "FunctionRole", action, f"{log}:log-stream:s", {}) for action in others}, denied)


def test_the_function_reads_the_rules_and_nothing_beside_them(stack):
    account = policies()["account"]
    places = {
        "s3:GetObject": ("rules-in-an-object", "arn:aws:s3:::example-rules/signpost/rules.toml"),
        "ssm:GetParameter": ("rules-in-a-parameter", f"arn:aws:ssm:eu-central-1:{account}:parameter/signpost/rules"),
    }
    for action, (name, place) in places.items():
        context = s3_context("REST-HEADER") if action.startswith("s3:") else {}
        own = stack == policies()["stacks"][name]
        check({action: simulation(stack, "FunctionRole", action, place, context)}, allowed if own else denied)
        check({action: simulation(stack, "FunctionRole", action, place + "2", context)}, denied)
        write = action.replace("Get", "Put")
        check({write: simulation(stack, "FunctionRole", write, place, context)}, denied)


def test_the_function_looks_up_and_updates_its_table_and_does_nothing_else_with_any(stack):
    table = f"arn:aws:dynamodb:eu-central-1:{policies()['account']}:table/remembered"

    def on(action, table=table):
        return simulation(stack, "FunctionRole", f"dynamodb:{action}", table, {})

    needed = ("BatchGetItem", "UpdateItem")
    check({action: on(action) for action in needed}, allowed if stack == policies()["stacks"]["with-a-table"] else denied)
    check({action: on(action, table + "-2") for action in needed}, denied)
    others = ("GetItem", "PutItem", "BatchWriteItem", "DeleteItem", "Query", "Scan", "DeleteTable", "UpdateTable", "UpdateTimeToLive")
    check({action: on(action) for action in others}, denied)


def assume(stack, role, target, action="sts:AssumeRole", principal=None):
    made = simulation(stack, role, action, stack["roles"][target]["arn"], {}, principal=principal)
    return made | {"resourcePolicy": stack["roles"][target]["trust"]}


def test_only_the_function_gets_sessions_of_the_signer(stack):
    if stack["signer"] == "FunctionRole":
        assert "SignerRole" not in stack["roles"]
        return
    function = stack["roles"]["FunctionRole"]["arn"]
    check({"the function": assume(stack, "FunctionRole", "SignerRole", principal=function)}, allowed)
    identity = assume(stack, "FunctionRole", "SignerRole", "sts:SetSourceIdentity", function)
    check({"with the member's name": identity}, allowed if stack["mode"] == "scoped" else denied)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    other = stack | {"roles": stack["roles"] | {"Admin": {"policy": everything}}}
    strangers = {
        "an administrator": assume(other, "Admin", "SignerRole", principal=f"arn:aws:iam::{policies()['account']}:role/Admin"),
        "the signer itself": assume(stack, "SignerRole", "SignerRole"),
        "another account": assume(other, "Admin", "SignerRole", principal="arn:aws:iam::210987654321:role/Admin"),
    }
    check(strangers, denied)
    check({"another role": simulation(stack, "FunctionRole", "sts:AssumeRole", function, {})}, denied)


def runbook(mark):
    """The policy of docs/OPERATIONS.md in which `mark` stands."""
    text = (Path(__file__).resolve().parents[3] / "docs/OPERATIONS.md").read_text()
    blocks = [json.loads(block) for block in re.findall(r"^ *```json\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL) if mark in block]
    (found,) = blocks
    return found if "Statement" in found else {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": found}]}


def test_the_runbook_ends_old_sessions_and_no_new_ones(stack):
    if stack["signer"] == "FunctionRole":
        return
    by_name = json.loads(json.dumps(runbook("OLD-EPOCH")).replace("OLD-EPOCH", "1"))
    by_age = runbook("aws:TokenIssueTime")
    member = "b5586c4bd203f3040254e3b246f637aa"

    def under(policy, session, issued):
        context = s3_context() | {"aws:userid": f"AROAIOSFODNN7EXAMPLE:{session}", "aws:TokenIssueTime": issued}
        made = simulation(stack, "SignerRole", "s3:GetObject", resource(stack["bucket"], "s3:GetObject"), context)
        made["identityPolicies"].append({"name": "revoked", "policy": policy})
        return made

    before, after = "2026-07-10T19:19:03Z", "2026-07-10T19:19:05Z"
    old, new = ("signpost.1", f"{member}.1"), ("signpost.2", f"{member}.2", "signpost.11")
    check({name: under(by_name, name, after) for name in old}, explicitly_denied)
    check({name: under(by_name, name, before) for name in new}, allowed)
    check({name: under(by_age, name, before) for name in old + new}, explicitly_denied)
    check({name: under(by_age, name, after) for name in old + new}, allowed)


def test_the_key_serves_through_s3_only(stack):
    key_arn = stack["kms"] or "arn:aws:kms:eu-central-1:123456789012:key/0123-abcd"
    through_s3 = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    # The key's own policy, as AWS makes it: whoever the account's policies allow.
    own = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]}
    own = {"resourcePolicy": {"Version": "2012-10-17"} | own}
    needed = ("kms:Decrypt", "kms:GenerateDataKey")

    def on(action, context, arn=key_arn):
        return simulation(stack, stack["signer"], action, arn, context) | own

    check({action: on(action, through_s3) for action in needed}, allowed if stack["kms"] else denied)
    check({action: on(action, {}) for action in needed}, denied)
    check({action: on(action, through_s3, key_arn.replace("0123", "4567")) for action in needed}, denied)
    others = ("kms:Encrypt", "kms:ScheduleKeyDeletion", "kms:CreateGrant")
    check({action: on(action, through_s3) for action in others}, denied)


def test_replication_copies_and_nothing_else():
    stack, replica = policies()["stacks"]["replicated"], policies()["replica"]
    reads = ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
    writes = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")

    def on(action, bucket):
        return simulation(stack, "ReplicationRole", action, f"arn:aws:s3:::{bucket}/k", s3_context("REST-HEADER"))

    check({action: on(action, stack["bucket"]) for action in reads} | {action: on(action, replica) for action in writes}, allowed)
    check({action: on(action, replica) for action in reads} | {action: on(action, stack["bucket"]) for action in writes}, denied)
    check({action: on(action, stack["bucket"]) for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")}, denied)


# ---- a member's session, by the session policy that the service itself asks for ----


@pytest.fixture(scope="module")
def session_policy(tmp_path_factory):
    """The session policy with which the service signs for alice, under a rule that lets her do this in her prefix. With
    `pending`, the one with which it lists her uploads that have not ended."""

    def ask(*can, pending=False):
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
                    # S3 is not there, but by then the session is.
                    assert service.ask("GET", key("alice").removesuffix("k"), bearer("alice"), query="uploads").status >= 500
                else:
                    assert service.ask(method, key("alice"), bearer("alice") | length).status == 307
            finally:
                service.stop()
            (policy,) = sts.policies
            return json.loads(policy)

    return ask


# IAM knows no prefix for it, so it has a session of its own, which never signs what a client gets.
PENDING = "s3:ListBucketMultipartUploads"


def member(session, action, object_key, **change):
    stack = policies()["stacks"]["scoped"]
    of_the_bucket = s3_actions()[action] == "bucket"
    target = f"arn:aws:s3:::{stack['bucket']}" + ("" if of_the_bucket else f"/{object_key}")
    context = s3_context(**change) | ({"s3:prefix": object_key} if action == "s3:ListBucket" else {})
    return simulation(stack, "SignerRole", action, target, context, session=session)


def test_a_member_gets_the_whole_rule_in_the_own_prefix_alone(session_policy):
    session = session_policy("read", "write", "delete", "list")
    granted = set(policies()["granted"]) - {PENDING}
    check({PENDING: member(session, PENDING, key("alice"))}, denied)
    check({action: member(session, action, key("alice")) for action in granted}, allowed)
    for elsewhere in (key("bob"), "users/k", "k", key("alice").replace("/k", "x/k")):
        check({f"{action} {elsewhere}": member(session, action, elsewhere) for action in granted}, denied)
    check({action: member(session, action, key("alice"), s3_authType="REST-HEADER") for action in granted}, denied)
    # The session policy would let a version end; the role does not.
    assert any("s3:DeleteObjectVersion" in statement["Action"] for statement in session["Statement"])
    check({action: member(session, action, key("alice")) for action in policies()["withheld"]}, denied)


@pytest.mark.parametrize("action", ["read", "write", "delete", "list"])
def test_a_member_gets_no_more_than_the_rule_says(session_policy, action):
    by_action = {
        "read": {"s3:GetObject", "s3:GetObjectVersion"},
        "write": {"s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
        "delete": {"s3:DeleteObject"},
        "list": {"s3:ListBucket"},
    }
    assert set().union(*by_action.values()) == set(policies()["granted"]) - {PENDING}
    # A session must be for something that can be asked for, so reading comes with the others, as writing does with reading.
    companion = "write" if action == "read" else "read"
    session = session_policy(action, companion)
    given = by_action[action] | by_action[companion]
    check({name: member(session, name, key("alice")) for name in given}, allowed)
    check({name: member(session, name, key("alice")) for name in set(policies()["granted"]) - given}, denied)


def test_the_session_that_lists_pending_uploads_does_nothing_else(session_policy):
    session = session_policy("read", "write", "delete", "list", pending=True)
    check({PENDING: member(session, PENDING, key("alice"))}, allowed)
    check({action: member(session, action, key("alice")) for action in set(policies()["granted"]) - {PENDING}}, denied)
