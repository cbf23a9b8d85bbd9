"""Deploys the packaged stack to LocalStack, sends requests with curl, updates the stack, and deletes it. `tests/template/run deploy` runs this
file.

The folder of the package contains everything that the deployment needs, so every command runs there, as its README describes. Each step depends on the steps before it. After a failure, the remaining steps do not run and count as failed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3

TEMPLATE_SUITE = Path(__file__).resolve().parents[1]
ROOT = TEMPLATE_SUITE.parents[1]
sys.path[:0] = [str(TEMPLATE_SUITE), str(TEMPLATE_SUITE.parent), str(ROOT / "release")]

from lib.redaction import redact  # noqa: E402
from lib.tokens import digest  # noqa: E402
from localstack import LocalStack  # noqa: E402
from package import packaged_stack  # noqa: E402
from prompts import answer_prompts  # noqa: E402

SAM = TEMPLATE_SUITE / ".venv/bin/sam"
AWS = TEMPLATE_SUITE / "deploy/.venv/bin/aws"
REGION = "eu-central-1"
FIRST, SECOND = "first-secret-of-the-deploy-suite", "second-secret-of-the-deploy-suite"
ORIGIN = "https://app.example.com"
BODY = b"deployed\n"


class Stack:
    """A CloudFormation stack in one LocalStack."""

    def __init__(self, localstack, package, folder, name="signpost"):
        self.package, self.folder, self.name = package, folder, name
        aws = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        sam = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_CHECK_FOR_UPDATES": "0", "AWS_ENDPOINT_URL": localstack.endpoint}
        tools = f"{SAM.parent}:{AWS.parent}:{path_without_compilers()}"
        self.environment = {"PATH": tools, "HOME": os.environ["HOME"]} | aws | sam
        self.localstack, self.port = localstack, localstack.port
        self.aws = boto3.session.Session("test", "test", region_name=REGION)
        self.endpoint = localstack.endpoint

    def start(self, command, folder, environment, **options):
        """Runs a command of a user, and returns its result."""
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=300, **options)

    def client(self, service):
        return self.aws.client(service, endpoint_url=self.endpoint)

    def sam(self, *arguments):
        command = ["sam", *arguments, "--stack-name", self.name, "--region", REGION]
        done = self.start(command, self.package, self.environment, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    def deploy(self, **parameters):
        given = [f"{name}={value}" for name, value in parameters.items()]
        self.sam("deploy", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *given)

    def description(self):
        (found,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return found

    def output(self, name):
        return {output["OutputKey"]: output["OutputValue"] for output in self.description()["Outputs"]}[name]

    def shell(self, line, token=None):
        """Runs a line of the stack's outputs as a user would, but without TLS and without DNS."""
        host = urlsplit(self.output("Url")).hostname
        line = line.replace(f"https://{host}", f"http://{host}")
        resolve = f'curl() {{ command curl -sS --resolve {host}:{self.port}:127.0.0.1 "$@"; }}\n'
        environment = self.environment | ({"TOKEN": token} if token else {})
        done = self.start(["bash", "-c", resolve + line], self.folder, environment)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def readme(self, text, after="", **replaced):
        """Runs the block of the README with this text in the folder of the package."""
        lines = readme_block(self.package, text).replace("--stack-name signpost", f"--stack-name {self.name}") + after
        for name, value in replaced.items():
            lines = re.sub(rf"\b{name}\b", value, lines)
        done = self.start(["bash", "-ec", lines], self.package, self.environment, text=True)
        assert done.returncode == 0, redact((done.stdout + done.stderr)[-3000:])
        return done.stdout

    def successful(self, line, token=None):
        status, output, errors = self.shell(line, token)
        assert status == 0, f"{line}: {redact(errors)}"
        return output

    def status(self, line, token=None):
        """The status of the last response."""
        return int(self.successful(f"{line} -o /dev/null -w '%{{http_code}}'", token))

    def presigned(self, method, key, token):
        line = f'curl -f -X {method} -H "Authorization: Bearer $TOKEN" "{self.output("Url")}{key}?url"'
        return self.successful(line, token).decode().strip()


