"""Checks the properties of the expanded template that matter to an operator, for every combination of parameters that changes it.

`tests/template/run properties` runs this file in its virtual environment.
"""

import itertools
import json
import re
import sys
import tomllib
import traceback

from permissions import FORM, KMS, LISTINGS, LOGGING, REQUIRED, TRACING, WITHHELD, WITH_PARAMETER, actions_of_session_policies, granted, listings_of_the_code, operations_of_the_code
from stacks import ROOT, SOURCE, InvalidParameters, Stack

sys.path.insert(0, str(ROOT / "tests"))

from lib.results import Results  # noqa: E402

DIGEST = "0123456789abcdef" * 4
RULES = 'version = 1\n[[rule]]\nid = "mine"\nwho = ["authenticated"]\ncan = ["read"]\non = ["**"]\n'
ARN = "arn:aws:{}:eu-central-1:123456789012:{}"
DOMAIN = {"DomainName": "files.example.com", "CertificateArn": ARN.format("acm", "certificate/0123-abcd")}
KEY = ARN.format("kms", "key/0123-abcd")
FUNCTION_KEY = ARN.format("kms", "key/4567-abcd")
SECRET = ARN.format("secretsmanager", "secret:signpost/keys-AbCdEf")
KEYS = "k1:" + "A" * 43
TOPIC = ARN.format("sns", "alarms")
WEB_ACL = ARN.format("wafv2", "regional/webacl/signpost/0123-abcd")
REPLICA = "arn:aws:s3:::example-replica"
MORE = "arn:aws:s3:::example-archive,arn:aws:s3:::example.media"
MOUNT_ROLES = "arn:aws:iam::210987654321:role/archive,arn:aws:iam::123456789012:role/team/media"

CHOICES = {
    "Front": ["rest", "http-api", "function-url"],
    "ExistingBucket": ["", "example-bucket"],
    "TokenSha256": ["", DIGEST],
    "Rules": ["", RULES],
    "CorsOrigins": ["", "https://app.example.com,https://www.example.com"],
    "AccessLogs": ["no", "yes"],
    "ReservedConcurrency": [-1, 0, 20],
}
# Each of these is combined with every front, bucket and signing mode, with and without a domain name.
EXTRAS = [
    {},
    {"KmsKeyArn": KEY},
    {"ObjectLockDays": 30},
    {"ReplicationBucketArn": REPLICA},
    {"BucketAccessLogs": "yes"},
    {"Tracing": "yes"},
    {"Monitoring": "no"},
    {"Metrics": "yes"},
    {"RulesObject": "s3://example-rules/signpost/rules.toml"},
    {"RulesParameter": "/signpost/rules"},
    {"KeysParameter": "/signpost/keys"},
    {"KeysSecretArn": SECRET, "FunctionKmsKeyArn": FUNCTION_KEY},
    {"KeysParameter": "/signpost/keys", "ClientSecretArn": SECRET},
    {"Keys": KEYS, "ClientSecretParameter": "/signpost/client", "RulesParameter": "/signpost/rules"},
    {"KeysSecretArn": SECRET, "ClientSecretParameter": "/signpost/client", "KmsKeyArn": KEY, "FunctionKmsKeyArn": FUNCTION_KEY},
    {"FunctionKmsKeyArn": FUNCTION_KEY},
    {"MoreBuckets": MORE},
    {"MoreBuckets": "arn:aws:s3:eu-central-1:123456789012:accesspoint/archive,arn:aws:s3:::example-archive"},
    {"MoreBuckets": "arn:aws:s3:::example-archive", "KmsKeyArn": KEY, "MountRoles": MOUNT_ROLES},
    {"MountRoles": MOUNT_ROLES, "StoreKeyParameter": "/signpost/store"},
    {"StoreKeySecretArn": SECRET, "KeysParameter": "/signpost/keys"},
    {"StoreKeyParameter": "/signpost/store", "StoreKeySecretArn": SECRET},
    {"CreateTable": "yes"},
    {"AlarmTopicArn": TOPIC, "AlarmDailyRequests": 5},
    {"WebAclArn": WEB_ACL},
    {"HostedZoneId": "Z0123456789"},
    {"MaxExpiresSeconds": 300, "OldVersionDays": 7},
    {"CorsOrigins": "https://app.example.com"},
    {"PublicUrl": "https://cdn.example.com"},
]


def combinations():
    for values in itertools.product(*CHOICES.values()):
        yield dict(zip(CHOICES, values))
    fronts, buckets, signing = CHOICES["Front"], CHOICES["ExistingBucket"], ["signer", "scoped", "execution"]
    for front, bucket, mode, domain, extra in itertools.product(fronts, buckets, signing, [{}, DOMAIN], EXTRAS):
        yield {"Front": front, "ExistingBucket": bucket, "SigningMode": mode, **domain, **extra}
    place = {"RulesObject": "s3://example-rules/k"}
    yield from (place | {"Rules": RULES}, place | {"TokenSha256": DIGEST}, place | {"RulesParameter": "/k"})
    places = ("Keys", KEYS), ("KeysParameter", "/k"), ("KeysSecretArn", SECRET)
    secrets = ("ClientSecret", "s"), ("ClientSecretParameter", "/c"), ("ClientSecretArn", SECRET)
    for alternatives in places, secrets:
        yield from (dict(chosen) for size in (1, 2, 3) for chosen in itertools.combinations(alternatives, size))
    yield from ({}, {"Front": "http-api", "HttpStageName": "prod"}, {"Front": "rest", "StageName": "v1"}, {"Architecture": "x86_64"})


