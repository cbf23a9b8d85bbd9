"""Runs the real curl."""

import subprocess
from dataclasses import dataclass

from lib.redaction import redact


@dataclass(frozen=True)
class CurlResult:
    code: int
    out: bytes
    err: str

    @property
    def ok(self):
        return self.code == 0


def curl(*arguments, stdin=b""):
    """Runs curl without progress output. `-g` disables globbing, because some keys contain brackets."""
    command = ["curl", "-g", "-sS", "--max-time", "120", *map(str, arguments)]
    process = subprocess.run(command, input=stdin, capture_output=True, timeout=150)
    return CurlResult(process.returncode, process.stdout, redact(process.stderr.decode(errors="replace")))
