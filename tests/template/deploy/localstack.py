"""LocalStack as a child process on a loopback port, with all its files in one folder."""

import os
import subprocess
import urllib.request
from pathlib import Path

from lib import processes
from lib.lambda_emulator import find_emulator

PYTHON = Path(__file__).resolve().parent / ".venv/bin/python"
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
        if not processes.wait_until(self.is_healthy, self.process, START_SECONDS, interval=0.2):
            self.__exit__()
            raise RuntimeError(f"LocalStack did not start: {self.log.read_text()[-2000:]}")
        return self

    def __exit__(self, *_):
        # The process group includes the functions that still run.
        processes.stop_group(self.process)

    def environment(self):
        temporary = self.folder / "tmp"
        temporary.mkdir()
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            "AWS_LAMBDA_RIE": str(find_emulator()),
            "S3_SKIP_SIGNATURE_VALIDATION": "0",
            "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "1",
            # No requests to hosts other than this one.
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "USE_SSL": "0",
            "DNS_ADDRESS": "0",
        }

    def is_healthy(self):
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_localstack/health", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False
