"""Checks of signed URLs."""

import calendar
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.sigv4 import signature_of  # noqa: E402


class CheckFailed(Exception):
    """A failed check. Its text must not contain a secret."""


def check(condition, message):
    if not condition:
        raise CheckFailed(message)


def signed_at(query):
    return calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))


def check_url(url, method, key, headers, clock_window, aws, reuse_window=None):
    """Checks that the URL is for this request, was signed within `clock_window` (start and end), and is valid for long enough."""
    parts = urlsplit(url)
    check(f"{parts.scheme}://{parts.netloc}" == aws.bucket_origin, "leads to another host")
    check(parts.path == aws.bucket_path + "/" + quote(key, safe="/-_.~"), f"leads to another key than {key!r}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    expected = sorted({"host", *(name.lower() for name in headers)})
    signed = query["X-Amz-SignedHeaders"].split(";")
    check(signed == expected, f"signs {signed}, and not {expected}")
    signed_time, lifetime = signed_at(query), int(query["X-Amz-Expires"])
    start, end = clock_window
    if reuse_window:
        start -= start % reuse_window
    check(start - 2 <= signed_time <= end + 2, f"is signed {signed_time - end:.0f} s after the request")
    check(1 <= lifetime <= 900, f"has a lifetime of {lifetime} s")
    check(signed_time + lifetime >= end + 50, f"expires in {signed_time + lifetime - end:.0f} s")
    session = aws.session(query["X-Amz-Credential"].partition("/")[0])
    if session is None:
        return query
    check(query.get("X-Amz-Security-Token") == session.token, "has another session's token")
    check(signed_time + lifetime <= session.ends + 1, "outlives its session")
    aws.secrets.add(query["X-Amz-Signature"])
    check(signature_of(method, url, headers, session.secret) == query["X-Amz-Signature"], f"is not signed for {method}")
    return query
