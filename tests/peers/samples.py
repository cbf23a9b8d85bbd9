"""Random keys, percent-encoded paths and header sets. A fixed seed makes them the same in every run."""

import base64
import hashlib
import random
from dataclasses import dataclass

SEED = 2026
MAX_KEY_BYTES = 1024

TRICKY = [
    "a b", "a+b", "a%b", "100%25", "%2F", "a//b", "//", "/leading", "//two", "a/", "a//", "a b/c d/", "~tilde", "a'b\"c",
    "(x)!*'", "a&b=c;d", "a?b", "a#b", "q?x=1&X-Amz-Signature=0", "a:b@c", "a,b$c", "[x]{y}|z^`", "back\\slash", "<tag>",
    "\u00e9", "e\u0301", "\u00c5\u212b\u0041\u030a", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0627\u0644", "\u65e5\u672c\u8a9e/\u30d5\u30a1\u30a4\u30eb.txt",
    "\u200b", "\ufeffbom", "\u2028", "\U0010ffff", "...", "a/.../b", ".hidden", "a/.b", "-", "index.html", "ping", "e\u0301/" * 100,
    "x" * MAX_KEY_BYTES, "\U0001f600" * (MAX_KEY_BYTES // 4), "%" * MAX_KEY_BYTES, "/" * MAX_KEY_BYTES, "a/" * (MAX_KEY_BYTES // 2),
]
ALPHABET = list("abcXYZ019-_.~ +%/?#&=;:@,$!*'\"()[]{}|\\^`<>") + list("\u00e9\u0301\u00df\u0130\u65e5\u0627\u200d\U0001f600\U0001f3fd\U00010348")
UNRESERVED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~"
LEGAL_IN_PATH = UNRESERVED + b"!$&'()*+,;=:@/"


def is_legal(key):
    return (
        0 < len(key.encode()) <= MAX_KEY_BYTES
        and not any(segment in (".", "..") for segment in key.split("/"))
        and not key.startswith("-/")
    )


def keys(count, rng):
    """Returns `count` different keys: the special ones first, then random ones."""
    found = list(dict.fromkeys(key for key in TRICKY if is_legal(key)))
    while len(found) < count:
        length = rng.choice([1, 2, 3, 5, 8, 20, 60, 200])
        key = "".join(rng.choices(ALPHABET, k=length))
        if is_legal(key) and key not in found:
            found.append(key)
    return found


def encoded_path(key, rng):
    """Returns one of the percent-encoded paths for `key`. Optional escapes are chosen at random."""
    escape_rate = rng.choice([0.0, 0.1, 1.0])

    def encode_byte(byte):
        if byte in LEGAL_IN_PATH and rng.random() >= escape_rate:
            return chr(byte)
        return f"%{byte:02{rng.choice('xX')}}"

    return "/" + "".join(encode_byte(byte) for byte in key.encode())


@dataclass(frozen=True)
class Upload:
    """The body of a PUT and the headers that describe it."""

    body: bytes
    headers: dict


def upload(rng):
    body = rng.randbytes(rng.choice([0, 1, 17, 1000]))
    headers = {}
    if rng.random() < 0.4:
        headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
    if rng.random() < 0.4:
        headers["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if rng.random() < 0.5:
            headers["x-amz-sdk-checksum-algorithm"] = "SHA256"
    for number in range(rng.choice([0, 0, 1, 3])):
        headers[_metadata_name(rng, number)] = _metadata_value(rng)
    if rng.random() < 0.2:
        headers["If-None-Match"] = "*"
    elif rng.random() < 0.1:
        headers["If-Match"] = '"0123456789abcdef0123456789abcdef"'
    return Upload(body, headers)


def unsigned_headers(rng):
    """Random headers that clients send and that must not be signed."""
    candidates = {
        "Range": "bytes=1-2", "If-Modified-Since": "Tue, 01 Jan 2030 00:00:00 GMT", "User-Agent": "peers/1 (x; y)",
        "Accept-Language": "en", "Content-Type": "text/plain; charset=utf-8", "Cookie": "a=b", "Cache-Control": "no-cache",
    }
    return {name: value for name, value in candidates.items() if rng.random() < 0.3}


def _metadata_name(rng, number):
    name = f"x-amz-meta-{number}" + "".join(rng.choices("abcdefghij0123456789-_.", k=rng.randint(1, 12)))
    return rng.choice([name, name.title(), name.upper()])


def _metadata_value(rng):
    return rng.choice(["v", "two words", "a=b&c", "100%", "a+b", "semi;colon, comma", "/path?q#f", "\"quoted\"", "two  spaces", "=?UTF-8?B?w6k=?="])


def generator():
    return random.Random(SEED)
