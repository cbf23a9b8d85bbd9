"""Holds the expanded template to the properties that a careful operator would look for, for every combination of parameters that changes it.

Run by tests/sam/run in its virtual environment. Prints one line for each failure and a closing line.
"""

import itertools
import json
import logging
import os
import re
import sys
import tomllib
import traceback
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

logging.disable(logging.WARNING)  # samtranslator tells of feature toggles that it cannot fetch
ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = yaml_parse((ROOT / "template.yaml").read_text())
DIGEST = "0123456789abcdef" * 4
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "signpost",
    "AWS::URLSuffix": "amazonaws.com",
}

# What each presigned operation needs of the role that signs it.
NEEDED = {
    "GetObject, HeadObject": {"s3:GetObject"},
    "GetObject with versionId": {"s3:GetObjectVersion"},
    "PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload": {"s3:PutObject"},
    "DeleteObject": {"s3:DeleteObject"},
    "ListParts": {"s3:ListMultipartUploadParts"},
    "AbortMultipartUpload": {"s3:AbortMultipartUpload"},
    "404 for a missing key, and listings": {"s3:ListBucket"},
}
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}


# ---- expansion ----


class NoManagedPolicies:
    """Stands in for the list of managed policies, which AWS would have to be asked for."""

    max_items = 0

    def load(self):
        return {}


