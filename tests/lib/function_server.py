"""The function under the runtime emulator, behind an HTTP server that works as a REST API, with the embedded S3 of `signpost-local`."""

import contextlib
import http.server
import json
import sys
import threading
from pathlib import Path

from . import processes
from .lambda_emulator import Emulator
from .local_server import LocalServer
from .lock_table import LockTable

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "events"), str(ROOT / "tests/runtime")]

import make  # noqa: E402
from responses import Response  # noqa: E402

ACCESS_KEY, SECRET_KEY, BUCKET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "signpost"
MAX_EVENT_BYTES = 6 << 20
# A REST API renames this header of a response.
RENAMED = {"www-authenticate": "x-amzn-remapped-www-authenticate"}


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # a test sends 50 requests at a time, and the system resets connections that do not fit


class FunctionServer:
    """A running function, as a context manager. `url` has no trailing slash."""

    def __init__(self, folder, rules, emulator, binary):
        self.folder, self.rules, self.emulator_binary, self.binary = Path(folder), rules, emulator, Path(binary).resolve()
        self._open = contextlib.ExitStack()
        self._invocation = threading.Lock()  # the emulator runs one invocation at a time
        self._http = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        table = self._open.enter_context(LockTable())
        self.s3 = f"http://127.0.0.1:{processes.free_port()}"
        keys = {"SIGNPOST_LOCAL_S3_ACCESS_KEY_ID": ACCESS_KEY, "SIGNPOST_LOCAL_S3_SECRET_ACCESS_KEY": SECRET_KEY}
        options = ("--s3-listen", self.s3.removeprefix("http://"), "--data", self.folder / "data")
        self._open.enter_context(LocalServer(self.folder, None, *options, settings=keys))
        self.emulator = self._open.enter_context(Emulator(self.emulator_binary, self.binary, self._settings(table)))
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._open.callback(self._http.server_close)
        self._open.callback(self._http.shutdown)
        return self

    def __exit__(self, *_):
        self._open.close()

    @property
    def log(self):
        return self.emulator.output()

    def _settings(self, table):
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "signpost",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
            "AWS_ENDPOINT_URL_DYNAMODB": table.endpoint,
            "SIGNPOST_BUCKET": BUCKET,
            "SIGNPOST_ENDPOINT": self.s3,
            "SIGNPOST_PUBLIC_URL": self.url,
            "SIGNPOST_RULES": self.rules,
            "SIGNPOST_TABLE": "signpost",
        }

    def respond(self, request):
        """The status, the headers and the body of the response to a request."""
        event = json.dumps(make.rest(request)).encode()
        if len(event) > MAX_EVENT_BYTES:
            return 413, [("content-type", "application/json")], b'{"message":"Request Too Long"}'
        with self._invocation:
            response = Response(self.emulator.invoke(event))
        headers = [(RENAMED.get(name, name), value) for name, value in response.headers.items()]
        return response.status, headers, response.body.encode()

    def _handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, headers, body = server.respond(make.Request(self.command, self.path, headers, body))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = respond

            def log_message(self, *_):
                pass

        return Handler
