"""The Terraform module has exactly the parameters and outputs of the template. Runs with the packages in terraform/.venv.

It reads the module with a parser of HCL, and does not use the generator in release/terraform.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import hcl2
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULE = ROOT / "deploy/terraform"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "release")]

from lib.results import Results  # noqa: E402
from stack import packaged_template  # noqa: E402

OWN_VARIABLES = {"stack_name", "package_url", "package_sha256"}
TYPES = {"String": "string", "Number": "number", "CommaDelimitedList": "list(string)"}


class Loader(yaml.SafeLoader):
    """Ignores the functions of CloudFormation: the parameters contain none."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
SOURCE = (ROOT / "template.yaml").read_text()
TEMPLATE = yaml.load(SOURCE, Loader)
PARAMETERS, OUTPUTS = TEMPLATE["Parameters"], TEMPLATE["Outputs"]


def plain(value):
    """The value of a literal as hcl2 returns it: a string is in quotes."""
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value).replace("$${", "${").replace("%%{", "%{")
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def read_module():
    """The variables, locals, outputs and resources of all files, by name."""
    found = {"variable": {}, "locals": {}, "output": {}, "resource": {}, "data": {}}
    for path in sorted(MODULE.glob("*.tf")):
        with path.open() as file:
            content = hcl2.load(file)
        for kind, named in found.items():
            for block in content.get(kind, []):
                for name, body in block.items():
                    named[(plain(name), path.name) if kind in ("resource", "data") else plain(name)] = body
    return found


MODULE_CONTENT = read_module()
VARIABLES = MODULE_CONTENT["variable"]


def variable_name(parameter):
    """`HttpStageName` is `http_stage_name`."""
    words = re.findall(r"[A-Z][a-z]*\d*", parameter)
    assert "".join(words) == parameter, f"{parameter} does not consist of capitalized words"
    return "_".join(words).lower()


def is_yes_no(parameter):
    return set(parameter.get("AllowedValues", [])) == {"yes", "no"}


def every_parameter_is_a_variable():
    expected = {variable_name(name) for name in PARAMETERS} | OWN_VARIABLES
    assert set(VARIABLES) == expected, set(VARIABLES) ^ expected


def types_and_defaults_are_equal():
    for name, parameter in PARAMETERS.items():
        variable = VARIABLES[variable_name(name)]
        default = parameter["Default"]
        if is_yes_no(parameter):
            kind, default = "bool", default == "yes"
        else:
            kind = TYPES[parameter["Type"]]
            default = [] if kind == "list(string)" and default == "" else default
        given = plain(variable["default"])
        given = int(given.strip("${}")) if isinstance(given, str) and kind == "number" else given  # a negative number
        found = (re.sub(r"^\$\{(.*)\}$", r"\1", variable["type"]), given)
        assert found == (kind, default), f"{name}: {found}, not {(kind, default)}"
        assert variable["nullable"] is False, name


def descriptions_are_equal():
    for name, parameter in PARAMETERS.items():
        description = plain(VARIABLES[variable_name(name)]["description"])
        assert description == " ".join(parameter["Description"].split()), f"{name}: {description}"


def secrets_are_sensitive():
    for name, parameter in PARAMETERS.items():
        sensitive = VARIABLES[variable_name(name)].get("sensitive", False)
        assert sensitive == parameter.get("NoEcho", False), name


def conditions(name):
    return [block["condition"] for block in VARIABLES[variable_name(name)].get("validation", [])]


def values_that_the_template_rejects_are_rejected():
    for name, parameter in PARAMETERS.items():
        variable, given = f"var.{variable_name(name)}", conditions(name)
        expected = [f"${{{variable} {sign} {parameter[key]}}}" for key, sign in (("MinValue", ">="), ("MaxValue", "<=")) if key in parameter]
        if "AllowedPattern" in parameter:
            is_list = parameter["Type"] == "CommaDelimitedList"
            checked = f"can(regex({json.dumps(parameter['AllowedPattern'])}, {'value' if is_list else variable}))"
            expected.append(f"${{alltrue([for value in {variable} : {checked}])}}" if is_list else f"${{{checked}}}")
        if "AllowedValues" in parameter and not is_yes_no(parameter):
            expected.append(f"${{contains({json.dumps(parameter['AllowedValues'])}, {variable})}}")
        assert sorted(given) == sorted(expected), f"{name}: {given}, not {expected}"


