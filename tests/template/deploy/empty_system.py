"""Deploys the packaged stack from an empty Debian system that contains only curl, unzip, openssl, and pip's aws-sam-cli.

    SIGNPOST_EMPTY_SYSTEM=1 tests/template/run empty-system

The suite is opt-in, because it needs root and debootstrap. The system is a folder, in which `chroot` runs every command of a user. LocalStack
runs outside of it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy import BODY, FIRST, REGION, TEMPLATE_SUITE, Stack, every_method_works
from lib.docker import make_image, run
from lib.results import Results
from lib.tokens import digest
from localstack import LocalStack
from package import packaged_stack
from prompts import answer_prompts

SYSTEM = TEMPLATE_SUITE / ".venv/empty-system.tar"
PACKAGES = ("ca-certificates", "curl", "openssl", "python3", "python3-venv", "unzip")
HOME = Path("home/user")
# Programs that the system must not contain.
ABSENT = ("cargo", "rustc", "gcc", "zig", "docker", "aws", "git")


class EmptySystem:
    """A Debian system in a folder."""

    def __init__(self, root):
        self.root, self.home = root, root / HOME

    def make(self):
        make_image(SYSTEM, *PACKAGES)
        self.root.mkdir()
        run("tar", "-C", self.root, "-xf", SYSTEM)
        self.home.mkdir(parents=True)
        run("mount", "--bind", "/dev", self.root / "dev")
        self.install_sam()

    def install_sam(self):
        """Installs aws-sam-cli from a folder of wheels: only the machine outside is configured for a registry."""
        (requirement,) = re.findall(r"^aws-sam-cli==.*$", (TEMPLATE_SUITE / "requirements.txt").read_text(), re.MULTILINE)
        wheels = self.root / "wheels"
        version = self.output("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
        download = ["download", "--quiet", "--python-version", version, "--only-binary", ":all:", "--dest", wheels, requirement]
        run(sys.executable, "-m", "pip", *download)
        self.output("python3", "-m", "venv", "/opt/sam")
        self.output("/opt/sam/bin/pip", "install", "--quiet", "--no-index", "--find-links", "/wheels", requirement)

    def command(self, *command):
        """The command outside that runs a command in the home directory of the system."""
        return ["chroot", str(self.root), "env", f"--chdir=/{HOME}", *map(str, command)]

    def output(self, *command, environment=None):
        variables = {"PATH": "/opt/sam/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"/{HOME}"} | (environment or {})
        return run(*self.command(*command), env=variables)

    def remove(self):
        subprocess.run(["umount", self.root / "dev"], capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)


class StackInSystem(Stack):
    """A stack whose commands run in the empty system."""

    def __init__(self, localstack, system, package):
        super().__init__(localstack, package, system.home)
        self.system = system
        self.environment |= {"PATH": "/opt/sam/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"/{HOME}"}

    def in_system(self, command, folder):
        return self.system.command("env", f"--chdir=/{Path(folder).relative_to(self.system.root)}", *command)

    def start(self, command, folder, environment, **options):
        return super().start(self.in_system(command, folder), "/", environment, **options)


# ---- the tests ----


def the_system_contains_no_compiler(stack):
    for program in ABSENT:
        done = stack.start(["sh", "-c", f"command -v {program}"], stack.folder, stack.environment)
        assert done.returncode != 0, f"the system contains {program}"


def a_guided_deployment_works(stack):
    command = stack.in_system(["sam", "deploy", "--guided"], stack.package)
    status, output = answer_prompts(command, "/", stack.environment)
    assert status == 0 and "Successfully created" in output, output[-3000:]


def the_stack_answers_put_get_head_and_delete(stack):
    stack.deploy(TokenSha256=digest(FIRST))
    every_method_works(stack, FIRST)
    assert stack.status(f"curl {stack.output('Url')}report.pdf") == 401


TESTS = [the_system_contains_no_compiler, a_guided_deployment_works, the_stack_answers_put_get_head_and_delete]


def unpacked(system, folder):
    """The package, unpacked by the `unzip` of the system."""
    package = packaged_stack(folder)
    shutil.make_archive(str(system.home / "stack"), "zip", package.parent, package.name)
    system.output("unzip", "-q", "stack.zip")
    return system.home / package.name


def main():
    results = Results()
    folder = Path(tempfile.mkdtemp(prefix="signpost-empty-"))
    system = EmptySystem(folder / "system")
    try:
        system.make()
        with LocalStack(folder / "localstack") as localstack:
            stack = StackInSystem(localstack, system, unpacked(system, folder))
            for test in TESTS:
                results.run(test.__name__, lambda test=test: test(stack), describe=lambda error: f"{type(error).__name__}: {error}")
    finally:
        system.remove()
        shutil.rmtree(folder, ignore_errors=True)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
