"""Runs the release binary as AWS Lambda does, and checks its responses.

Each event of events/ goes through the Lambda Runtime Interface Emulator. The suite signs each presigned URL again, with the standard
library only, from the method and the headers in events/expected.json: the signatures are equal only if exactly these were signed.
Then come events that no front sends (malformed.py), git-lfs with a table and a bucket (dialects.py), requests of users with every
kind of credential (identities.py), requests to mounts (mounts.py), and the system calls of the function (sockets.py). Signatures and
session tokens are replaced before anything is compared, written or printed.
"""

import argparse
import http.client
import json
import re
import subprocess
import sys
from pathlib import Path

from corpus import Snapshots, cases, snapshot_names
from identities import describe
from malformed import check_survival, malformed_events
from responses import CACHE_SETTINGS, EVENTS, ROOT, SECRET_KEY, SETTINGS, Mismatch, Response, check_response, redact

sys.path.insert(0, str(ROOT / "tests"))

import dialects  # noqa: E402
import identities  # noqa: E402
import mounts  # noqa: E402
import sockets  # noqa: E402
from lib.lambda_emulator import Emulator, find_emulator  # noqa: E402
from lib.results import Results  # noqa: E402

ERRORS = (Mismatch, OSError, ValueError, KeyError, http.client.HTTPException)
SHOWN_FAILURES = 40
SECRETS = {
    "a signature": r"X-Amz-Signature=[0-9a-f]{64}",
    "the session token": r"example-session-token",
    "the secret key": re.escape(SECRET_KEY),
    "the secret key of a store": r"the-secret-key-of-the-store",
    "a credential of a request": r"not-a-token-of-ours|Z3Vlc3Q6Z3Vlc3M|the-token-of-ci|eyJ[\w-]{20}|__Host-signpost=[\w]|share=[\w]",
}


def arguments():
    parser = argparse.ArgumentParser(prog="tests/runtime/run", description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=ROOT / "target/release/signpost-lambda", type=Path, help="the function")
    parser.add_argument("--emulator", help="the emulator's binary (default: the one that tests/template/run installs)")
    parser.add_argument("--only", metavar="PREFIX", help="only the events whose names start with PREFIX, and nothing else")
    parser.add_argument("--update", action="store_true", help="rewrite the snapshots that exist")
    parser.add_argument("--all", action="store_true", help=f"print every failure, not only the first {SHOWN_FAILURES}")
    parser.add_argument("--log", type=Path, help="write the function's redacted output to this file")
    return parser.parse_args()


def main():
    options = arguments()
    results = Results(quiet=True, shown=None if options.all else SHOWN_FAILURES)
    emulator_binary, binary = find_emulator(options.emulator), options.binary.resolve()
    if emulator_binary is None or not binary.exists():
        missing = "the emulator (tests/template/run install)" if emulator_binary is None else f"{binary} (cargo build --release)"
        results.fail("the suite cannot start", f"missing: {missing}")
        return results.close()
    results.run("events/make.py --check", check_corpus, describe=describe)
    snapshots = Snapshots()
    with Emulator(emulator_binary, binary, SETTINGS) as emulator:
        run_events(results, emulator, snapshots, options.only, "rules.toml")
        if not options.only:
            for name, payload in malformed_events():
                results.run(f"malformed: {name}", lambda payload=payload: check_survival(emulator, payload), ERRORS, describe)
    output = emulator.last_output
    with Emulator(emulator_binary, binary, CACHE_SETTINGS) as emulator:
        run_events(results, emulator, snapshots, options.only, "caches.toml")
    output += emulator.last_output
    if not options.only:
        output += dialects.check_all(results, emulator_binary, binary, snapshots)
        output += identities.check_all(results, emulator_binary, binary)
        output += mounts.check_all(results, emulator_binary, binary)
        if options.update:
            snapshots.update()
        for name in snapshot_names():
            results.run(f"snapshot {name}", lambda name=name: snapshots.check(name), ERRORS, describe)
        sockets.check_all(results, binary)
    check_output(results, output)
    if options.log:
        options.log.write_text(redact(output))
    return results.close()


def check_corpus():
    done = subprocess.run([sys.executable, EVENTS / "make.py", "--check"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Mismatch(f"the files differ from events/make.py: {done.stderr.strip()}")


def run_events(results, emulator, snapshots, prefix, rules):
    """Runs the events whose expectations assume this rules file."""
    for name, front, event, expected in cases(prefix):
        if expected.get("rules", "rules.toml") != rules:
            continue

        def check(name=name, front=front, event=event, expected=expected):
            response = Response(emulator.invoke(json.dumps(event).encode()))
            snapshots.take(name, response)
            check_response(response, expected, front)

        results.run(name, check, ERRORS, describe)


def check_output(results, output):
    """The function logs no panic and no secret."""
    panic = output.find("panicked at")
    results.check("the log contains no panic", panic < 0, redact(output[panic:][:300]))
    for name, pattern in SECRETS.items():
        results.check(f"the log does not contain {name}", not re.search(pattern, output))


if __name__ == "__main__":
    sys.exit(main())
