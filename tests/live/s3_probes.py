"""The live checks that need credentials of an AWS account: sessions with different policies, and URLs that they sign.

A probe role in the account may do everything in the bucket of a stack. Each check assumes it with a session policy, and sends presigned
requests to S3. The role exists only while the checks run.
"""

import json
import secrets
import subprocess
import time
from datetime import datetime, timedelta, timezone

from s3_presigner import presign

SESSION_SECONDS = 900
# IAM applies a new role after some seconds.
ATTEMPTS, PAUSE_SECONDS = 20, 3


class Unexpected(Exception):
    """A result that differs from the expected one."""


def expect(condition, found):
    if not condition:
        raise Unexpected(found)


class ProbeRole:
    """The role, which is deleted at the end."""

    def __init__(self, aws, bucket):
        self.aws, self.bucket = aws, bucket
        self.name = f"signpost-live-{secrets.token_hex(4)}"

    def __enter__(self):
        self.account = self.aws("sts", "get-caller-identity")["Account"]
        principal = f"arn:{self.aws.partition}:iam::{self.account}:root"
        trust = statement(Effect="Allow", Principal={"AWS": principal}, Action="sts:AssumeRole")
        self.arn = self.aws("iam", "create-role", "--role-name", self.name, "--assume-role-policy-document", trust)["Role"]["Arn"]
        document = statement(Effect="Allow", Action="s3:*", Resource=[self.bucket_arn, f"{self.bucket_arn}/*"])
        self.aws("iam", "put-role-policy", "--role-name", self.name, "--policy-name", "probe", "--policy-document", document)
        return self

    def __exit__(self, *_):
        self.aws("iam", "delete-role-policy", "--role-name", self.name, "--policy-name", "probe")
        self.aws("iam", "delete-role", "--role-name", self.name)

    @property
    def bucket_arn(self):
        return f"arn:{self.aws.partition}:s3:::{self.bucket}"

    def assume(self, policy=None):
        """Returns the response of STS."""
        arguments = ["--role-arn", self.arn, "--role-session-name", "live-check", "--duration-seconds", str(SESSION_SECONDS)]
        for attempt in range(ATTEMPTS):
            try:
                return self.aws("sts", "assume-role", *arguments, *(["--policy", policy] if policy else []))
            except subprocess.CalledProcessError as error:
                if attempt == ATTEMPTS - 1 or b"AccessDenied" not in error.stderr:
                    raise
                time.sleep(self.aws.pause)


def statement(**fields):
    return json.dumps({"Version": "2012-10-17", "Statement": [fields]}, separators=(",", ":"))


class Probe:
    """Sends presigned requests below a random prefix of the bucket."""

    def __init__(self, role, endpoint, region, curl):
        self.role, self.endpoint, self.region, self.curl = role, endpoint, region, curl
        self.prefix = f"live-check/{secrets.token_hex(4)}/"
        self.session = role.assume()["Credentials"]
        self.stored = set()

    def clean(self):
        for name in sorted(self.stored):
            self.send("DELETE", name)

    def objects(self, *actions, **condition):
        fields = {"Effect": "Allow", "Action": list(actions), "Resource": f"{self.role.bucket_arn}/{self.prefix}*"}
        return statement(**fields, **({"Condition": condition} if condition else {}))

    def assume(self, policy):
        return self.role.assume(policy)["Credentials"]

    def send(self, method, name, *, session=None, query=None, age=0, headers=None, bucket_level=False, endpoint=None):
        """Returns the status. `age` is the age of the signature in seconds."""
        path = "" if bucket_level else self.prefix + name
        signed_at = datetime.now(timezone.utc) - timedelta(seconds=age)
        url = presign(
            session or self.session, self.region, method, f"{endpoint or self.endpoint}/{path}", signed_at, query, 3600, headers
        )
        return self.curl(method, url, headers or {})

    def put(self, name, **options):
        self.stored.add(name)
        return self.send("PUT", name, **options)


# ---- the checks: each returns its result as text ----


def age_limit(p):
    p.put("age")
    found = [p.send("GET", "age", age=age) for age in (780, 1020)]
    expect(found == [200, 403], f"{found}: the bucket policy does not limit the age of signatures to 15 minutes")
    return "200 after 13 minutes, 403 after 17"


def lower_case_condition(p):
    capitals = [p.put("capitals", query={"If-None-Match": "*"}) for _ in range(2)]
    expect(capitals == [200, 412], f"If-None-Match: {capitals}")
    lower = [p.put("lower", query={"if-none-match": "*"}) for _ in range(2)]
    return f"{capitals}; in lower case {lower}" + (", so `query_spelling` is not needed" if lower == [200, 412] else "")