def must_be_rejected(given):
    """True if CloudFormation must reject these parameters before it creates a resource."""
    front = given.get("Front", "rest")
    return (
        ("DomainName" in given and front == "function-url")
        or ("WebAclArn" in given and front != "rest")
        or (("RulesObject" in given or "RulesParameter" in given) and (given.get("Rules") or given.get("TokenSha256")))
        or ("RulesObject" in given and "RulesParameter" in given)
        or len({"Keys", "KeysParameter", "KeysSecretArn"} & set(given)) > 1
        or {"StoreKeyParameter", "StoreKeySecretArn"} <= set(given)
        or len({"ClientSecret", "ClientSecretParameter", "ClientSecretArn"} & set(given)) > 1
        or ("KmsKeyArn" in given and given.get("SigningMode") == "scoped")
    )


STACKS = []
for given in combinations():
    try:
        STACKS.append(Stack(**given))
    except InvalidParameters:
        assert must_be_rejected(given), f"rejected: {given}"
    else:
        assert not must_be_rejected(given), f"not rejected: {given}"


# ---- properties of each stack ----


def only_the_chosen_front_exists(stack):
    fronts = {"rest": "AWS::ApiGateway::RestApi", "http-api": "AWS::ApiGatewayV2::Api", "function-url": "AWS::Lambda::Url"}
    for front, kind in fronts.items():
        assert len(stack.of_type(kind)) == (front == stack.parameters["Front"]), f"{kind} with Front={stack.parameters['Front']}"
    assert len(stack.of_type("AWS::Lambda::Function")) == 1


def the_default_rules_deny_everything(stack):
    """By default no caller has access. With a digest, only that token has access. The template itself never allows `anyone`."""
    settings = stack.the("AWS::Lambda::Function")["Environment"]["Variables"]
    text, source = settings["SIGNPOST_RULES"], settings["SIGNPOST_RULES_SOURCE"]
    parameter = stack.parameters["RulesParameter"]
    assert source == (stack.parameters["RulesObject"] or (f"ssm:{parameter}" if parameter else ""))
    if source:
        assert text == "", "the function would not start"
        return
    rules = tomllib.loads(text)
    assert rules["version"] == 1
    if stack.parameters["Rules"]:
        assert text == RULES
    elif stack.parameters["TokenSha256"]:
        assert set(rules) == {"version", "token", "rule"}
        assert rules["token"] == [{"id": "first", "sha256": DIGEST}]
        assert rules["rule"] == [{"id": "first-token", "who": ["token:first"], "can": ["read", "write", "delete", "list"], "on": ["**"]}]
    else:
        assert rules == {"version": 1}


def the_function_has_its_settings(stack):
    function = stack.the("AWS::Lambda::Function")
    assert function["Runtime"] == "provided.al2023" and function["Handler"] == "bootstrap"
    assert function["Architectures"] == [stack.parameters["Architecture"]]
    assert 128 <= function["MemorySize"] <= 256 and function["Timeout"] == 10
    assert function["LoggingConfig"] == {"LogGroup": "<FunctionLogGroup>", "LogFormat": "Text"}
    assert function["Role"] == "<FunctionRole.Arn>"
    reserved = stack.parameters["ReservedConcurrency"]
    assert function.get("ReservedConcurrentExecutions", -1) == reserved
    settings = function["Environment"]["Variables"]
    mode = stack.parameters["SigningMode"]
    assert function["TracingConfig"]["Mode"] == ("Active" if stack.parameters["Tracing"] == "yes" else "PassThrough")
    assert settings["SIGNPOST_SIGNER_ROLE_ARN"] == ("" if mode == "execution" else "<SignerRole.Arn>")
    assert settings["SIGNPOST_SIGNING_MODE"] == mode
    assert settings["SIGNPOST_METRICS"] == ("emf" if stack.parameters["Metrics"] == "yes" else "off")
    assert settings["SIGNPOST_BUCKET"] == (stack.parameters["ExistingBucket"] or "<Bucket>")
    has_domain = stack.parameters["DomainName"] and stack.parameters["Front"] != "function-url"
    domain_url = f"https://{stack.parameters['DomainName']}" if has_domain else ""
    assert settings["SIGNPOST_PUBLIC_URL"] == (stack.parameters["PublicUrl"] or domain_url)
    assert settings["SIGNPOST_CORS_ORIGINS"] == ",".join(stack.parameters["CorsOrigins"])
    assert function.get("KmsKeyArn", "") == stack.parameters["FunctionKmsKeyArn"]
    assert settings["SIGNPOST_KEYS"] == secret_setting(stack, "Keys", "KeysParameter", "KeysSecretArn")
    assert settings["SIGNPOST_CREDENTIALS_STORE"] == secret_setting(stack, None, "StoreKeyParameter", "StoreKeySecretArn")
    assert settings["SIGNPOST_CLIENT_SECRET"] == secret_setting(stack, "ClientSecret", "ClientSecretParameter", "ClientSecretArn")


