"""AWS's Lambda Runtime Interface Emulator, which runs a function without Docker."""

import http.client
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import processes
from .redaction import redact

ROOT = Path(__file__).resolve().parents[2]
SAM_PACKAGES = ROOT / "tests/template/.venv"
START_SECONDS = 15


def find_emulator(given=None):
    """The emulator's binary or None. The aws-sam-cli wheel contains it, and `tests/template/run install` installs that wheel."""
    installed = SAM_PACKAGES.glob("lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")
    candidates = [Path(given)] if given else sorted(installed)
    return next((candidate for candidate in candidates if candidate.exists()), None)


class Emulator:
    """One function in one emulator, as a context manager. `settings` are the function's environment."""

    def __init__(self, emulator, binary, settings, log=None):
        self.folder = Path(tempfile.mkdtemp(prefix="signpost-emulator-"))
        self.emulator, self.binary, self.settings = self.folder / "emulator", binary, settings
        shutil.copy(emulator, self.emulator)
        self.emulator.chmod(0o755)
        self.log = log or self.folder / "log"
        self.invoke_port, self.runtime_port = processes.free_port(), processes.free_port()

    def __enter__(self):
        command = [
            self.emulator,
            "--runtime-interface-emulator-address", f"127.0.0.1:{self.invoke_port}",
            "--runtime-api-address", f"127.0.0.1:{self.runtime_port}",
            self.binary,
        ]  # fmt: skip
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)} | self.settings
        with self.log.open("wb") as log:
            self.process = processes.start(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if not processes.wait_until(self._listens, self.process, START_SECONDS):
            self.__exit__()
            raise SystemExit(f"the emulator did not start:\n{redact(self.last_output)}")
        return self

    def _listens(self):
        # The invoke port opens before the runtime port. A fast function that is invoked in between gets a 502.
        return processes.accepts_connections(self.invoke_port) and processes.accepts_connections(self.runtime_port)

    def __exit__(self, *_):
        processes.stop_group(self.process, seconds=5)
        self.last_output = self.output()
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self):
        return self.log.read_bytes().decode("utf-8", "replace") if self.log.exists() else ""

    def invoke(self, payload):
        """The raw response to one event."""
        connection = http.client.HTTPConnection("127.0.0.1", self.invoke_port, timeout=30)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", payload, {"content-type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def function_processes(self):
        """The ids of the function's processes. A new id means that the old process ended."""
        children = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, queue = [], [self.process.pid]
        while queue:
            for child in children.get(queue.pop(), []):
                found.append(child)
                queue.append(child)
        return sorted(found)
