"""git-lfs at the function under the emulator, through each front: locks in a table, and batches that look for stored objects."""

import json
import sys
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from identities import Front, run
from responses import CACHE_SETTINGS, EVENTS, FRONTS, ROOT, SECRET_KEY, expect_equal

sys.path[:0] = [str(ROOT / "tests"), str(EVENTS)]

import make  # noqa: E402
from lib.http_fake import HttpFake  # noqa: E402
from lib.lambda_emulator import Emulator  # noqa: E402
from lib.lock_table import LockTable  # noqa: E402
from lib.sigv4 import signature_of  # noqa: E402

STORED, MISSING, LONGER = "a" * 64, "b" * 64, "c" * 64
MEDIA_TYPE = "application/vnd.git-lfs+json"
HEADERS = make.CI | {"accept": MEDIA_TYPE, "content-type": MEDIA_TYPE}


class Bucket(HttpFake):
    """A bucket that contains two objects. It supports HEAD."""

    sizes = {STORED: 12, LONGER: 13}

    def respond(self, _method, path, _headers, _body):
        oid = urlsplit(path).path.rpartition("/")[2]
        return 200 if oid in self.sizes else 404, {"content-length": str(self.sizes.get(oid, 0))}, b""


def send(front, path, document):
    response = front.request("POST", f"/-/lfs/game/{path}", HEADERS, json.dumps(document).encode())
    expect_equal("content-type", MEDIA_TYPE, response.headers.get("content-type", "").partition(";")[0])
    return response


def a_lock_is_created_once_listed_verified_and_removed(front, snapshots):
    path = f"art/{front.name}.psd"
    created = send(front, "locks", {"path": path})
    expect_equal("status", 201, created.status)
    snapshots.take(f"{front.name}-lfs-lock", created)
    lock = json.loads(created.body)["lock"]
    expect_equal("lock", [path, {"name": "ci"}], [lock["path"], lock["owner"]])
    again = send(front, "locks", {"path": path})
    expect_equal("status and lock of a second request", [409, lock], [again.status, json.loads(again.body)["lock"]])
    listed = front.request("GET", f"/-/lfs/game/locks?path={quote(path, safe='')}", HEADERS)
    expect_equal("listed locks", [lock], json.loads(listed.body)["locks"])
    verified = json.loads(send(front, "locks/verify", {}).body)
    expect_equal("verified locks", [[lock], []], [verified["ours"], verified["theirs"]])
    for expected in (200, 404):
        removed = send(front, f"locks/{lock['id']}/unlock", {"force": False})
        expect_equal("status of unlock", expected, removed.status)
    expect_equal("locks", [], json.loads(front.request("GET", "/-/lfs/game/locks", HEADERS).body)["locks"])


def an_upload_is_signed_unless_the_object_is_stored(front, snapshots):
    objects = [{"oid": oid, "size": 12} for oid in (STORED, MISSING, LONGER)]
    response = send(front, "objects/batch", {"operation": "upload", "objects": objects})
    expect_equal("status", 200, response.status)
    stored, missing, longer = json.loads(response.body)["objects"]
    expect_equal("action for a stored object", None, stored.get("actions") or stored.get("error"))
    expect_equal("error for a stored object of another size", 422, longer["error"]["code"])
    upload = missing["actions"]["upload"]
    signed = {name.lower(): value for name, value in upload["header"].items()} | {"content-length": "12"}
    parts = urlsplit(upload["href"])
    query = dict(parse_qsl(parts.query))
    expect_equal("key", f"/example-bucket/lfs/game/bb/bb/{MISSING}", unquote(parts.path))
    expect_equal("signed headers", sorted({*signed, "host"}), query["X-Amz-SignedHeaders"].split(";"))
    expect_equal("condition", "*", signed["if-none-match"])
    is_valid = signature_of("PUT", upload["href"], signed, SECRET_KEY) == query["X-Amz-Signature"]
    expect_equal("the signature is valid for PUT", True, is_valid)


CHECKS = (a_lock_is_created_once_listed_verified_and_removed, an_upload_is_signed_unless_the_object_is_stored)


def check_all(results, emulator_binary, binary, snapshots):
    """Runs every check through every front. Returns the output of the function."""
    with LockTable() as table, Bucket() as bucket:
        endpoints = {"AWS_ENDPOINT_URL_DYNAMODB": table.endpoint, "SIGNPOST_ENDPOINT": bucket.endpoint, "SIGNPOST_TABLE": "signpost"}
        with Emulator(emulator_binary, binary, CACHE_SETTINGS | endpoints) as emulator:
            for name in FRONTS:
                for check in CHECKS:
                    title = f"{name}: {check.__name__.replace('_', ' ')}"
                    run(results, title, lambda check=check, name=name: check(Front(emulator, name), snapshots))
    return emulator.last_output
