"""The programs that the suites run. One build serves all suites."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
SIGNPOST = Path(os.environ.get("SIGNPOST", TARGET / "signpost")).absolute()
LOCAL = Path(os.environ.get("SIGNPOST_LOCAL", TARGET / "signpost-local")).absolute()


def build_programs():
    """Builds the programs, unless SIGNPOST and SIGNPOST_LOCAL name both."""
    if not ("SIGNPOST" in os.environ and "SIGNPOST_LOCAL" in os.environ):
        subprocess.run(["bash", "-c", f"cd {ROOT}/tests/lib && source suite.sh && build_programs"], check=True)
