"""A presigned URL split into its parts, so that tests can change one part at a time."""

from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

import wire
from lib.redaction import redact

AUTH_PARAMETERS = frozenset({
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
    "X-Amz-SignedHeaders", "X-Amz-Security-Token", "X-Amz-Signature",
})


def encode(text, safe=""):
    """SigV4 URI encoding: encodes every character except the unreserved ones."""
    return quote(text, safe="-_.~" + safe)


@dataclass(frozen=True, repr=False)
class Presigned:
    """`path` is the encoded path, unchanged. `query` contains decoded pairs in their original order."""

    origin: str
    path: str
    query: tuple

    @classmethod
    def parse(cls, url):
        parts = urlsplit(url)
        pairs = (pair.partition("=") for pair in parts.query.split("&"))
        query = tuple((unquote(name), unquote(value)) for name, _, value in pairs)
        return cls(f"{parts.scheme}://{parts.netloc}", parts.path, query)

    @property
    def url(self):
        query = "&".join(f"{encode(name)}={encode(value)}" for name, value in self.query)
        return f"{self.origin}{self.path}?{query}"

    def __getitem__(self, name):
        return dict(self.query)[name]

    def __repr__(self):
        return redact(self.url)

    @property
    def signed_headers(self):
        return set(self["X-Amz-SignedHeaders"].split(";"))

    @property
    def extra(self):
        """The signed query parameters other than those of SigV4."""
        return {name: value for name, value in self.query if name not in AUTH_PARAMETERS}

    @property
    def access_key(self):
        return self["X-Amz-Credential"].split("/")[0]

    @property
    def bucket(self):
        return unquote(self.path.split("/")[1])

    def with_path(self, path):
        return replace(self, path=path)

    def with_parameter(self, name, value):
        """Adds a query parameter, or replaces an existing one with this name."""
        others = tuple(pair for pair in self.query if pair[0] != name)
        return replace(self, query=(*others, (name, value)))

    def without_parameter(self, name):
        assert name in dict(self.query), f"{name} is not in {self!r}"
        return replace(self, query=tuple(pair for pair in self.query if pair[0] != name))

    def send(self, method, headers=None, body=None):
        return wire.send(method, self.url, headers, body)
