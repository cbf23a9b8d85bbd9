"""A signed form that Signpost returned as JSON. It is sent as a browser sends it: the fields in order, then the file."""

import base64
import json
import uuid
from dataclasses import dataclass, replace

import wire

JSON = {"Accept": "application/json"}


@dataclass(frozen=True, repr=False)
class Form:
    """`fields` contains name-value pairs in the order in which they are sent."""

    url: str
    fields: tuple
    expires_in: int

    @classmethod
    def request(cls, signpost, target, query=""):
        """Requests the form for a key, or for a prefix that ends in `/`. The root is ""."""
        response = signpost.request("GET", target, JSON, query="form" + (f"&{query}" if query else ""))
        assert response.status == 200, response.body
        body = json.loads(response.body)
        return cls(body["url"], tuple(body["fields"].items()), body["expires_in"])

    def __getitem__(self, name):
        return dict(self.fields)[name]

    def __repr__(self):
        return f"form for {self['key']!r}"

    @property
    def policy(self):
        """The decoded policy document."""
        return base64.b64decode(self["policy"]).decode()

    def key(self, name="file"):
        """The key under which a file with this name is stored."""
        return self["key"].replace("${filename}", name)

    def with_field(self, name, value):
        """Replaces the field, or adds it in front of the others. S3 reads fields in any position before the file."""
        if name in dict(self.fields):
            return replace(self, fields=tuple((n, value if n == name else v) for n, v in self.fields))
        return replace(self, fields=((name, value), *self.fields))

    def without_field(self, name):
        assert name in dict(self.fields), f"no field {name}"
        return replace(self, fields=tuple(pair for pair in self.fields if pair[0] != name))

    def send(self, content, name="file", after=()):
        """Posts the form with a file of this content and name. `after` contains fields that follow the file."""
        boundary = uuid.uuid4().hex
        body = b"".join(_part(boundary, field, value.encode()) for field, value in self.fields)
        body += _part(boundary, f'file"; filename="{name}', content, "application/x-of-the-part")
        body += b"".join(_part(boundary, field, value.encode()) for field, value in after)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return wire.send("POST", self.url, headers, body + f"--{boundary}--\r\n".encode())


def _part(boundary, name, value, content_type=None):
    header = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n{header}\r\n'.encode() + value + b"\r\n"
