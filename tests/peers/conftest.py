"""The servers of the suite, each started once, and nothing secret in what is printed."""

import contextlib
import signal
import sys

import pytest

import signpost
from redaction import redact


def pytest_configure(config):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.longrepr is not None and not isinstance(report.longrepr, tuple):
        report.longrepr = redact(str(report.longrepr))
    report.sections = [(name, redact(text)) for name, text in report.sections]
    return report


@pytest.fixture
def run(tmp_path_factory):
    """Starts a Signpost for a `with` block: `run(rules, arguments, credentials)`."""

    @contextlib.contextmanager
    def start(table, arguments, credentials=None):
        server = signpost.Signpost(tmp_path_factory.mktemp("signpost"), table, arguments, credentials)
        try:
            yield server
        finally:
            server.stop()

    return start