def secret_setting(stack, value, parameter, secret):
    if stack.parameters[parameter]:
        return "ssm:" + stack.parameters[parameter]
    if stack.parameters[secret]:
        return "secretsmanager:" + stack.parameters[secret]
    return stack.parameters[value] if value else ""


def every_role_has_one_trusted_principal(stack):
    mode = stack.parameters["SigningMode"]
    trusted = {"FunctionRole": {"Service": "lambda.amazonaws.com"}}
    if mode != "execution":
        trusted["SignerRole"] = {"AWS": "<FunctionRole.Arn>"}
    if not stack.parameters["ExistingBucket"] and stack.parameters["ReplicationBucketArn"]:
        trusted["ReplicationRole"] = {"Service": "s3.amazonaws.com"}
    roles = stack.of_type("AWS::IAM::Role")
    assert set(roles) == set(trusted)
    for name, role in roles.items():
        assert "ManagedPolicyArns" not in role["Properties"]
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Effect"] == "Allow" and statement["Principal"] == trusted[name]
        actions = actions_of(statement)
        with_identity = name == "SignerRole" and mode == "scoped"
        assert actions == {"sts:AssumeRole"} | ({"sts:SetSourceIdentity"} if with_identity else set())
    for policy in stack.of_type("AWS::IAM::Policy").values():
        assert len(policy["Properties"]["Roles"]) == 1


def the_function_reads_only_its_own_secrets(stack, statements):
    """Checks the statements about secrets, and returns their actions."""
    chosen = {name: stack.parameters[name] for name in ("KeysParameter", "ClientSecretParameter", "StoreKeyParameter", "KeysSecretArn", "ClientSecretArn", "StoreKeySecretArn")}
    arn = "arn:aws:ssm:eu-central-1:123456789012:parameter{}".format
    expected = {
        "ReadSecretParameters": ("ssm:GetParameter", [arn(chosen[name]) for name in ("KeysParameter", "ClientSecretParameter", "StoreKeyParameter") if chosen[name]]),
        "ReadSecrets": ("secretsmanager:GetSecretValue", [chosen[name] for name in ("KeysSecretArn", "ClientSecretArn", "StoreKeySecretArn") if chosen[name]]),
        "DecryptSettings": ("kms:Decrypt", stack.parameters["FunctionKmsKeyArn"]),
    }
    expected = {sid: statement for sid, statement in expected.items() if statement[1]}
    assert {s["Sid"]: (s["Action"], s["Resource"]) for s in statements if s["Sid"] in ("ReadSecretParameters", "ReadSecrets", "DecryptSettings")} == expected
    return {action for action, _ in expected.values()}


def the_function_role_has_only_the_required_actions(stack):
    """Every action of the function's own role, in addition to those that sign."""
    statements = stack.statements("FunctionRole")
    own = {action for s in statements for action in actions_of(s)}
    expected = set(LOGGING)
    if stack.parameters["Tracing"] == "yes":
        expected |= TRACING
    rules_sources = {
        "s3:GetObject": "arn:aws:s3:::example-rules/signpost/rules.toml" if stack.parameters["RulesObject"] else None,
        "ssm:GetParameter": "arn:aws:ssm:eu-central-1:123456789012:parameter/signpost/rules" if stack.parameters["RulesParameter"] else None,
    }
    has_table = stack.parameters["CreateTable"] == "yes"
    assert [s for s in statements if s["Sid"] == "UseTable"] == has_table * [
        {"Sid": "UseTable", "Effect": "Allow", "Action": ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], "Resource": "<Table.Arn>"}
    ]
    expected |= {"dynamodb:BatchGetItem", "dynamodb:UpdateItem"} if has_table else set()
    read = {action: place for action, place in rules_sources.items() if place}
    assert {s["Action"]: s["Resource"] for s in statements if s["Sid"] == "ReadRules"} == read
    expected |= set(read)
    expected |= the_function_reads_only_its_own_secrets(stack, statements)
    roles = [role for role in stack.parameters["MountRoles"] if role]
    mounts = [s for s in statements if s["Sid"] == "AssumeMountRoles"]
    assert [s["Resource"] for s in mounts] == ([roles] if roles else [])
    for statement in mounts:
        expected |= actions_of(statement)
        assert actions_of(statement) == {"sts:AssumeRole"} | ({"sts:SetSourceIdentity"} if stack.parameters["SigningMode"] == "scoped" else set())
    if stack.parameters["SigningMode"] == "execution":
        expected |= granted() | (KMS if stack.parameters["KmsKeyArn"] else set())
    else:
        assume = next(s for s in statements if s["Sid"] == "AssumeSigner")
        (trust,) = stack.properties("SignerRole")["AssumeRolePolicyDocument"]["Statement"]
        assert assume["Resource"] == "<SignerRole.Arn>" and actions_of(assume) == actions_of(trust)
        expected |= actions_of(assume)
    assert own == expected, own ^ expected
    assert next(s for s in statements if actions_of(s) == LOGGING)["Resource"] == "<FunctionLogGroup.Arn>"
    assert all(actions_of(s) == TRACING for s in statements if s["Resource"] == "*")


