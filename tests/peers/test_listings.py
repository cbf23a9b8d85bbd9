"""Listings that Signpost carries out, and what of them S3 itself says."""

import json
import random
import re

import pytest

import samples
import servers
import signpost

JSON = {"Accept": "application/json"}
LISTING = signpost.rules().replace('"delete"]', '"delete", "list"]')


@pytest.fixture
def site(server):
    return server.site(LISTING)


@pytest.fixture
def prefix():
    return servers.fresh_key("a list \u00e9") + "/"


def listed(site, prefix, query=""):
    answer = site.ask("GET", prefix, JSON, query=query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def pages(site, prefix, query):
    """Every page, by following `next`."""
    told = listed(site, prefix, query)
    yield told
    while told["next"]:
        told = listed(site, prefix, f"{query}&next={signpost.quote(told['next'], safe='')}")
        yield told


def names(told, what):
    return [entry["name"] for entry in told[what]]


def test_names_of_every_kind_are_told_as_they_are_and_in_the_order_of_bytes(site, prefix):
    room = samples.MAX_KEY_BYTES - len(prefix.encode())
    found = [key for key in samples.keys(60, random.Random(samples.SEED)) if len(key.encode()) <= room]
    found = [key for key in found if "//" not in f"/{key}"]  # folders without a name are another test
    for key in found:
        site.put(prefix + key, b"12345")
    told = [told for page in pages(site, prefix, "recursive&max-keys=7") for told in names(page, "objects")]
    # What ends in a slash marks a folder: its path is that of the listing.
    assert told == sorted((key for key in found if not key.endswith("/")), key=str.encode)


def test_a_folder_tells_what_is_in_it_and_the_folders_below(site, prefix):
    for name in ["b.txt", "a/1", "a/2", "c/d/3", "c//4"]:
        site.put(prefix + name, b"123")
    told = listed(site, prefix)
    assert names(told, "folders") == ["a/", "c/"]
    assert names(told, "objects") == ["b.txt"]
    assert told["objects"][0]["key"] == f"{prefix}b.txt"
    assert told["objects"][0]["size"] == 3
    assert re.fullmatch(r'"[0-9a-f]{32}"', told["objects"][0]["etag"])
    assert names(listed(site, f"{prefix}c/"), "folders") == ["/", "d/"]
    assert names(listed(site, f"{prefix}c//"), "objects") == ["4"]


def test_an_empty_prefix_is_an_empty_listing(site, prefix):
    told = listed(site, prefix)
    assert (told["folders"], told["objects"], told["next"]) == ([], [], None)


def test_a_token_of_nobody_is_refused_and_not_a_failure_of_ours(site, prefix):
    answer = site.ask("GET", prefix, JSON, query="next=no%20token%22%3C")
    assert answer.status in (200, 400), answer.body


def test_uploads_that_have_begun_are_told_until_they_end(site, prefix):
    begun = []
    for name in ["a", "b c"]:
        answer = site.redirect("POST", prefix + name, query="uploads").send("POST", {"Content-Length": "0"}, b"")
        assert answer.status == 200, answer.body
        begun.append((name, re.search(r"<UploadId>([^<]+)</UploadId>", answer.body.decode())[1]))
    told = listed(site, prefix, "uploads")
    assert [(upload["name"], upload["upload_id"]) for upload in told["uploads"]] == begun
    name, upload = begun[0]
    query = f"uploadId={signpost.quote(upload, safe='')}"
    assert site.redirect("DELETE", prefix + name, query=query).send("DELETE").status == 204
    assert names(listed(site, prefix, "uploads"), "uploads") == ["b c"]
