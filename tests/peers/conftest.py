"""Fixtures for the servers, each started once per run. Secrets are removed from the reports."""

import contextlib
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import radosgw  # noqa: E402
import servers  # noqa: E402
import signpost  # noqa: E402
from lib.pytest_redaction import pytest_runtest_makereport  # noqa: E402, F401


def pytest_configure(config):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # fixtures are torn down


@pytest.fixture
def run(tmp_path_factory):
    """Starts a Signpost server for a `with` block: `run(rules, arguments, credentials)`."""

    @contextlib.contextmanager
    def start(table, arguments, credentials=None):
        server = signpost.Signpost(tmp_path_factory.mktemp("signpost"), table, arguments, credentials)
        try:
            yield server
        finally:
            server.stop()

    return start


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory):
    with radosgw.Radosgw(tmp_path_factory.mktemp("radosgw")) as gateway:
        server = servers.Ceph(tmp_path_factory.mktemp, gateway)
        yield server
        server.stop()


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory):
    server = servers.Embedded(tmp_path_factory.mktemp)
    yield server
    server.stop()


@pytest.fixture(scope="session", params=["radosgw", "embedded"])
def server(request):
    """A test that uses this fixture runs once on each server."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def site(server):
    """A Signpost server that allows everything to everyone, in front of each S3 server in turn."""
    return server.site()
