"""A signed form as Signpost tells it in JSON, sent as a browser sends it: the fields in their order, then the file."""

import base64
import json
import uuid
from dataclasses import dataclass, replace

import wire

JSON = {"Accept": "application/json"}


@dataclass(frozen=True, repr=False)
class Form:
    """`fields` holds pairs in the order in which they are sent."""

    url: str
    fields: tuple
    expires_in: int

    @classmethod
    def ask(cls, signpost, place, query=""):
        """The form for a key, or for a prefix that ends in `/`; "" is the root."""
        answer = signpost.ask("GET", place, JSON, query="form" + (f"&{query}" if query else ""))
        assert answer.status == 200, answer.body
        told = json.loads(answer.body)
        return cls(told["url"], tuple(told["fields"].items()), told["expires_in"])

    def __getitem__(self, name):
        return dict(self.fields)[name]

    def __repr__(self):
        return f"form for {self['key']!r}"

    @property
    def policy(self):
        """The text of the policy."""
        return base64.b64decode(self["policy"]).decode()

    def key(self, name="file"):
        """The key of a file of this name."""
        return self["key"].replace("${filename}", name)

    def with_field(self, name, value):
        """Replaces the field, or adds it before the others, where S3 reads it as well."""
        if name in dict(self.fields):
            return replace(self, fields=tuple((n, value if n == name else v) for n, v in self.fields))
        return replace(self, fields=((name, value), *self.fields))

    def without_field(self, name):
        assert name in dict(self.fields), f"no field {name}"
        return replace(self, fields=tuple(pair for pair in self.fields if pair[0] != name))

    def send(self, content, name="file", after=()):
        """Posts it with a file of this content and name; `after` holds fields that follow the file."""
        edge = uuid.uuid4().hex
        body = b"".join(_part(edge, field, value.encode()) for field, value in self.fields)
        body += _part(edge, f'file"; filename="{name}', content, "application/x-of-the-part")
        body += b"".join(_part(edge, field, value.encode()) for field, value in after)
        headers = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        return wire.send("POST", self.url, headers, body + f"--{edge}--\r\n".encode())


def _part(edge, name, value, content_type=None):
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n{kind}\r\n'.encode() + value + b"\r\n"
