"""Signature Version 4 in a query, computed with the standard library only, and all else that a signed URL must be."""

import calendar
import hashlib
import hmac
import time
from urllib.parse import parse_qsl, quote, urlsplit


class Wrong(Exception):
    """One thing that is not as it should be; its text holds no secret."""


def demand(holds, what):
    if not holds:
        raise Wrong(what)


def signature_of(method, url, headers, secret):
    """What S3 would compute for this request by a presigned URL."""
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


def signed_at(query):
    return calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))


def check_url(url, method, key, headers, asked, cloud, stable=None):
    """The URL does what was asked for, at the time at which it was (`asked`, from and to), and lives long enough."""
    parts = urlsplit(url)
    demand(f"{parts.scheme}://{parts.netloc}" == cloud.bucket_origin, "leads to another host")
    demand(parts.path == cloud.bucket_path + "/" + quote(key, safe="/-_.~"), f"leads to another key than {key!r}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    expected = sorted({"host", *(name.lower() for name in headers)})
    signed = query["X-Amz-SignedHeaders"].split(";")
    demand(signed == expected, f"signs {signed}, and not {expected}")
    when, lives = signed_at(query), int(query["X-Amz-Expires"])
    start, end = asked
    if stable:
        start -= start % stable
    demand(start - 2 <= when <= end + 2, f"is signed {when - end:.0f} s after it was asked for")
    demand(1 <= lives <= 900, f"lives for {lives} s")
    demand(when + lives >= end + 50, f"has {when + lives - end:.0f} s left")
    session = cloud.session(query["X-Amz-Credential"].partition("/")[0])
    if session is None:
        return query
    demand(query.get("X-Amz-Security-Token") == session.token, "has another session's token")
    demand(when + lives <= session.ends + 1, "outlives its session")
    cloud.secrets.note(query["X-Amz-Signature"])
    demand(signature_of(method, url, headers, session.secret) == query["X-Amz-Signature"], f"is not signed for {method}")
    return query
