"""Starts the embedded S3 and radosgw, each once per run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "peers")]

import radosgw  # noqa: E402
from lib import processes  # noqa: E402
from replay import REGION, Replay  # noqa: E402

BINARY = Path(os.environ.get("SIGNPOST_S3", TESTS.parent / "target/debug/examples/s3")).absolute()


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="rewrite docs/CONFORMANCE.md and differences.json")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    keys = {
        "AWS_ACCESS_KEY_ID": radosgw.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": radosgw.SECRET_KEY, "AWS_REGION": REGION,
    }  # fmt: skip
    command = [BINARY, tmp_path_factory.mktemp("data"), "start"]
    process = processes.start(command, env=os.environ | keys, stdout=subprocess.PIPE, text=True)
    try:
        yield Replay(process.stdout.readline().strip(), radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    finally:
        processes.stop(process, seconds=3)


@pytest.fixture(scope="session")
def ceph(tmp_path_factory):
    with radosgw.Radosgw(tmp_path_factory.mktemp("radosgw")) as gateway:
        yield Replay(gateway.endpoint, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
