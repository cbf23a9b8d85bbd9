"""Counts the tests of a suite, prints one line per test, and prints the closing line."""

import textwrap


class Results:
    """The results of a suite. With `quiet`, passed tests print nothing. At most `shown` failures are printed."""

    def __init__(self, quiet=False, shown=None):
        self.quiet, self.shown = quiet, shown
        self.passed = self.failed = self.skipped = 0

    def succeed(self, name):
        self.passed += 1
        if not self.quiet:
            print(f"ok   {name}", flush=True)

    def fail(self, name, problem=""):
        self.failed += 1
        if self.shown is None or self.failed <= self.shown:
            details = f"\n{textwrap.indent(str(problem), '     ')}" if problem else ""
            print(f"FAIL {name}{details}", flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"SKIPPED {name}: {reason}", flush=True)

    def check(self, name, holds, problem=""):
        """Counts a condition as one test."""
        if holds:
            self.succeed(name)
        else:
            self.fail(name, problem)

    def run(self, name, test, expected_errors=(Exception,), describe=str):
        """Runs a function as one test. Returns True if it passed. `describe` turns an error into the text of the failure."""
        try:
            test()
        except expected_errors as error:
            self.fail(name, describe(error))
            return False
        self.succeed(name)
        return True

    def close(self):
        """Prints the closing line and returns the exit status."""
        if self.shown is not None and self.failed > self.shown:
            print(f"… and {self.failed - self.shown} more")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed else 0
