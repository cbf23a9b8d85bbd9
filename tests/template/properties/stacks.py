"""The template as CloudFormation sees it: expanded by SAM's own translator, and resolved for a set of parameters.

    python tests/template/properties/stacks.py                  prints the expanded template as JSON, for tools that do not support SAM
    python tests/template/properties/stacks.py NAME=VALUE …     prints it for these parameters, without conditions and functions
"""

import json
import logging
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

logging.disable(logging.WARNING)  # samtranslator warns about feature toggles that it cannot fetch
ROOT = Path(__file__).resolve().parents[3]
SOURCE = yaml_parse((ROOT / "template.yaml").read_text())
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "signpost",
    "AWS::URLSuffix": "amazonaws.com",
}


class NoManagedPolicies:
    """Replaces the list of managed policies, which would require a request to AWS."""

    max_items = 0

    def load(self):
        return {}


def expanded():
    """The template as CloudFormation, including conditions."""
    template = json.loads(json.dumps(SOURCE))
    template["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://example-artifacts/function.zip"
    return transform(template, {}, NoManagedPolicies())


EXPANDED = expanded()


class InvalidParameters(Exception):
    """CloudFormation would reject these parameters before it creates a resource."""


class NoValue:
    pass


class Stack:
    """The resources and outputs for one set of parameters. Functions are resolved as far as the tests require.

    Values that only AWS knows come from `attributes`, by names such as `Bucket.Arn`, or are written as `<Bucket.Arn>`.
    """

    template = EXPANDED
    declared = SOURCE["Parameters"]

    def __init__(self, attributes=None, **given):
        declared = self.declared
        unknown = set(given) - set(declared)
        assert not unknown, f"no such parameter: {unknown}"
        self.attributes = attributes or {}
        self.parameters = {name: given.get(name, parameter.get("Default", "")) for name, parameter in declared.items()}
        for name, value in self.parameters.items():
            check_parameter(name, declared[name], value)
            if declared[name]["Type"] == "CommaDelimitedList":
                self.parameters[name] = value.split(",")
        self.label = ", ".join(f"{name}={value}" for name, value in given.items() if name != "Rules") or "defaults"
        self.check_rules()
        self.resources = {name: self.resolve(resource) for name, resource in self.existing(self.template["Resources"])}
        self.outputs = {name: self.resolve(output["Value"]) for name, output in self.existing(self.template["Outputs"])}

    def existing(self, section):
        return [(name, part) for name, part in section.items() if "Condition" not in part or self.holds(part["Condition"])]

    def check_rules(self):
        for rule in self.template["Rules"].values():
            if self.truth(rule["RuleCondition"]):
                for assertion in rule["Assertions"]:
                    if not self.truth(assertion["Assert"]):
                        raise InvalidParameters(assertion["AssertDescription"])

    def holds(self, condition):
        return self.truth(self.template["Conditions"][condition])

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
        if "." in name:
            return self.attribute(name)
        return self.parameters.get(name, PSEUDO.get(name, self.attribute(name)))

    def attribute(self, name):
        owner = name.split(".")[0]
        if owner in self.template["Resources"]:
            condition = self.template["Resources"][owner].get("Condition")
            assert condition is None or self.holds(condition), f"the template uses {name}, but {owner} does not exist"
        return self.attributes.get(name, f"<{name}>")

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
                return self.attribute(".".join(value) if isinstance(value, list) else value)
            if name == "Fn::Join":
                return value[0].join(map(str, self.resolve(value[1])))
            if name == "Fn::Select":
                return self.resolve(value[1])[int(value[0])]
            if name == "Fn::Split":
                return self.resolve(value[1]).split(value[0])
            if name == "Fn::Sub":
                text, variables = (value, {}) if isinstance(value, str) else value
                variables = {key: self.resolve(part) for key, part in variables.items()}

                def replace(match):
                    return str(variables[match[1]] if match[1] in variables else self.reference(match[1]))

                return re.sub(r"\$\{([^!}][^}]*)\}", replace, text)
        return {key: value for key, value in ((k, self.resolve(v)) for k, v in node.items()) if value is not NoValue}

    def of_type(self, kind):
        return {name: resource for name, resource in self.resources.items() if resource["Type"] == kind}

    def the(self, kind):
        found = list(self.of_type(kind).values())
        assert len(found) == 1, f"{len(found)} resources of type {kind}"
        return found[0].get("Properties", {})

    def properties(self, name):
        return self.resources[name].get("Properties", {})

    def statements(self, role):
        """The statements of every policy of a role, by its logical id."""
        documents = [policy["PolicyDocument"] for policy in self.properties(role).get("Policies", [])]
        name = self.attributes.get(role, f"<{role}>")
        for policy in self.of_type("AWS::IAM::Policy").values():
            if name in policy["Properties"]["Roles"]:
                documents.append(policy["Properties"]["PolicyDocument"])
        return [statement for document in documents for statement in document["Statement"]]

    @property
    def signer(self):
        """The role whose credentials sign URLs."""
        return "FunctionRole" if self.parameters["SigningMode"] == "execution" else "SignerRole"


class Distribution(Stack):
    """The stack of cloudfront.yaml, which contains nothing for SAM to expand."""

    template = yaml_parse((ROOT / "cloudfront.yaml").read_text())
    declared = template["Parameters"]


def check_parameter(name, declared, value):
    if "AllowedPattern" in declared:
        # CloudFormation compares each value of a list.
        values = value.split(",") if declared["Type"] == "CommaDelimitedList" else [value]
        assert all(re.fullmatch(declared["AllowedPattern"], each) for each in values), f"{name} rejects {value!r}"
    if "AllowedValues" in declared:
        assert value in declared["AllowedValues"], f"{name} rejects {value!r}"
    for bound, holds in (("MinValue", lambda limit: value >= limit), ("MaxValue", lambda limit: value <= limit)):
        assert bound not in declared or holds(declared[bound]), f"{name} rejects {value!r}"


def with_suppressions(resources):
    """Moves the suppressions from the API, where SAM leaves them, to its stage, which they are about."""
    return resources | {"RestApiStage": resources["RestApiStage"] | {"Metadata": resources["RestApi"].pop("Metadata")}}


def printed(arguments):
    """The template that the command prints."""
    if not arguments:
        return EXPANDED | {"Resources": with_suppressions(EXPANDED["Resources"])}
    given = {name: int(value) if value.isdigit() else value for name, value in (argument.split("=", 1) for argument in arguments)}
    resources = with_suppressions(Stack(**given).resources)
    return {"Resources": {name: {key: part for key, part in resource.items() if key != "Condition"} for name, resource in resources.items()}}


if __name__ == "__main__":
    json.dump(printed(sys.argv[1:]), sys.stdout, indent=1)
