"""Starts `signpost-local` on ports that the system chooses."""

import os
import re
import subprocess
import threading
import time
from pathlib import Path

from . import processes
from .redaction import redact

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SIGNPOST_LOCAL", ROOT / "target/debug/signpost-local"))
START_SECONDS = 30
LISTENING = re.compile(r"signpost: listening on (http://\S+)")


class LocalServer:
    """A running server. `url` has no trailing slash, and `log` contains everything that the server wrote to standard error.

    Without `rules`, the server uses no rules file. `command` replaces the binary, for example with `cargo run`.
    """

    def __init__(self, folder, rules=None, *options, settings=None, command=(BINARY,), cwd=None, start_seconds=START_SECONDS):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        rules_options = []
        if rules:
            (self.folder / "rules.toml").write_text(rules)
            rules_options = ["--rules", self.folder / "rules.toml"]
        self._lines = []
        self._ready = threading.Event()
        self.url = None
        self.process = processes.start(
            [*command, "--listen", "127.0.0.1:0", *rules_options, *options], cwd=cwd or self.folder, start_new_session=True,
            env=processes.clean_environment(settings), text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(start_seconds)
        if self.url is None:
            self.stop()
            raise RuntimeError(f"{command[0]} did not start:\n{redact(self.log)[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _read(self):
        for line in self.process.stderr:
            self._lines.append(line)
            if found := LISTENING.match(line):
                self.url = found[1].rstrip("/")
                self._ready.set()
        self._ready.set()

    def stop(self):
        """Ends the server and reads the rest of its log."""
        processes.stop_group(self.process, seconds=20)
        self._reader.join(5)

    @property
    def log(self):
        return "".join(self._lines)

    def has_logged(self, text, seconds=10):
        """Waits for a text in the log, which can arrive after the response. Returns false if it does not appear."""
        deadline = time.monotonic() + seconds
        while text not in self.log and time.monotonic() < deadline:
            time.sleep(0.05)
        return text in self.log