def path_without_compilers():
    """The search path without the folders that contain Rust, SAM or cargo-lambda: a package needs no compiler."""
    folders = os.environ["PATH"].split(":")
    return ":".join(folder for folder in folders if not any((Path(folder) / name).exists() for name in ("cargo", "rustc", "cargo-lambda", "sam")))


def readme_block(package, text):
    """The block of shell commands with this text in the instructions of the package."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (package / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if text in block]
    return found


def access_key(url):
    """The access key of the temporary credentials that signed this URL."""
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Security-Token"][0], "the credentials are not temporary"
    return query["X-Amz-Credential"][0].split("/")[0]


# ---- the steps ----


def a_guided_deployment_needs_only_the_defaults(stack):
    status, output = answer_prompts(["sam", "deploy", "--guided"], stack.package, stack.environment)
    assert status == 0 and "Successfully created" in output, output[-3000:]
    assert stack.description()["StackStatus"] == "CREATE_COMPLETE"


def a_stack_without_a_token_rejects_every_request(stack):
    assert stack.description()["StackStatus"] == "CREATE_COMPLETE"
    assert b'"status":"ok"' in stack.successful(stack.output("Health"))
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        head = "-I" if method == "HEAD" else f"-X {method}"
        assert stack.status(f"curl {head} {stack.output('Url')}k") in (401, 403), method
    assert stack.status(f'curl -H "Authorization: Bearer $TOKEN" {stack.output("Url")}k', FIRST) == 401


def an_update_adds_the_token(stack):
    function = stack.output("FunctionName")
    stack.deploy(TokenSha256=digest(FIRST))
    assert stack.description()["StackStatus"] == "UPDATE_COMPLETE" and stack.output("FunctionName") == function
    assert stack.status(f"curl {stack.output('Url')}k") == 401
    assert stack.status(f'curl -H "Authorization: Bearer $TOKEN" {stack.output("Url")}k', SECOND) == 401
    assert stack.status(f'curl -H "Authorization: Bearer $TOKEN" {stack.output("Url")}k', FIRST) == 307


def the_commands_in_the_outputs_work(stack):
    (stack.folder / "report.pdf").write_bytes(BODY)
    stack.successful(stack.output("Upload"), FIRST)
    s3, bucket = stack.client("s3"), stack.output("BucketName")
    assert s3.get_object(Bucket=bucket, Key="report.pdf")["Body"].read() == BODY
    (stack.folder / "report.pdf").unlink()
    stack.successful(stack.output("Download"), FIRST)
    assert (stack.folder / "report.pdf").read_bytes() == BODY
    head = stack.successful(f'curl -fLI -H "Authorization: Bearer $TOKEN" {stack.output("Url")}report.pdf', FIRST).decode()
    assert re.search(rf"^content-length: {len(BODY)}\r$", head, re.IGNORECASE | re.MULTILINE), "HEAD does not return the length"
    stack.successful(stack.output("Delete"), FIRST)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert stack.shell(stack.output("Download"), FIRST)[0] != 0, "the deleted object can still be downloaded"
    (stack.folder / "big.iso").write_bytes(BODY * 1000)
    stack.successful(stack.output("UploadAnySize"), FIRST)
    assert s3.head_object(Bucket=bucket, Key="big.iso")["ContentLength"] == len(BODY) * 1000


def the_function_lists_objects(stack):
    """The function itself calls S3, with a session of the signer role."""
    line = f'curl -f -H "Authorization: Bearer $TOKEN" -H "Accept: application/json" "{stack.output("Url")}"'
    assert "big.iso" in stack.successful(line, FIRST).decode()


def an_upload_does_not_overwrite(stack):
    (stack.folder / "report.pdf").write_bytes(BODY)
    stack.successful(stack.output("Upload"), FIRST)
    assert stack.shell(stack.output("Upload"), FIRST)[0] == 22, "the second upload was not rejected"


def unusual_keys_are_preserved(stack):
    """Only the keys that LocalStack's API Gateway handles correctly. The events of events/ cover the others."""
    for path, key in (("a%20b", "a b"), ("a+b", "a+b"), ("%F0%9F%9A%80", "🚀"), ("deep/er/k", "deep/er/k")):
        line = f'curl -fL -H "Authorization: Bearer $TOKEN" -T big.iso "{stack.output("Url")}{path}"'
        stack.successful(line, FIRST)
        assert stack.client("s3").head_object(Bucket=stack.output("BucketName"), Key=key), path