def the_signer_has_only_the_required_actions(stack):
    bucket = stack.parameters["ExistingBucket"] or "<Bucket>"
    more = [arn for arn in stack.parameters["MoreBuckets"] if arn]
    statements = [s for s in stack.statements(stack.signer) if s["Sid"] not in ("ReadRules", "DecryptSettings") and any(a.startswith(("s3:", "kms:")) for a in actions_of(s))]
    if stack.signer == "SignerRole":
        assert statements == stack.statements("SignerRole"), "the signer has other actions too"
    found = set()
    for statement in statements:
        actions = actions_of(statement)
        assert statement["Effect"] == "Allow" and not any("*" in action for action in actions)
        assert not found & actions, "granted twice"
        found |= actions
        if actions & KMS:
            assert actions == KMS and statement["Resource"] == stack.parameters["KmsKeyArn"]
            assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}}
            continue
        auth_types = ["REST-QUERY-STRING", "POST"] if actions == FORM["PostObject"] else "REST-QUERY-STRING"
        assert statement["Condition"] == {"StringEquals": {"s3:ResourceAccount": "123456789012", "s3:authType": auth_types}}
        of_the_bucket = all(action.startswith("s3:ListBucket") for action in actions)
        buckets = [arn + ("" if of_the_bucket else "/*") for arn in (f"arn:aws:s3:::{bucket}", *more)]
        assert statement["Resource"] == (buckets if more else buckets[0])
    assert found == granted() | (KMS if stack.parameters["KmsKeyArn"] else set())
    assert not found & set(WITHHELD)


def the_bucket_is_private_and_is_preserved(stack):
    buckets = stack.of_type("AWS::S3::Bucket")
    policies = stack.of_type("AWS::S3::BucketPolicy")
    if stack.parameters["ExistingBucket"]:
        assert not buckets and not policies
        return
    logged = stack.parameters["BucketAccessLogs"] == "yes"
    assert set(buckets) == {"Bucket"} | ({"LogBucket"} if logged else set())
    assert {name.removesuffix("Policy") for name in policies} == set(buckets)
    for resource in [*buckets.values(), *policies.values()]:
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    for bucket in buckets.values():
        block = bucket["Properties"]["PublicAccessBlockConfiguration"]
        assert len(block) == 4 and all(value is True for value in block.values())
        assert bucket["Properties"]["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    bucket = stack.properties("Bucket")
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    key = stack.parameters["KmsKeyArn"]
    if key:
        assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}
    else:
        assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert ("LoggingConfiguration" in bucket) == logged


def the_lifecycle_removes_only_old_versions_and_unfinished_uploads(stack):
    if stack.parameters["ExistingBucket"]:
        return
    rules = stack.properties("Bucket")["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    assert [{key: value for key, value in rule.items() if key not in ("Id", "Status")} for rule in rules] == [
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": stack.parameters["OldVersionDays"]}, "ExpiredObjectDeleteMarker": True},
    ]