def endpoints(p):
    found = {}
    for name, host in {"dual-stack": "s3.dualstack", "FIPS": "s3-fips"}.items():
        endpoint = p.endpoint.replace(".s3.", f".{host}.", 1)
        found[name] = p.put(f"endpoint-{name}", endpoint=endpoint)
    # Only some regions have FIPS endpoints.
    expect(found["dual-stack"] == 200 and found["FIPS"] in (0, 200), str(found))
    return ", ".join(f"{name} {status or 'does not exist'}" for name, status in found.items())


def pending_prefix(p):
    policy = statement(
        Effect="Allow", Action="s3:ListBucketMultipartUploads", Resource=p.role.bucket_arn, Condition={"StringLike": {"s3:prefix": f"{p.prefix}*"}}
    )
    session = p.assume(policy)
    found = [p.send("GET", "", session=session, query={"uploads": "", "prefix": prefix}, bucket_level=True) for prefix in (p.prefix, "other/")]
    expect(found == [403, 403], f"{found}: IAM knows s3:prefix for this action, so session policies should use it")
    return "403 403, so IAM has no s3:prefix for this action"


def early_signature(p):
    session = p.role.assume()["Credentials"]
    found = p.put("early", session=session, age=240)
    expect(found == 200, f"{found}: S3 rejects a signing time before the session")
    return "200 for a signature four minutes before the session"


def create_only_policy(p):
    session = p.assume(p.objects("s3:PutObject", Null={"s3:if-none-match": "false"}))
    found = {
        "query": p.put("policy-query", session=session, query={"If-None-Match": "*"}),
        "header": p.put("policy-header", session=session, headers={"If-None-Match": "*"}),
        "none": p.put("policy-none", session=session),
    }
    expect(found["header"] == 200 and found["none"] == 403, str(found))
    applies = "applies to the query, so it can enforce create-only" if found["query"] == 200 else "does not apply to the query"
    return f"{found}: the policy {applies}"


def missing_key_with_prefix(p):
    objects = json.loads(p.objects("s3:GetObject"))["Statement"]
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": p.role.bucket_arn, "Condition": {"StringLike": {"s3:prefix": f"{p.prefix}*"}}}
    session = p.assume(json.dumps({"Version": "2012-10-17", "Statement": [*objects, listing]}, separators=(",", ":")))
    found = p.send("GET", "missing", session=session)
    without = p.send("GET", "missing", session=p.assume(p.objects("s3:GetObject")))
    expect(found in (403, 404) and without == 403, f"{found} {without}")
    return f"{found} with s3:prefix: " + ("as mode scoped assumes" if found == 404 else "change docs/OPERATIONS.md and `listing`")


def packed_policy(p):
    patterns = []
    policy = ""
    while len(policy) < 1900:
        patterns.append(f"{p.role.bucket_arn}/{secrets.token_hex(16)}/*")
        policy = statement(Effect="Allow", Action=["s3:GetObject"], Resource=patterns)
    packed = p.role.assume(policy)["PackedPolicySize"]
    return f"{len(policy)} of 2048 characters use {packed} % of the packed limit"


def etag_permission(p):
    p.put("etag")
    condition = {"If-Match": '"00000000000000000000000000000000"'}
    write_only = p.assume(p.objects("s3:PutObject", "s3:DeleteObject"))
    readable = p.assume(p.objects("s3:PutObject", "s3:DeleteObject", "s3:GetObject"))
    found = {
        "PUT": [p.put("etag", session=session, query=condition) for session in (write_only, readable)],
        "DELETE": [p.send("DELETE", "etag", session=session, headers=condition) for session in (write_only, readable)],
        "DELETE *": [p.send("DELETE", "absent", session=write_only, headers={"If-Match": "*"})],
    }
    expect(found == {"PUT": [403, 412], "DELETE": [403, 412], "DELETE *": [412]}, str(found))
    return "403 without s3:GetObject, 412 with it; DELETE with * does not need it"


def delete_condition_in_query(p):
    p.put("query-delete")
    found = p.send("DELETE", "query-delete", query={"If-Match": '"00000000000000000000000000000000"'})
    return f"{found}: " + ("S3 reads it from the query" if found == 412 else "S3 ignores it in the query, so it must stay a header")


PROBES = {
    4: [("the age limit of the bucket policy", age_limit)],
    16: [("create-only in lower case", lower_case_condition)],
    18: [("If-Match of a DELETE in the query", delete_condition_in_query)],
    24: [("other endpoints", endpoints)],
    35: [("the prefix of pending uploads", pending_prefix)],
    36: [("a signing time before the session", early_signature)],
    39: [("s3:if-none-match in a policy", create_only_policy)],
    40: [("a missing key with s3:prefix", missing_key_with_prefix)],
    42: [("the packed size of a policy", packed_policy)],
    43: [("If-Match without s3:GetObject", etag_permission)],
}