def sessions_of_the_signer_role_sign(stack):
    url = stack.presigned("GET", "big.iso", FIRST)
    assert access_key(url) != "test"
    assert stack.successful(f"curl -f '{url}'") == BODY * 1000
    tampered = {
        "the signature": re.sub(r"(X-Amz-Signature=)(.)", lambda m: m[1] + ("1" if m[2] == "0" else "0"), url),
        "the key": url.replace("/big.iso?", "/report.pdf?"),
        "the lifetime": re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=901", url),
    }
    for what, changed in tampered.items():
        assert changed != url and stack.status(f"curl '{changed}'") == 403, what
    assert stack.status(f"curl -X DELETE '{url}'") == 403, "the method"


def an_update_changes_the_signing_mode_and_the_token(stack):
    before = access_key(stack.presigned("GET", "big.iso", FIRST))
    stack.deploy(TokenSha256=digest(SECOND), SigningMode="scoped", Monitoring="no")
    assert stack.description()["StackStatus"] == "UPDATE_COMPLETE"
    line = f'curl -H "Authorization: Bearer $TOKEN" {stack.output("Url")}big.iso'
    assert stack.status(line, FIRST) == 401, "the old token still works"
    url = stack.presigned("GET", "big.iso", SECOND)
    assert access_key(url) != before
    assert stack.successful(f"curl -f '{url}'") == BODY * 1000


def a_deleted_object_can_be_restored(stack):
    """As docs/OPERATIONS.md describes."""
    s3, bucket = stack.client("s3"), stack.output("BucketName")
    stack.successful(f'curl -fL -H "Authorization: Bearer $TOKEN" -X DELETE {stack.output("Url")}report.pdf', SECOND)
    (marker,) = [m for m in s3.list_object_versions(Bucket=bucket, Prefix="report.pdf")["DeleteMarkers"] if m["IsLatest"]]
    s3.delete_object(Bucket=bucket, Key="report.pdf", VersionId=marker["VersionId"])
    assert stack.successful(f'curl -fL -H "Authorization: Bearer $TOKEN" {stack.output("Url")}report.pdf', SECOND) == BODY


def the_bucket_has_the_settings_of_the_template(stack):
    s3, bucket = stack.client("s3"), stack.output("BucketName")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "s3:signatureAge" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def deleting_the_stack_preserves_the_objects(stack):
    bucket = stack.output("BucketName")
    s3 = stack.client("s3")
    stack.sam("delete", "--no-prompts")
    stacks = stack.client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE", "UPDATE_COMPLETE"])["StackSummaries"]
    assert "signpost" not in [found["StackName"] for found in stacks]
    assert not stack.client("lambda").list_functions()["Functions"]
    assert not stack.client("apigateway").get_rest_apis()["items"]
    assert s3.get_object(Bucket=bucket, Key="big.iso")["Body"].read() == BODY * 1000


