"""A server that requires a token, on a port that the system chooses."""

import hashlib
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parents[1] / "peers"))
import signpost  # noqa: E402

TOKEN = "not-for-s3"
RULES = f"""\
version = 1

[defaults]
disposition = "inline"
overwrite = true

[[token]]
id = "ci"
sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"

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
