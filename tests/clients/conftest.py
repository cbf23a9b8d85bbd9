"""A server that requires a token, on a port that the system chooses."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "peers")]

import signpost  # noqa: E402
from lib.tokens import token_table  # noqa: E402

TOKEN = "not-for-s3"
RULES = f"""\
version = 1

[defaults]
disposition = "inline"
overwrite = true

{token_table("ci", TOKEN)}
[[rule]]
id = "ci"
who = ["token:ci"]
can = ["read", "write", "delete", "list"]
on = ["**"]
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signpost")
    running = signpost.Signpost(folder, RULES, ["--s3-listen", "127.0.0.1:0", "--data", str(folder / "data")])
    yield running
    running.stop()
