"""Mounts at the function under the emulator, through each front: share links for objects in a mount, listings of a mount in another store,
and a store that does not respond.
"""

import json
from urllib.parse import parse_qs, urlsplit

from identities import Front, run_check
from responses import FRONTS, SETTINGS, check_url, expect_equal
from lib.http_fake import HttpFake
from lib.lambda_emulator import Emulator
from lib.tokens import bearer, digest

import make

TOKEN = "the-token-of-ci"
STORE_KEY = "STOREKEYEXAMPLE"
STORE_SECRET = "the-secret-key-of-the-store"
RULES = """version = 1

[[mount]]
at = "archive/"
bucket = "acme-archive"
prefix = "2024/"
region = "us-west-2"

[[mount]]
at = "lab/"
bucket = "measurements"
prefix = "x/"
region = "us-east-1"
endpoint = "{store}"
credentials = "STORE"

[[token]]
id = "ci"
sha256 = "{digest}"

[[rule]]
id = "ci"
who = ["token:ci"]
can = ["read", "write", "list"]
on = ["**"]
share = ["read"]
"""
LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>measurements</Name><Prefix>{prefix}</Prefix><KeyCount>2</KeyCount>
<MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
<Contents><Key>{prefix}a+b.txt</Key><LastModified>2026-07-10T19:19:04.000Z</LastModified><ETag>"0123"</ETag><Size>12</Size>
<StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>{prefix}sub/</Prefix></CommonPrefixes></ListBucketResult>"""


class Store(HttpFake):
    """An S3 server that has an object and a folder below every prefix, and records the listings."""

    def __init__(self):
        super().__init__()
        self.requests = []

    def respond(self, _method, path, _headers, _body):
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append((parts.path, query))
        return 200, {"content-type": "application/xml"}, LISTING.format(prefix=query["prefix"]).encode()


def a_share_link_grants_its_key_in_the_mount_only(front, _store):
    headers = bearer(TOKEN) | {"content-type": "application/json"}
    created = front.request("POST", "/-/share", headers, b'{"key": "archive/a b"}')
    expect_equal("the link", 200, created.status)
    link = urlsplit(created.body.strip())
    used = front.request("GET", f"/archive/a%20b?{link.query}")
    expect_equal("the use of the link", 307, used.status)
    check_url(used.headers["location"], make.in_mount(make.signed("archive/a b", "GET"), "2024/a b"))
    for path in ("/archive/other", "/a%20b", "/2024/a%20b", "/lab/a%20b"):
        front.expect_rejection(403, "GET", f"{path}?{link.query}")


def a_listing_shows_the_keys_of_the_mount(front, store):
    store.requests.clear()
    headers = bearer(TOKEN) | {"accept": "application/json"}
    response = front.request("GET", "/lab/", headers)
    expect_equal("the listing", 200, response.status)
    listing = json.loads(response.body)
    expect_equal("the objects", ["lab/a b.txt"], [entry["key"] for entry in listing["objects"]])
    expect_equal("the folders", ["lab/sub/"], [entry["key"] for entry in listing["folders"]])
    [(path, query)] = store.requests
    expect_equal("the bucket in the path", "/measurements", path.rstrip("/"))
    expect_equal("the prefix", "x/", query["prefix"])
    expect_equal("the access key", STORE_KEY, query["X-Amz-Credential"].split("/")[0])
    expect_equal("the session token", None, query.get("X-Amz-Security-Token"))


CHECKS = [a_share_link_grants_its_key_in_the_mount_only, a_listing_shows_the_keys_of_the_mount]


def a_store_without_a_response_affects_only_its_mount(front, _store):
    listing = front.request("GET", "/lab/", bearer(TOKEN))
    expect_equal("the listing of the store", 503, listing.status)
    front.expect_redirect("ci", "GET", "docs/a", bearer(TOKEN))


def check_all(results, emulator_binary, binary):
    """Runs every check through every front. Returns the output of the function."""
    store = Store()
    settings = SETTINGS | {
        "SIGNPOST_RULES": RULES.format(store=store.endpoint, digest=digest(TOKEN)),
        "SIGNPOST_KEYS": "k1:" + "A" * 43,
        "SIGNPOST_CREDENTIALS_STORE": f"{STORE_KEY}:{STORE_SECRET}",
    }
    emulator = Emulator(emulator_binary, binary, settings)
    with emulator:
        with store:
            for front in FRONTS:
                for check in CHECKS:
                    run_check(results, check, Front(emulator, front), store)
        run_check(results, a_store_without_a_response_affects_only_its_mount, Front(emulator, "rest"), store)
    return emulator.last_output
