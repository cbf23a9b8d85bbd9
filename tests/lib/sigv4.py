"""Signature Version 4 in a query string, computed with the standard library only."""

import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit


def signature_of(method, url, headers, secret):
    """The signature that S3 computes for a request with this presigned URL and these headers."""
    parts = urlsplit(url)
    pairs = [pair.partition("=")[::2] for pair in parts.query.split("&")]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    canonical_query = "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != "X-Amz-Signature")
    names = query["X-Amz-SignedHeaders"].split(";")
    values = {name.lower(): value for name, value in headers.items()} | {"host": parts.netloc}
    canonical_headers = "".join(f"{name}:{' '.join(values[name].split())}\n" for name in names)
    request = "\n".join([method, parts.path, canonical_query, canonical_headers, ";".join(names), "UNSIGNED-PAYLOAD"])
    scope = query["X-Amz-Credential"].split("/")[1:]
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
