"""A server with the tables of all dialects, and the repositories that the tools work in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS)]

from lib.function_server import FunctionServer  # noqa: E402
from lib.lambda_emulator import find_emulator  # noqa: E402
from lib.local_server import LocalServer  # noqa: E402
from lib.tokens import token_table  # noqa: E402

HERE = Path(__file__).resolve().parent
FUNCTION = os.environ.get("SIGNPOST_FUNCTION")
COMMAND = Path(os.environ.get("SIGNPOST_COMMAND", TESTS.parent / "target/debug/signpost"))

RULES = f"""\
version = 1

[turborepo]
at = "turbo/"
[nx]
at = "nx/"
[lfs]
at = "lfs/"

{token_table("ci", "secret-ci")}
{token_table("bob", "secret-bob")}
[[rule]]
id = "ci"
who = ["token:ci", "token:bob"]
can = ["read", "write"]
on = ["turbo/**", "nx/**", "lfs/**", "ccache/**", "sccache/**"]

[[rule]]
id = "maintainers"
who = ["token:ci"]
can = ["delete"]
on = ["lfs/game/locks/**"]
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signpost")
    with LocalServer(folder, RULES, "--s3-listen", "127.0.0.1:0", "--data", folder / "data") as running:
        yield running


@pytest.fixture(scope="session")
def function(tmp_path_factory):
    """The function under the runtime emulator, behind a REST API."""
    emulator = find_emulator()
    if not FUNCTION or emulator is None:
        pytest.skip("SIGNPOST_FUNCTION does not name a binary of the function, or the runtime emulator is not installed")
    with FunctionServer(tmp_path_factory.mktemp("function"), RULES, emulator, FUNCTION) as running:
        yield running


@pytest.fixture(params=["server", "function"])
def service(request):
    """The local server, and then the function."""
    return request.getfixturevalue(request.param)


def run(*command, cwd, check=True, settings=None, seconds=300):
    """Runs a program and returns its status and its output, without colors."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SIGNPOST_", "TURBO_", "NX_"))}
    environment = inherited | {"NO_COLOR": "1", "CI": "true", "GIT_TERMINAL_PROMPT": "0"} | (settings or {})
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, text=True, errors="replace", timeout=seconds,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stdout[-3000:]
    return done.returncode, done.stdout


def commit(folder):
    """Makes a folder a git repository with everything in it."""
    run("git", "init", "-q", "-b", "main", ".", cwd=folder)
    save(folder)


def save(folder):
    run("git", "add", "-A", cwd=folder)
    run("git", "-c", "user.email=a@example.com", "-c", "user.name=a", "commit", "-qm", "change", cwd=folder)
