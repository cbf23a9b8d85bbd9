"""Runs the real curl."""

import subprocess
from dataclasses import dataclass

from redaction import redact


@dataclass(frozen=True)
class Ran:
    code: int
    out: bytes
    err: str

    @property
    def ok(self):
        return self.code == 0


def curl(*arguments, stdin=b""):
    """curl with the arguments given, quiet but for errors; `-g` because keys have brackets."""
    command = ["curl", "-g", "-sS", "--max-time", "120", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=150)
    return Ran(done.returncode, done.stdout, redact(done.stderr.decode(errors="replace")))