def the_bucket_allows_the_configured_origins(stack):
    if stack.parameters["ExistingBucket"]:
        return
    origins = [origin for origin in stack.parameters["CorsOrigins"] if origin]
    if stack.parameters["DomainName"]:
        origins = ["https://files.example.com", *origins]
    bucket = stack.properties("Bucket")
    if not origins:
        assert "CorsConfiguration" not in bucket
        return
    (rule,) = bucket["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == origins and "*" not in origins
    code = (ROOT / "src/operation/parameter.rs").read_text()
    checksums = {f"x-amz-checksum-{name}" for name in (*re.findall(r'checksum!\("([a-z0-9]+)"\)', code), "type")}
    assert len(checksums) == 11 and checksums | {"ETag"} <= set(rule["ExposedHeaders"])
    methods = set(re.findall(r"Method::([A-Z]+)", (ROOT / "src/operation.rs").read_text()))
    assert set(rule["AllowedMethods"]) == methods


def the_bucket_policy_limits_lifetimes_and_requires_tls(stack):
    if stack.parameters["ExistingBucket"]:
        return
    statements = {s["Sid"]: s for s in stack.properties("BucketPolicy")["PolicyDocument"]["Statement"]}
    assert all(s["Effect"] == "Deny" and s["Principal"] == "*" and s["Action"] == "s3:*" for s in statements.values())
    assert all(s["Resource"] == ["<Bucket.Arn>", "<Bucket.Arn>/*"] for s in statements.values())
    assert {sid: s["Condition"] for sid, s in statements.items()} == {
        "DenyInsecureTransport": {"Bool": {"aws:SecureTransport": "false"}},
        "DenyTlsBelow12": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        "DenySignatureVersion2": {"StringEquals": {"s3:signatureversion": "AWS"}},
        "DenyOldSignatures": {"NumericGreaterThan": {"s3:signatureAge": str(stack.parameters["MaxExpiresSeconds"] * 1000)}},
    }


def the_function_has_the_same_maximum_lifetime_as_the_bucket(stack):
    settings = stack.the("AWS::Lambda::Function")["Environment"]["Variables"]
    assert settings["SIGNPOST_MAX_EXPIRES"] == f"{stack.parameters['MaxExpiresSeconds']}s"


def object_lock_replication_and_logs_are_optional(stack):
    if stack.parameters["ExistingBucket"]:
        return
    bucket = stack.properties("Bucket")
    days = stack.parameters["ObjectLockDays"]
    assert bucket.get("ObjectLockEnabled", False) is bool(days)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}}
    assert bucket.get("ObjectLockConfiguration") == (lock if days else None)
    if stack.parameters["ReplicationBucketArn"]:
        (rule,) = bucket["ReplicationConfiguration"]["Rules"]
        assert bucket["ReplicationConfiguration"]["Role"] == "<ReplicationRole.Arn>" and rule["Destination"] == {"Bucket": REPLICA}
        by_resource = {s["Resource"]: actions_of(s) for s in stack.statements("ReplicationRole")}
        assert by_resource == {
            "<Bucket.Arn>": {"s3:GetReplicationConfiguration", "s3:ListBucket"},
            "<Bucket.Arn>/*": {"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"},
            f"{REPLICA}/*": {"s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"},
        }
    else:
        assert "ReplicationConfiguration" not in bucket
    if stack.parameters["BucketAccessLogs"] == "yes":
        assert bucket["LoggingConfiguration"] == {"DestinationBucketName": "<LogBucket>", "LogFilePrefix": "s3/"}
        deliver, tls = stack.properties("LogBucketPolicy")["PolicyDocument"]["Statement"]
        assert deliver["Principal"] == {"Service": "logging.s3.amazonaws.com"} and deliver["Action"] == "s3:PutObject"
        assert deliver["Resource"] == "<LogBucket.Arn>/s3/*"
        assert deliver["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}, "ArnEquals": {"aws:SourceArn": "<Bucket.Arn>"}}
        assert tls["Effect"] == "Deny" and tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        (rule,) = stack.properties("LogBucket")["LifecycleConfiguration"]["Rules"]
        assert rule["ExpirationInDays"] == stack.parameters["LogRetentionDays"]


def logs_expire(stack):
    groups = stack.of_type("AWS::Logs::LogGroup")
    assert groups and all(group["Properties"]["RetentionInDays"] == 30 for group in groups.values())


def access_logs_contain_no_query(stack):
    stages = [*stack.of_type("AWS::ApiGateway::Stage").values(), *stack.of_type("AWS::ApiGatewayV2::Stage").values()]
    for stage in stages:
        settings = stage["Properties"].get("AccessLogSetting") or stage["Properties"].get("AccessLogSettings")
        assert bool(settings) == (stack.parameters["AccessLogs"] == "yes")
        if settings:
            variables = set(re.findall(r"\$context\.[A-Za-z.]+", settings["Format"]))
            allowed = {"requestId", "requestTime", "identity.sourceIp", "httpMethod", "status", "responseLength", "responseLatency", "integration.status", "error.responseType"}
            allowed |= {"path"} if stack.parameters["Front"] == "rest" else set()
            assert {v.removeprefix("$context.") for v in variables} == allowed
            json.loads(settings["Format"])
    if not stages:
        assert len(stack.of_type("AWS::Logs::LogGroup")) == 1


def the_rest_api_preserves_requests_and_caches_nothing(stack):
    if stack.parameters["Front"] != "rest":
        return
    api, stage = stack.the("AWS::ApiGateway::RestApi"), stack.the("AWS::ApiGateway::Stage")
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    assert api["Body"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert set(api["Body"]["paths"]) == {"/", "/{proxy+}"}
    for operations in api["Body"]["paths"].values():
        (method,) = operations.items()
        assert method[0] == "x-amazon-apigateway-any-method"
        integration = method[1]["x-amazon-apigateway-integration"]
        assert integration["type"] == "aws_proxy" and not integration.get("cacheKeyParameters")
    assert stage["StageName"] == stack.parameters["StageName"]
    assert stage["TracingEnabled"] is (stack.parameters["Tracing"] == "yes")
    assert stage.get("CacheClusterEnabled", False) is False
    (settings,) = stage["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["CachingEnabled"] is False and settings["DataTraceEnabled"] is False and settings["LoggingLevel"] == "OFF"
    assert settings["ThrottlingRateLimit"] > 0 and settings["ThrottlingBurstLimit"] > 0


def the_http_api_uses_payload_format_2(stack):
    if stack.parameters["Front"] != "http-api":
        return
    api, stage = stack.the("AWS::ApiGatewayV2::Api"), stack.the("AWS::ApiGatewayV2::Stage")
    (path, operations), = api["Body"]["paths"].items()
    method = operations["x-amazon-apigateway-any-method"]
    assert path == "/$default" and method["isDefaultRoute"] is True
    assert method["x-amazon-apigateway-integration"]["payloadFormatVersion"] == "2.0"
    assert "CorsConfiguration" not in api and "x-amazon-apigateway-cors" not in api["Body"], "Signpost itself responds to preflight requests"
    assert stage["StageName"] == stack.parameters["HttpStageName"] and stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def only_the_front_may_invoke(stack):
    permissions = [p["Properties"] for p in stack.of_type("AWS::Lambda::Permission").values()]
    if stack.parameters["Front"] == "function-url":
        assert {p["Action"] for p in permissions} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
        assert all(p.get("FunctionUrlAuthType") == "NONE" or p.get("InvokedViaFunctionUrl") is True for p in permissions)
        return
    (permission,) = permissions
    api = {"rest": "<RestApi>", "http-api": "<HttpApi>"}[stack.parameters["Front"]]
    assert permission["Principal"] == "apigateway.amazonaws.com" and permission["Action"] == "lambda:InvokeFunction"
    assert permission["SourceArn"] == f"arn:aws:execute-api:eu-central-1:123456789012:{api}/*"


def the_outputs_are_commands(stack):
    url = stack.outputs["Url"]
    parameters = stack.parameters
    assert url == {
        "rest": f"https://<RestApi>.execute-api.eu-central-1.amazonaws.com/{parameters['StageName']}/",
        "http-api": "https://<HttpApi>.execute-api.eu-central-1.amazonaws.com/"
        + ("" if parameters["HttpStageName"] == "$default" else parameters["HttpStageName"] + "/"),
        "function-url": "<FunctionUrl.FunctionUrl>" if parameters["Front"] == "function-url" else None,
    }[parameters["Front"]] if not parameters["DomainName"] else "https://files.example.com/"
    assert stack.outputs["CliSetup"] == f'export SIGNPOST_URL={url} SIGNPOST_TOKEN="$TOKEN"'
    assert ("DashboardUrl" in stack.outputs) == (parameters["Monitoring"] == "yes")
    for name in ("Upload", "UploadAnySize", "Download", "Delete"):
        line = stack.outputs[name]
        assert line.startswith("curl -f") and url in line and '"Authorization: Bearer $TOKEN"' in line
    assert all("-fL" in stack.outputs[name] for name in ("Upload", "Download", "Delete"))
    assert "?url&contentLength=$(wc -c <big.iso | tr -d ' ')" in stack.outputs["UploadAnySize"]


def the_table_has_the_schema_of_the_code(stack):
    settings = stack.the("AWS::Lambda::Function")["Environment"]["Variables"]
    tables = stack.of_type("AWS::DynamoDB::Table")
    assert settings["SIGNPOST_TABLE"] == ("<Table>" if tables else "") and bool(tables) == (stack.parameters["CreateTable"] == "yes")
    for table in tables.values():
        properties, code = table["Properties"], (ROOT / "src/outbound/aws/dynamodb.rs").read_text()
        assert properties["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
        assert properties["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}] and '"Key": {"id": {"S":' in code
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "ends", "Enabled": True} and '"#ends": "ends"' in code
        assert set(re.findall(r'service\.call\("(\w+)"', code)) == {"BatchGetItem", "UpdateItem"}, "the code uses another action"
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain", "without the table, objects cannot be found"
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def every_name_of_the_rest_api_requires_tls_1_2(stack):
    for api in stack.of_type("AWS::ApiGateway::RestApi").values():
        # Without a policy, the default name accepts TLS 1.0
        # (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html).
        body = api["Properties"]["Body"]
        assert body["x-amazon-apigateway-security-policy"].startswith("SecurityPolicy_TLS13_1_2_"), "TLS 1.2 and 1.3"
        assert body["x-amazon-apigateway-endpoint-access-mode"] == "BASIC", "a policy of this kind requires an access mode"
        assert api["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}, "policies with _EDGE are for other types"


def a_domain_is_mapped_to_the_front(stack):
    parameters = stack.parameters
    has = bool(parameters["DomainName"])
    rest, http = parameters["Front"] == "rest" and has, parameters["Front"] == "http-api" and has
    assert set(stack.of_type("AWS::ApiGateway::DomainName")) == ({"RestDomain"} if rest else set())
    assert set(stack.of_type("AWS::ApiGatewayV2::DomainName")) == ({"HttpDomain"} if http else set())
    if rest:
        domain, mapping = stack.properties("RestDomain"), stack.properties("RestMapping")
        assert domain["SecurityPolicy"] == "TLS_1_2" and domain["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
        assert mapping == {"DomainName": "<RestDomain>", "RestApiId": "<RestApi>", "Stage": "<RestApiStage>"}
    if http:
        (configuration,) = stack.properties("HttpDomain")["DomainNameConfigurations"]
        assert configuration["SecurityPolicy"] == "TLS_1_2" and configuration["EndpointType"] == "REGIONAL"
        assert stack.properties("HttpMapping") == {"DomainName": "<HttpDomain>", "ApiId": "<HttpApi>", "Stage": "<HttpApiStage>"}
    records = stack.of_type("AWS::Route53::RecordSet")
    assert len(records) == (has and bool(parameters["HostedZoneId"]))
    for record in records.values():
        owner = "RestDomain" if rest else "HttpDomain"
        assert record["Properties"]["AliasTarget"]["DNSName"] == f"<{owner}.RegionalDomainName>"


def a_web_acl_is_attached_to_the_stage(stack):
    found = stack.of_type("AWS::WAFv2::WebACLAssociation")
    assert len(found) == bool(stack.parameters["WebAclArn"])
    for association in found.values():
        arn = "arn:aws:apigateway:eu-central-1::/restapis/<RestApi>/stages/<RestApiStage>"
        assert association["Properties"] == {"WebACLArn": WEB_ACL, "ResourceArn": arn}


# The metrics that AWS publishes, and their dimensions
# (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html,
# .../http-api-metrics.html, https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html).
PUBLISHED = {
    ("rest", "AWS/ApiGateway"): ({"Count", "4XXError", "5XXError", "Latency"}, {"ApiName": "signpost", "Stage": "{StageName}"}),
    ("http-api", "AWS/ApiGateway"): ({"Count", "4xx", "5xx", "Latency"}, {"ApiId": "<HttpApi>", "Stage": "{HttpStageName}"}),
    ("function-url", "AWS/Lambda"): ({"UrlRequestCount", "Url4xxCount", "Url5xxCount", "UrlRequestLatency"}, {"FunctionName": "<Function>"}),
    ("any", "AWS/Lambda"): ({"Throttles", "Errors", "Invocations", "Duration"}, {"FunctionName": "<Function>"}),
}


def check_metric(stack, namespace, name, dimensions):
    if namespace.startswith("Signpost"):
        made = [t for f in stack.of_type("AWS::Logs::MetricFilter").values() for t in f["Properties"]["MetricTransformations"]]
        assert (namespace, name) in [(t["MetricNamespace"], t["MetricName"]) for t in made] and not dimensions
        return
    fronts = (stack.parameters["Front"], "any")
    published = [PUBLISHED[front, namespace] for front in fronts if (front, namespace) in PUBLISHED]
    expected = [(names, {key: value.format(**stack.parameters) for key, value in wanted.items()}) for names, wanted in published]
    assert any(name in names and dimensions == wanted for names, wanted in expected), (namespace, name, dimensions)


def each_alarm_has_a_metric(stack):
    alarms = {name: alarm["Properties"] for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items()}
    if stack.parameters["Monitoring"] == "no":
        assert not alarms and not stack.of_type("AWS::Logs::MetricFilter") and not stack.of_type("AWS::CloudWatch::Dashboard")
        return
    assert set(alarms) == {"ErrorsAlarm", "ThrottlesAlarm", "SignerAlarm", "CostAlarm"}
    for alarm in alarms.values():
        dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
        check_metric(stack, alarm["Namespace"], alarm["MetricName"], dimensions)
        topic = stack.parameters["AlarmTopicArn"]
        assert alarm.get("AlarmActions") == alarm.get("OKActions") == ([topic] if topic else None)
        assert alarm["TreatMissingData"] == "notBreaching" and alarm["AlarmDescription"]
    assert alarms["CostAlarm"]["Threshold"] == stack.parameters["AlarmDailyRequests"] and alarms["CostAlarm"]["Period"] == 86400


def the_dashboard_shows_existing_metrics(stack):
    for dashboard in stack.of_type("AWS::CloudWatch::Dashboard").values():
        widgets = json.loads(dashboard["Properties"]["DashboardBody"])["widgets"]
        for widget in widgets:
            for namespace, name, *rest in widget["properties"].get("metrics", []):
                words = [word for word in rest if isinstance(word, str)]
                check_metric(stack, namespace, name, dict(zip(words[::2], words[1::2])))
        assert any("<FunctionLogGroup>" in widget["properties"].get("query", "") for widget in widgets)


def actions_of(statement):
    return {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])


# ---- properties of the file ----


def every_parameter_is_described_and_grouped():
    groups = SOURCE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(SOURCE["Parameters"]), set(grouped) ^ set(SOURCE["Parameters"])
    for name, parameter in SOURCE["Parameters"].items():
        assert parameter.get("Description", "").endswith((".", "sha256sum")), f"{name} has no description"
        assert "Default" in parameter, f"{name} has no default"


def every_parameter_and_condition_is_used():
    text = json.dumps({key: value for key, value in SOURCE.items() if key not in ("Parameters", "Metadata")})
    for name in SOURCE["Parameters"]:
        assert f'"Ref": "{name}"' in text or f"${{{name}}}" in text, f"{name} is not used"
    for name in SOURCE["Conditions"]:
        assert text.count(f'"{name}"') > 1, f"{name} is not used"


def the_token_parameter_accepts_only_digests():
    pattern = SOURCE["Parameters"]["TokenSha256"]["AllowedPattern"]
    for value in ("x", DIGEST.upper(), DIGEST[:-1], DIGEST + "0", DIGEST + '"\n[[rule]]', "secret"):
        assert not re.fullmatch(pattern, value), value


def the_code_knows_every_setting():
    code = (ROOT / "src/config.rs").read_text()
    variables = SOURCE["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    for name in variables:
        # The names of access keys have no declaration of their own.
        name = "SIGNPOST_CREDENTIALS_" if name == "SIGNPOST_CREDENTIALS_STORE" else name
        assert f'"{name}"' in code, f"src/config.rs does not contain {name}"


def the_table_of_permissions_matches_the_code():
    assert set(REQUIRED) == operations_of_the_code(), set(REQUIRED) ^ operations_of_the_code()
    assert set(LISTINGS) == listings_of_the_code(), set(LISTINGS) ^ listings_of_the_code()
    known = set().union(*REQUIRED.values(), WITH_PARAMETER.values(), *LISTINGS.values())
    assert known == actions_of_session_policies(), known ^ actions_of_session_policies()
    parameters = (ROOT / "src/operation/parameter.rs").read_text()
    assert all(f'"{parameter}"' in parameters for _, parameter in WITH_PARAMETER)


def limits_match_the_code():
    code = (ROOT / "src/policy/constraints.rs").read_text()
    minutes = {name: int(value) for name, value in re.findall(r"pub const (\w+): Duration = Duration::from_mins\((\d+)\);", code)}
    parameter = SOURCE["Parameters"]["MaxExpiresSeconds"]
    assert parameter["MaxValue"] == parameter["Default"] == minutes["MAX_EXPIRES"] * 60
    assert parameter["MinValue"] == minutes["DEFAULT_EXPIRES"] * 60, "the function would not start with the default rules"
    assert 'default Some("15m"), max_expires' in (ROOT / "src/config.rs").read_text()


def the_metric_filter_matches_the_log():
    pattern = SOURCE["Resources"]["FailureMetricFilter"]["Properties"]["FilterPattern"]
    field, value = re.fullmatch(r'\{ \$\.(\w+) = "([^"]+)" \}', pattern).groups()
    code = (ROOT / "src/service/request_log.rs").read_text()
    assert field == "message" and re.search(rf'pub\(super\) fn failed.*?Self::new\("{value}"\)', code, re.DOTALL)
    query = json.dumps(SOURCE["Resources"]["Dashboard"]["Properties"]["DashboardBody"])
    assert "message = 'refused'" in query and 'Self::new("refused")' in code and "code = self.code," in code


def each_suppression_has_a_reason():
    lines = (ROOT / "template.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.search(r"ignore_checks|- id: CKV", line):
            follows = lines[number + 1] if number + 1 < len(lines) else ""
            assert re.search(r"\] # \w", line) or re.search(r"comment: \S+ \S+", line + follows), line


def the_build_uses_the_right_binary():
    metadata = SOURCE["Resources"]["Function"]["Metadata"]
    assert metadata["BuildMethod"] == "rust-cargolambda" and metadata["BuildProperties"] == {"Binary": "signpost-lambda"}
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert "signpost-lambda" in [binary["name"] for binary in cargo["bin"]]


def deployments_require_confirmation():
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]
    deploy = config["deploy"]["parameters"]
    assert deploy["confirm_changeset"] is True and deploy["capabilities"] == "CAPABILITY_IAM"
    assert "parameter_overrides" not in deploy, "the template's defaults are the safe ones"


STACK_TESTS = [
    only_the_chosen_front_exists,
    the_default_rules_deny_everything,
    the_function_has_its_settings,
    every_role_has_one_trusted_principal,
    the_function_role_has_only_the_required_actions,
    the_signer_has_only_the_required_actions,
    the_bucket_is_private_and_is_preserved,
    the_lifecycle_removes_only_old_versions_and_unfinished_uploads,
    the_bucket_allows_the_configured_origins,
    the_bucket_policy_limits_lifetimes_and_requires_tls,
    the_function_has_the_same_maximum_lifetime_as_the_bucket,
    object_lock_replication_and_logs_are_optional,
    logs_expire,
    access_logs_contain_no_query,
    the_rest_api_preserves_requests_and_caches_nothing,
    the_http_api_uses_payload_format_2,
    only_the_front_may_invoke,
    the_outputs_are_commands,
    the_table_has_the_schema_of_the_code,
    every_name_of_the_rest_api_requires_tls_1_2,
    a_domain_is_mapped_to_the_front,
    a_web_acl_is_attached_to_the_stage,
    each_alarm_has_a_metric,
    the_dashboard_shows_existing_metrics,
]
FILE_TESTS = [
    every_parameter_is_described_and_grouped,
    every_parameter_and_condition_is_used,
    the_token_parameter_accepts_only_digests,
    the_code_knows_every_setting,
    the_table_of_permissions_matches_the_code,
    limits_match_the_code,
    the_metric_filter_matches_the_log,
    each_suppression_has_a_reason,
    the_build_uses_the_right_binary,
    deployments_require_confirmation,
]


def main():
    results = Results(quiet=True)
    for test in STACK_TESTS:
        results.run(test.__name__, lambda test=test: run_for_each_stack(test), describe=lambda _: traceback.format_exc(limit=-1))
    for test in FILE_TESTS:
        results.run(test.__name__, test, describe=lambda _: traceback.format_exc(limit=-1))
    print(f"{len(STACKS)} stacks checked")
    return results.close()


def run_for_each_stack(test):
    for stack in STACKS:
        try:
            test(stack)
        except Exception as error:
            error.add_note(f"parameters: {stack.label}")
            raise


if __name__ == "__main__":
    sys.exit(main())
