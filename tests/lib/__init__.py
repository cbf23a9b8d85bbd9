"""Modules that several test suites share: processes, servers, signatures, credentials and results."""
