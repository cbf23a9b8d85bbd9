"""Removes signatures and session tokens from text before it is printed."""

import re

_SECRET = re.compile(r"(X-Amz-(?:Signature|Security-Token)=)[^&\s'\"<>]+", re.IGNORECASE)


def redact(text):
    """`text` with the value of every signature and session token replaced."""
    return _SECRET.sub(r"\1[redacted]", text)
