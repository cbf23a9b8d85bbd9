"""HTTP without conveniences: follows no redirect, normalises no path, and adds only Host and Content-Length."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def send(method, url, headers=None, body=None):
    """Sends one request to `url` without changes. `body` is bytes, or an iterable of chunks for a chunked request."""
    parts = urlsplit(url)
    target = url.split(parts.netloc, 1)[1] or "/"
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host=_has(headers, "host"), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        chunked = body is not None and not isinstance(body, bytes)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif body is not None and not _has(headers, "content-length"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body, encode_chunked=chunked)
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


def _has(headers, name):
    return any(name == header.lower() for header in headers or {})
