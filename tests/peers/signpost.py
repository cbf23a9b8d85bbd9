"""Starts `signpost-local` and sends requests to it without following redirects."""

import base64
import os
import pathlib
import re
import subprocess
import threading
from urllib.parse import quote

import processes
import wire
from presigned import Presigned
from redaction import redact

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SIGNPOST_LOCAL", str(ROOT / "target" / "debug" / "signpost-local"))
START_SECONDS = 30
READY = "signpost: listening on "
SIGNATURE = re.compile(r"X-Amz-Signature=[0-9a-f]{64}")

RULES = """\
version = 1

[defaults]
max_bytes = "5GiB"
overwrite = {overwrite}
disposition = "inline"

[[rule]]
id = "everything"
who = ["anyone"]
allow_anonymous_write = true
can = ["read", "write", "delete"]
on = ["**"]
client_may_set = [{client_may_set}]
{more}
"""


def rules(overwrite=True, client_may_set=(), more=""):
    """Returns rules that allow everything to everyone, with the given constraints."""
    names = ", ".join(f'"{name}"' for name in client_may_set)
    return RULES.format(overwrite=str(overwrite).lower(), client_may_set=names, more=more)


class Credentials:
    """The credentials and settings in the environment of a server."""

    def __init__(self, access_key, secret_key, token=None, settings=None):
        self.access_key, self.secret_key, self.token = access_key, secret_key, token
        self._settings = settings or {}

    @property
    def environment(self):
        found = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return found | ({"AWS_SESSION_TOKEN": self.token} if self.token else {}) | self._settings

    @property
    def secrets(self):
        return [secret for secret in (self.secret_key, self.token) if secret]


class Signpost:
    """A running server. `url` has no trailing slash. Without `table`, the settings must name the source of the rules."""

    def __init__(self, folder, table, arguments, credentials=None):
        path = folder / "rules.toml"
        path.write_text(table or "")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SIGNPOST_"))}
        environment |= credentials.environment if credentials else {}
        command = [BINARY, "--listen", "127.0.0.1:0", *(["--rules", str(path)] if table else []), *arguments]
        self._secrets = credentials.secrets if credentials else []
        self._lines = []
        self._ready = threading.Event()
        self._process = processes.start(
            command, cwd=folder, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(START_SECONDS)
        self.url = self._listening()

    def _read(self):
        for line in self._process.stderr:
            self._lines.append(line)
            if line.startswith(READY):
                self._ready.set()
        self._ready.set()

    def _listening(self):
        for line in self._lines:
            if line.startswith(READY):
                return line.removeprefix(READY).strip().rstrip("/")
        self.stop()
        raise RuntimeError(f"{BINARY} did not start:\n{redact(self.log)}")

    def stop(self):
        """Stops the server. Fails if the log contains a signature or a credential."""
        processes.stop(self._process)
        self._reader.join(5)
        assert not SIGNATURE.search(self.log), "a signature was logged"
        assert not any(secret in self.log for secret in self._secrets), "a credential was logged"

    @property
    def log(self):
        return "".join(self._lines)

    def url_of(self, key):
        return f"{self.url}/{quote(key, safe='/')}"

    def request(self, method, key, headers=None, body=None, query="", path=None):
        """Sends one request. `path`, if given, is the encoded path and replaces `key`."""
        url = self.url_of(key) if path is None else self.url + path
        return wire.send(method, url + (f"?{query}" if query else ""), headers, body)

    ask = request  # tests/iam calls it by this name

    def redirect(self, method, key, headers=None, body=None, query="", path=None):
        """Returns the presigned URL of the redirect. Fails if the response is not a 307."""
        response = self.request(method, key, headers, body, query, path)
        assert response.status == 307, f"{method}: {response.status} {response.body[:500]!r}"
        return Presigned.parse(response.headers["Location"])


def basic(identity, secret):
    return "Basic " + base64.b64encode(f"{identity}:{secret}".encode()).decode()
