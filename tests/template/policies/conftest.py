"""One Ceph radosgw for the suite, with the helpers of tests/peers."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS / "peers")]

import radosgw as ceph  # noqa: E402
from lib.pytest_redaction import pytest_runtest_makereport  # noqa: E402, F401


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory):
    with ceph.Radosgw(tmp_path_factory.mktemp("radosgw")) as gateway:
        yield gateway
