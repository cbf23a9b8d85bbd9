"""Listings by Signpost, compared with the objects in S3."""

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


def list_prefix(site, prefix, query=""):
    response = site.request("GET", prefix, JSON, query=query)
    assert response.status == 200, response.body
    return json.loads(response.body)


def pages(site, prefix, query):
    """Yields every page by following `next`."""
    listing = list_prefix(site, prefix, query)
    yield listing
    while listing["next"]:
        listing = list_prefix(site, prefix, f"{query}&next={signpost.quote(listing['next'], safe='')}")
        yield listing


def names(listing, kind):
    return [entry["name"] for entry in listing[kind]]


def test_names_of_every_kind_are_listed_unchanged_in_byte_order(site, prefix):
    max_length = samples.MAX_KEY_BYTES - len(prefix.encode())
    found = [key for key in samples.keys(60, random.Random(samples.SEED)) if len(key.encode()) <= max_length]
    found = [key for key in found if "//" not in f"/{key}"]  # another test covers folders without a name
    for key in found:
        site.put(prefix + key, b"12345")
    listed = [name for page in pages(site, prefix, "recursive&max-keys=7") for name in names(page, "objects")]
    # A key that ends in a slash marks a folder and has the path of a listing.
    assert listed == sorted((key for key in found if not key.endswith("/")), key=str.encode)


def test_a_folder_lists_its_objects_and_subfolders(site, prefix):
    for name in ["b.txt", "a/1", "a/2", "c/d/3", "c//4"]:
        site.put(prefix + name, b"123")
    listing = list_prefix(site, prefix)
    assert names(listing, "folders") == ["a/", "c/"]
    assert names(listing, "objects") == ["b.txt"]
    assert listing["objects"][0]["key"] == f"{prefix}b.txt"
    assert listing["objects"][0]["size"] == 3
    assert re.fullmatch(r'"[0-9a-f]{32}"', listing["objects"][0]["etag"])
    assert names(list_prefix(site, f"{prefix}c/"), "folders") == ["/", "d/"]
    assert names(list_prefix(site, f"{prefix}c//"), "objects") == ["4"]


def test_an_empty_prefix_is_an_empty_listing(site, prefix):
    listing = list_prefix(site, prefix)
    assert (listing["folders"], listing["objects"], listing["next"]) == ([], [], None)


def test_an_invalid_continuation_token_is_not_a_server_error(site, prefix):
    response = site.request("GET", prefix, JSON, query="next=no%20token%22%3C")
    assert response.status in (200, 400), response.body


def test_unfinished_uploads_are_listed_until_they_end(site, prefix):
    started = []
    for name in ["a", "b c"]:
        response = site.redirect("POST", prefix + name, query="uploads").send("POST", {"Content-Length": "0"}, b"")
        assert response.status == 200, response.body
        started.append((name, re.search(r"<UploadId>([^<]+)</UploadId>", response.body.decode())[1]))
    listing = list_prefix(site, prefix, "uploads")
    assert [(upload["name"], upload["upload_id"]) for upload in listing["uploads"]] == started
    name, upload = started[0]
    query = f"uploadId={signpost.quote(upload, safe='')}"
    assert site.redirect("DELETE", prefix + name, query=query).send("DELETE").status == 204
    assert names(list_prefix(site, prefix, "uploads"), "uploads") == ["b c"]
