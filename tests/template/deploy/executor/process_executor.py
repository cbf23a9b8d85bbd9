"""A LocalStack plugin that runs Lambda functions without Docker: `bootstrap` as a process under AWS's Lambda runtime emulator."""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from localstack import config
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

START_SECONDS = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class ProcessExecutor(RuntimeExecutor):
    process = None

    def start(self, env_vars):
        code = Path(self.function_version.config.code.get_unzipped_code_location())
        bootstrap = code / "bootstrap"
        bootstrap.chmod(0o755)
        self.port, runtime = free_port(), free_port()
        self.log = Path(tempfile.mkdtemp(prefix="function-")) / "log"
        environment = {name: str(value) for name, value in env_vars.items()}
        command = [
            os.environ["AWS_LAMBDA_RIE"], "--log-level", "error",
            "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}",
            "--runtime-api-address", f"127.0.0.1:{runtime}",
            str(bootstrap),
        ]  # fmt: skip
        environment |= {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(code)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=code, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # The emulator opens its invoke port first. A function that is invoked before the other port is open gets a 502.
        deadline = time.monotonic() + START_SECONDS
        while not (accepts_connections(self.port) and accepts_connections(runtime)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the runtime emulator did not start: {self.get_logs()}")
            time.sleep(0.02)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(5)

    def invoke(self, payload):
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        response = requests.post(url, data=payload["payload"], timeout=60)
        return InvocationResult(payload["invoke-id"], response.content, b'"errorType"' in response.content, self.get_logs())

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"

    def get_logs(self):
        return self.log.read_text(errors="replace")[-4096:]

    @classmethod
    def prepare_version(cls, function_version):
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass


class Process(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *_, **__):
        return ProcessExecutor
