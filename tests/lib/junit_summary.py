"""Prints the closing line `N passed, N failed, N skipped` of a JUnit report. Fails if a test failed or no test ran."""

import sys
import xml.etree.ElementTree as ElementTree

suites = ElementTree.parse(sys.argv[1]).getroot().iter("testsuite")
tests = failed = skipped = 0
for suite in suites:
    tests += int(suite.get("tests"))
    failed += int(suite.get("failures")) + int(suite.get("errors"))
    skipped += int(suite.get("skipped"))
passed = tests - failed - skipped
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(passed == 0 or failed > 0)
