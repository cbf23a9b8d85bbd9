"""LocalStack as a child process on a loopback port, with all its files in one folder."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

import processes  # noqa: E402

PYTHON = HERE / ".venv/bin/python"
EMULATORS = HERE.parent / "sam/.venv/lib"
START_SECONDS = 90


class LocalStack:
    def __init__(self, folder):
        self.folder, self.port = folder, processes.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.folder.mkdir()
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = processes.start(
                [PYTHON, "-m", "localstack.runtime.main"], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        ends = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > ends:
                self.__exit__()
                raise RuntimeError(f"LocalStack did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        # Functions that still run are in its process group.
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(seconds)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def environment(self):
        (emulator,) = EMULATORS.glob("python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")
        temporary = self.folder / "tmp"
        temporary.mkdir()
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            "AWS_LAMBDA_RIE": str(emulator),
            "S3_SKIP_SIGNATURE_VALIDATION": "0",
            "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "1",
            # It stays on this machine.
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "USE_SSL": "0",
            "DNS_ADDRESS": "0",
        }

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_localstack/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False