def the_execution_role_signs_and_cors_origins_are_allowed(stack):
    """In a second stack, because LocalStack can create these resources but not change an existing stack to them."""
    own = Stack(stack.localstack, stack.package, stack.folder, "signpost-own")
    own.deploy(TokenSha256=digest(FIRST), SigningMode="execution", CorsOrigins=ORIGIN, Monitoring="no")
    own.successful(f'curl -fL -H "Authorization: Bearer $TOKEN" -T big.iso {own.output("Url")}k', FIRST)
    url = own.presigned("GET", "k", FIRST)
    assert access_key(url) != "test" and own.successful(f"curl -f '{url}'") == BODY * 1000
    roles = [role["RoleName"] for role in own.client("iam").list_roles()["Roles"] if role["RoleName"].startswith("signpost-own-")]
    assert len(roles) == 1, roles
    preflight = f"-X OPTIONS -H 'Origin: {ORIGIN}' -H 'Access-Control-Request-Method: PUT' -D -"
    assert f"access-control-allow-origin: {ORIGIN}" in own.successful(f"curl {preflight} {own.output('Url')}k").decode().lower()
    (rule,) = own.client("s3").get_bucket_cors(Bucket=own.output("BucketName"))["CORSRules"]
    assert rule["AllowedOrigins"] == [ORIGIN] and "ETag" in rule["ExposeHeaders"]


def the_instructions_for_the_aws_cli_work(stack):
    """The README's commands: the token from one line with openssl, `aws cloudformation package`, and `deploy`."""
    other = Stack(stack.localstack, stack.package, stack.folder, "signpost-cli")
    other.client("s3").create_bucket(Bucket="packages", CreateBucketConfiguration={"LocationConstraint": REGION})
    printed, token = other.readme("openssl", after='printf "%s" "$TOKEN"').split("\n")
    assert printed == digest(token) and len(token) == 64, "the line does not print the digest of the token"
    other.readme("cloudformation package", BUCKET="packages", DIGEST=printed)
    assert other.description()["StackStatus"] == "CREATE_COMPLETE"
    assert other.output("Url") in other.readme("describe-stacks")
    every_method_works(other, token)
    other.client("cloudformation").delete_stack(StackName=other.name)


def every_method_works(stack, token):
    (stack.folder / "report.pdf").write_bytes(BODY)
    credential, url = '-H "Authorization: Bearer $TOKEN"', f"{stack.output('Url')}report.pdf"
    stack.successful(f"curl -fL {credential} -T report.pdf {url}", token)
    assert stack.successful(f"curl -fL {credential} {url}", token) == BODY
    assert f"content-length: {len(BODY)}" in stack.successful(f"curl -fLI {credential} {url}", token).decode().lower()
    stack.successful(f"curl -fL {credential} -X DELETE {url}", token)
    assert stack.status(f"curl -L {credential} {url}", token) == 404


STEPS = [
    a_guided_deployment_needs_only_the_defaults,
    a_stack_without_a_token_rejects_every_request,
    an_update_adds_the_token,
    the_commands_in_the_outputs_work,
    the_function_lists_objects,
    an_upload_does_not_overwrite,
    unusual_keys_are_preserved,
    sessions_of_the_signer_role_sign,
    an_update_changes_the_signing_mode_and_the_token,
    a_deleted_object_can_be_restored,
    the_bucket_has_the_settings_of_the_template,
    deleting_the_stack_preserves_the_objects,
    the_execution_role_signs_and_cors_origins_are_allowed,
    the_instructions_for_the_aws_cli_work,
]


def main():
    folder = Path(tempfile.mkdtemp(prefix="signpost-deploy-"))
    passed = 0
    try:
        with LocalStack(folder / "localstack") as localstack:
            stack = Stack(localstack, packaged_stack(folder), folder)
            for step in STEPS:
                step(stack)
                passed += 1
                print(f"ok   {step.__name__}", flush=True)
    except Exception:
        name = STEPS[passed].__name__ if passed < len(STEPS) else "stopping LocalStack"
        print(f"FAIL {name}\n{redact(traceback.format_exc(limit=-3))}")
    finally:
        if os.environ.get("SIGNPOST_KEEP"):
            print(f"the files are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {len(STEPS) - passed} failed, 0 skipped")
    return 0 if passed == len(STEPS) else 1


if __name__ == "__main__":
    sys.exit(main())
