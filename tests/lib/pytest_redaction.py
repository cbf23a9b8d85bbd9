"""A pytest hook that removes secrets from reports. A `conftest.py` imports it by name."""

import pytest

from .redaction import redact


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.longrepr is not None and not isinstance(report.longrepr, tuple):
        report.longrepr = redact(str(report.longrepr))
    report.sections = [(name, redact(text)) for name, text in report.sections]
    return report