def every_variable_is_passed_to_its_parameter():
    passed = MODULE_CONTENT["locals"]["parameters"]
    assert set(passed) == set(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        variable = f"var.{variable_name(name)}"
        expected = variable
        if is_yes_no(parameter):
            expected = f'{variable} ? "yes" : "no"'
        elif parameter["Type"] == "CommaDelimitedList":
            expected = f'join(",", {variable})'
        elif parameter["Type"] == "Number":
            expected = f"tostring({variable})"
        assert passed[name] == f"${{{expected}}}", f"{name}: {passed[name]}"


def every_output_is_an_output():
    outputs = MODULE_CONTENT["output"]
    assert set(outputs) == {variable_name(name) for name in OUTPUTS}
    for name, output in OUTPUTS.items():
        found = outputs[variable_name(name)]
        assert plain(found["description"]) == output["Description"], name
        assert found["value"] == f'${{lookup(aws_cloudformation_stack.signpost.outputs, "{name}", null)}}', name


def the_code_of_both_templates_is_replaced_by_the_package():
    """As the function `replace` in main.tf does. RE2 and Python agree about this pattern."""
    text = MODULE_CONTENT["locals"]["template"]
    pattern = re.search(r'"/(.+?)/", "', text)[1]
    pattern = json.loads(f'"{pattern}"') if "\\" in pattern else pattern
    for source in (SOURCE, packaged_template(SOURCE, "arm64"), packaged_template(SOURCE, "x86_64")):
        replaced, count = re.subn(pattern, "\n      CodeUri: s3://bucket/key.zip\n", source)
        assert count == 1
        assert yaml.load(replaced, Loader)["Resources"]["Function"]["Properties"]["CodeUri"] == "s3://bucket/key.zip"
    assert (MODULE / "../../template.yaml").resolve() == ROOT / "template.yaml"


def the_digest_is_converted_from_hex_to_base64():
    """The same steps as `package_digest` in main.tf."""
    expression = MODULE_CONTENT["locals"]["package_digest"]
    assert "[262144, 4096, 64, 1]" in expression and "0, 43" in expression and "range(0, 66, 6)" in MODULE_CONTENT["locals"]["hex_groups"]
    digits = re.search(r'"([A-Za-z0-9+/]{64})"', MODULE_CONTENT["locals"]["base64_digits"])[1]
    for content in (b"", b"package", bytes(range(256))):
        digest = hashlib.sha256(content)
        groups = [int((digest.hexdigest() + "00")[at : at + 6], 16) for at in range(0, 66, 6)]
        converted = "".join(digits[group // power % 64] for group in groups for power in (262144, 4096, 64, 1))[:43] + "="
        assert converted == base64.b64encode(digest.digest()).decode()


def the_stack_is_created_only_from_a_verified_package():
    resources = {name for name, _ in MODULE_CONTENT["resource"]}
    assert resources == {"aws_s3_bucket", "aws_s3_bucket_public_access_block", "aws_s3_object", "aws_cloudformation_stack"}
    text = (MODULE / "main.tf").read_text()
    assert "self.checksum_sha256 == local.package_digest" in text
    assert 'capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]' in text


def the_generated_files_are_current():
    done = subprocess.run([sys.executable, ROOT / "release/terraform", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def the_packaged_template_differs_only_in_code_and_architecture():
    for architecture in ("arm64", "x86_64"):
        packaged = yaml.load(packaged_template(SOURCE, architecture), Loader)
        parameter = packaged["Parameters"].pop("Architecture")
        assert (parameter["Default"], parameter["AllowedValues"]) == (architecture, [architecture])
        function = packaged["Resources"]["Function"]
        assert not {"BuildMethod", "BuildProperties"} & set(function["Metadata"])
        assert function["Properties"].pop("CodeUri") == "signpost-lambda.zip"
        original = yaml.load(SOURCE, Loader)
        original["Parameters"].pop("Architecture")
        for name in ("BuildMethod", "BuildProperties"):
            original["Resources"]["Function"]["Metadata"].pop(name)
        original["Resources"]["Function"]["Properties"].pop("CodeUri")
        assert packaged == original


TESTS = [
    every_parameter_is_a_variable,
    types_and_defaults_are_equal,
    descriptions_are_equal,
    secrets_are_sensitive,
    values_that_the_template_rejects_are_rejected,
    every_variable_is_passed_to_its_parameter,
    every_output_is_an_output,
    the_code_of_both_templates_is_replaced_by_the_package,
    the_digest_is_converted_from_hex_to_base64,
    the_stack_is_created_only_from_a_verified_package,
    the_generated_files_are_current,
    the_packaged_template_differs_only_in_code_and_architecture,
]


def main():
    results = Results()
    for test in TESTS:
        results.run(test.__name__, test, describe=repr)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
