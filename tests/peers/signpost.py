"""Starts `signpost-local` and sends requests to it without following redirects."""

import base64
import re
from urllib.parse import quote

import wire
from lib.local_server import LocalServer
from presigned import Presigned

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


class Signpost(LocalServer):
    """A running server. `url` has no trailing slash. Without `table`, the settings must name the source of the rules."""

    def __init__(self, folder, table, arguments, credentials=None):
        self._secrets = credentials.secrets if credentials else []
        super().__init__(folder, table, *arguments, settings=credentials.environment if credentials else None)

    def stop(self):
        """Stops the server. Fails if the log contains a signature or a credential."""
        super().stop()
        assert not SIGNATURE.search(self.log), "a signature was logged"
        assert not any(secret in self.log for secret in self._secrets), "a credential was logged"

    def url_of(self, key):
        return f"{self.url}/{quote(key, safe='/')}"

    def request(self, method, key, headers=None, body=None, query="", path=None):
        """Sends one request. `path`, if given, is the encoded path and replaces `key`."""
        url = self.url_of(key) if path is None else self.url + path
        return wire.send(method, url + (f"?{query}" if query else ""), headers, body)

    def redirect(self, method, key, headers=None, body=None, query="", path=None):
        """Returns the presigned URL of the redirect. Fails if the response is not a 307."""
        response = self.request(method, key, headers, body, query, path)
        assert response.status == 307, f"{method}: {response.status} {response.body[:500]!r}"
        return Presigned.parse(response.headers["Location"])


def basic(identity, secret):
    return "Basic " + base64.b64encode(f"{identity}:{secret}".encode()).decode()
