"""All that a signed URL must be."""

import calendar
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.sigv4 import signature_of  # noqa: E402


class Wrong(Exception):
    """One thing that is not as it should be; its text holds no secret."""


def demand(holds, what):
    if not holds:
        raise Wrong(what)


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