def expanded():
    """The CloudFormation that the template stands for, conditions and all."""
    template = json.loads(json.dumps(SOURCE))
    template["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://example-artifacts/function.zip"
    return transform(template, {}, NoManagedPolicies())


EXPANDED = expanded()


class NoValue:
    pass


class Stack:
    """The resources and outputs that one set of parameters leads to, with functions resolved as far as the tests need."""

    def __init__(self, **given):
        declared = SOURCE["Parameters"]
        unknown = set(given) - set(declared)
        assert not unknown, f"no such parameter: {unknown}"
        self.parameters = {name: given.get(name, parameter["Default"]) for name, parameter in declared.items()}
        for name, value in self.parameters.items():
            check_parameter(name, declared[name], value)
            if declared[name]["Type"] == "CommaDelimitedList":
                self.parameters[name] = value.split(",")
        self.label = ", ".join(f"{name}={value}" for name, value in given.items() if name != "Rules") or "defaults"
        self.resources = {
            name: self.resolve(resource)
            for name, resource in EXPANDED["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }
        self.outputs = {name: self.resolve(output["Value"]) for name, output in EXPANDED["Outputs"].items()}

    def holds(self, condition):
        return self.truth(EXPANDED["Conditions"][condition])

    def truth(self, node):
        (name, value), = node.items()
        if name == "Condition":
            return self.holds(value)
        if name == "Fn::Equals":
            first, second = (self.resolve(part) for part in value)
            return str(first) == str(second)
        if name == "Fn::Not":
            return not self.truth(value[0])
        if name == "Fn::And":
            return all(self.truth(part) for part in value)
        if name == "Fn::Or":
            return any(self.truth(part) for part in value)
        raise AssertionError(f"unknown condition function {name}")

    def reference(self, name):
        if name == "AWS::NoValue":
            return NoValue
        return self.parameters.get(name, PSEUDO.get(name, f"<{name}>"))

    def resolve(self, node):
        if isinstance(node, list):
            return [value for value in map(self.resolve, node) if value is not NoValue]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, value), = node.items()
            if name == "Ref":
                return self.reference(value)
            if name == "Fn::If":
                return self.resolve(value[1] if self.holds(value[0]) else value[2])
            if name == "Fn::GetAtt":
                return f"<{'.'.join(value) if isinstance(value, list) else value}>"
            if name == "Fn::Join":
                return value[0].join(map(str, self.resolve(value[1])))
            if name == "Fn::Sub":
                text, variables = (value, {}) if isinstance(value, str) else value
                variables = {key: self.resolve(part) for key, part in variables.items()}
                return re.sub(r"\$\{([^!}][^}]*)\}", lambda m: str(variables.get(m[1], self.reference(m[1]))), text)
        return {key: value for key, value in ((k, self.resolve(v)) for k, v in node.items()) if value is not NoValue}

    def of_type(self, kind):
        return {name: resource for name, resource in self.resources.items() if resource["Type"] == kind}

    def the(self, kind):
        found = list(self.of_type(kind).values())
        assert len(found) == 1, f"{len(found)} resources of type {kind}"
        return found[0].get("Properties", {})


def check_parameter(name, declared, value):
    if "AllowedPattern" in declared:
        assert re.fullmatch(declared["AllowedPattern"], value), f"{name} refuses {value!r}"
    if "AllowedValues" in declared:
        assert value in declared["AllowedValues"], f"{name} refuses {value!r}"


RULES = 'version = 1\n[[rule]]\nid = "mine"\nwho = ["authenticated"]\ncan = ["read"]\non = ["**"]\n'
CHOICES = {
    "Front": ["rest", "http", "url"],
    "ExistingBucket": ["", "example-bucket"],
    "TokenSha256": ["", DIGEST],
    "Rules": ["", RULES],
    "CorsOrigins": ["", "https://app.example.com,https://www.example.com"],
    "AccessLogs": ["no", "yes"],
    "ReservedConcurrency": [-1, 0, 20],
}
STACKS = [Stack(**dict(zip(CHOICES, values))) for values in itertools.product(*CHOICES.values())]
STACKS += [Stack(), Stack(Front="http", HttpStageName="prod"), Stack(Front="rest", StageName="v1"), Stack(Architecture="x86_64")]


# ---- properties of each stack ----


def each_front_alone(stack):
    fronts = {"rest": "AWS::ApiGateway::RestApi", "http": "AWS::ApiGatewayV2::Api", "url": "AWS::Lambda::Url"}
    for front, kind in fronts.items():
        assert len(stack.of_type(kind)) == (front == stack.parameters["Front"]), f"{kind} with Front={stack.parameters['Front']}"
    assert len(stack.of_type("AWS::Lambda::Function")) == 1


def rules_are_closed(stack):
    """Without a word from the operator nobody may do anything; with a digest only that token may; `anyone` is never shipped."""
    text = stack.the("AWS::Lambda::Function")["Environment"]["Variables"]["SIGNPOST_RULES"]
    rules = tomllib.loads(text)
    assert rules["version"] == 1
    if stack.parameters["Rules"]:
        assert text == RULES
    elif stack.parameters["TokenSha256"]:
        assert set(rules) == {"version", "token", "rule"}
        assert rules["token"] == [{"id": "first", "sha256": DIGEST}]
        assert rules["rule"] == [{"id": "first-token", "who": ["token:first"], "can": ["read", "write", "delete"], "on": ["**"]}]
    else:
        assert rules == {"version": 1}


def function_is_as_built(stack):
    function = stack.the("AWS::Lambda::Function")
    assert function["Runtime"] == "provided.al2023" and function["Handler"] == "bootstrap"
    assert function["Architectures"] == [stack.parameters["Architecture"]]
    assert 128 <= function["MemorySize"] <= 256 and function["Timeout"] == 10
    assert function["LoggingConfig"] == {"LogGroup": "<FunctionLogGroup>", "LogFormat": "Text"}
    assert function["Role"] == "<FunctionRole.Arn>"
    reserved = stack.parameters["ReservedConcurrency"]
    assert function.get("ReservedConcurrentExecutions", -1) == reserved
    settings = function["Environment"]["Variables"]
    assert set(settings) == {"SIGNPOST_BUCKET", "SIGNPOST_CORS_ORIGINS", "SIGNPOST_LOG", "SIGNPOST_RULES", "SIGNPOST_SHARE_KEYS"}
    assert settings["SIGNPOST_BUCKET"] == (stack.parameters["ExistingBucket"] or "<Bucket>")
    assert settings["SIGNPOST_CORS_ORIGINS"] == ",".join(stack.parameters["CorsOrigins"])


def role_grants_what_is_needed_and_no_more(stack):
    role = stack.the("AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    trust = role["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in trust] == [{"Service": "lambda.amazonaws.com"}]
    bucket = stack.parameters["ExistingBucket"] or "<Bucket>"
    granted = set()
    for statement in (s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]):
        actions = {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
        assert statement["Effect"] == "Allow" and not any("*" in action for action in actions)
        assert not granted & actions, "granted twice"
        granted |= actions
        if actions & LOGGING:
            assert actions == LOGGING and statement["Resource"] == "<FunctionLogGroup.Arn>"
            continue
        assert statement["Condition"] == {"StringEquals": {"s3:ResourceAccount": "123456789012"}}
        objects = actions != {"s3:ListBucket"}
        assert statement["Resource"] == f"arn:aws:s3:::{bucket}" + ("/*" if objects else "")
    assert granted == LOGGING.union(*NEEDED.values()), granted ^ LOGGING.union(*NEEDED.values())


def bucket_is_kept_and_shut(stack):
    buckets = stack.of_type("AWS::S3::Bucket")
    if stack.parameters["ExistingBucket"]:
        assert not buckets and not stack.of_type("AWS::S3::BucketPolicy")
        return
    for resource in [*buckets.values(), *stack.of_type("AWS::S3::BucketPolicy").values()]:
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    bucket = stack.the("AWS::S3::Bucket")
    block = bucket["PublicAccessBlockConfiguration"]
    assert len(block) == 4 and all(value is True for value in block.values())
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    lifecycle = bucket["LifecycleConfiguration"]["Rules"]
    assert [rule["AbortIncompleteMultipartUpload"] for rule in lifecycle if rule["Status"] == "Enabled"] == [{"DaysAfterInitiation": 7}]
    assert not any("Expiration" in key for rule in lifecycle for key in rule), "nothing may expire objects"
    if stack.parameters["CorsOrigins"] == [""]:
        assert "CorsConfiguration" not in bucket
    else:
        (rule,) = bucket["CorsConfiguration"]["CorsRules"]
        assert rule["AllowedOrigins"] == stack.parameters["CorsOrigins"] and "ETag" in rule["ExposedHeaders"]


def bucket_policy_caps_and_wants_tls(stack):
    if stack.parameters["ExistingBucket"]:
        return
    statements = {s["Sid"]: s for s in stack.the("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]}
    assert all(s["Effect"] == "Deny" and s["Principal"] == "*" and s["Action"] == "s3:*" for s in statements.values())
    assert all(s["Resource"] == ["<Bucket.Arn>", "<Bucket.Arn>/*"] for s in statements.values())
    conditions = [s["Condition"] for s in statements.values()]
    assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
    assert {"NumericGreaterThan": {"s3:signatureAge": 15 * 60 * 1000}} in conditions


def logs_end(stack):
    groups = stack.of_type("AWS::Logs::LogGroup")
    assert groups and all(group["Properties"]["RetentionInDays"] == 30 for group in groups.values())


def access_logs_tell_no_query(stack):
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


def rest_api_is_exact_and_uncached(stack):
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
    assert stage.get("CacheClusterEnabled", False) is False
    (settings,) = stage["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["CachingEnabled"] is False and settings["DataTraceEnabled"] is False and settings["LoggingLevel"] == "OFF"
    assert settings["ThrottlingRateLimit"] > 0 and settings["ThrottlingBurstLimit"] > 0


def http_api_has_payload_2(stack):
    if stack.parameters["Front"] != "http":
        return
    api, stage = stack.the("AWS::ApiGatewayV2::Api"), stack.the("AWS::ApiGatewayV2::Stage")
    (path, operations), = api["Body"]["paths"].items()
    method = operations["x-amazon-apigateway-any-method"]
    assert path == "/$default" and method["isDefaultRoute"] is True
    assert method["x-amazon-apigateway-integration"]["payloadFormatVersion"] == "2.0"
    assert "CorsConfiguration" not in api and "x-amazon-apigateway-cors" not in api["Body"], "Signpost answers preflights itself"
    assert stage["StageName"] == stack.parameters["HttpStageName"] and stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def only_the_front_may_invoke(stack):
    permissions = [p["Properties"] for p in stack.of_type("AWS::Lambda::Permission").values()]
    if stack.parameters["Front"] == "url":
        assert {p["Action"] for p in permissions} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
        assert all(p.get("FunctionUrlAuthType") == "NONE" or p.get("InvokedViaFunctionUrl") is True for p in permissions)
        return
    (permission,) = permissions
    api = {"rest": "<RestApi>", "http": "<HttpApi>"}[stack.parameters["Front"]]
    assert permission["Principal"] == "apigateway.amazonaws.com" and permission["Action"] == "lambda:InvokeFunction"
    assert permission["SourceArn"] == f"arn:aws:execute-api:eu-central-1:123456789012:{api}/*"


def outputs_can_be_pasted(stack):
    url = stack.outputs["Url"]
    parameters = stack.parameters
    assert url == {
        "rest": f"https://<RestApi>.execute-api.eu-central-1.amazonaws.com/{parameters['StageName']}/",
        "http": "https://<HttpApi>.execute-api.eu-central-1.amazonaws.com/"
        + ("" if parameters["HttpStageName"] == "$default" else parameters["HttpStageName"] + "/"),
        "url": "<FunctionUrl.FunctionUrl>",
    }[parameters["Front"]]
    for name in ("Upload", "UploadAnySize", "Download", "Delete"):
        line = stack.outputs[name]
        assert line.startswith("curl -f") and url in line and '"Authorization: Bearer $TOKEN"' in line
    assert all("-fL" in stack.outputs[name] for name in ("Upload", "Download", "Delete"))
    assert "?url" in stack.outputs["UploadAnySize"]


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


def shipped_rules_refuse_what_is_no_digest():
    pattern = SOURCE["Parameters"]["TokenSha256"]["AllowedPattern"]
    for value in ("x", DIGEST.upper(), DIGEST[:-1], DIGEST + "0", DIGEST + '"\n[[rule]]', "secret"):
        assert not re.fullmatch(pattern, value), value


def every_setting_is_known_to_the_code():
    """True once the code reads settings: the names in the template are the names in src/."""
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.rs"))
    if "SIGNPOST_BUCKET" not in code:
        raise Skipped("src/ reads no settings yet")
    variables = SOURCE["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    for name in variables:
        assert f'"{name}"' in code, f"nothing in src/ reads {name}"


def build_names_the_binary():
    metadata = SOURCE["Resources"]["Function"]["Metadata"]
    assert metadata == {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": "signpost-lambda"}}
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert "signpost-lambda" in [binary["name"] for binary in cargo["bin"]]


def deploying_asks_first():
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]
    deploy = config["deploy"]["parameters"]
    assert deploy["confirm_changeset"] is True and deploy["capabilities"] == "CAPABILITY_IAM"
    assert "parameter_overrides" not in deploy, "the template's defaults are the safe ones"


class Skipped(Exception):
    pass


OF_STACKS = [
    each_front_alone,
    rules_are_closed,
    function_is_as_built,
    role_grants_what_is_needed_and_no_more,
    bucket_is_kept_and_shut,
    bucket_policy_caps_and_wants_tls,
    logs_end,
    access_logs_tell_no_query,
    rest_api_is_exact_and_uncached,
    http_api_has_payload_2,
    only_the_front_may_invoke,
    outputs_can_be_pasted,
]
OF_THE_FILE = [
    every_parameter_is_described_and_grouped,
    every_parameter_and_condition_is_used,
    shipped_rules_refuse_what_is_no_digest,
    every_setting_is_known_to_the_code,
    build_names_the_binary,
    deploying_asks_first,
]


def main():
    passed = failed = skipped = 0
    runs = [(test, [(stack.label, (stack,)) for stack in STACKS]) for test in OF_STACKS]
    runs += [(test, [("", ())]) for test in OF_THE_FILE]
    for test, arguments in runs:
        problem = None
        for label, values in arguments:
            try:
                test(*values)
            except Skipped as reason:
                problem = f"SKIPPED {test.__name__}: {reason}"
                skipped += 1
            except Exception:
                problem = f"FAIL {test.__name__} ({label})\n{traceback.format_exc(limit=-1)}"
                failed += 1
            if problem:
                print(problem)
                break
        else:
            passed += 1
    print(f"{len(STACKS)} stacks looked at")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
