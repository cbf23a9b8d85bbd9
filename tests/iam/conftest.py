"""Radosgw, once for the suite, by the helpers of tests/peers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers"))

import radosgw as ceph  # noqa: E402
from redaction import redact  # noqa: E402


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.longrepr is not None and not isinstance(report.longrepr, tuple):
        report.longrepr = redact(str(report.longrepr))
    report.sections = [(name, redact(text)) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory):
    with ceph.Radosgw(tmp_path_factory.mktemp("radosgw")) as gateway:
        yield gateway
