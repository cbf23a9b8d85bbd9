"""Servers that require a token, on ports that the system chooses, and programs in new folders."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "peers")]

import signpost  # noqa: E402
from lib.tokens import token_table  # noqa: E402

SECONDS = 120
VENV = Path(sys.executable).parent
HOST = "files.example.com"
BLOCK = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENT = (TESTS.parent / "docs" / "CLIENTS.md").read_text()
TOKEN = "not-for-s3"
TOKEN_HEADER = "X-Signpost-Token"
RULES = f"""\
version = 1

[defaults]
disposition = "inline"
overwrite = true
token_header = "{TOKEN_HEADER}"

{token_table("ci", TOKEN)}
[[rule]]
id = "ci"
who = ["token:ci"]
can = ["read", "write", "delete", "list"]
on = ["**"]
"""


def start_server(folder, *options):
    """Starts a server whose name differs from that of its S3, as on AWS."""
    running = signpost.Signpost(folder, RULES, ["--s3-listen", "127.0.0.1:0", "--data", str(folder / "data"), *options])
    running.url = running.url.replace("127.0.0.1", "localhost")
    return running


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = start_server(tmp_path_factory.mktemp("signpost"))
    yield running
    running.stop()


def with_local_host(text, url):
    """Replaces the host of the document."""
    local = urlsplit(url).netloc
    return re.sub(rf"https://([^/\s'\"]*@)?{re.escape(HOST)}", rf"http://\g<1>{local}", text).replace(HOST, local)


@pytest.fixture
def run(tmp_path):
    """Runs a program in a new folder, with an empty home: `run(program, argument, …, NAME=value)`."""
    home = tmp_path / "home"
    home.mkdir()
    unwanted = ("PIP_", "UV_", "NPM_", "CARGO_", "SIGNPOST_", "AWS_")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and not name.upper().startswith(unwanted)}
    toolchains = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
    environment = kept | {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home), "CARGO_HOME": str(home / "cargo"), "RUSTUP_HOME": toolchains,
        "LC_ALL": "C.UTF-8", "TOKEN": TOKEN, "PATH": f"{VENV}:{os.environ['PATH']}",
    }  # fmt: skip

    def start(*command, cwd=tmp_path, **variables):
        return subprocess.run(
            list(map(str, command)), cwd=cwd, env=environment | variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=SECONDS,
        )  # fmt: skip

    return start


def need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
