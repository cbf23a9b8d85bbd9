"""Reused URLs are cache hits in nginx, which caches by URL. The tests run on both servers."""

import json

import pytest

import nginx
import servers
import signpost
from curl import curl

BODY = b"0123456789\n"
REUSED = 'expires = "15m"\nreuse_url_for = "10m"\ncache_control = "public, max-age=600"'


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    running = nginx.Nginx(tmp_path_factory.mktemp("nginx"))
    yield running
    running.stop()


def cache_statuses(cache, site, key):
    """The cache statuses of two successive downloads by one client."""
    return [_cache_status(cache, site.url_of(key)) for _ in range(2)]


def _cache_status(cache, url):
    result = curl("-fL", "--proxy", cache.proxy, "--noproxy", "", "-D", "-", url)
    assert result.ok and result.out.endswith(BODY), result.out
    last = result.out.decode().replace("\r\n", "\n").split("\n\n")[1]
    return next(line.split(": ")[1] for line in last.split("\n") if line.lower().startswith("x-cache:"))


def stored_key(site):
    key = servers.fresh_key("cached")
    site.put(key, BODY)
    return key


def test_the_second_download_with_a_reused_url_comes_from_the_cache(server, cache):
    site = server.site(signpost.rules(more=REUSED))
    statuses = cache_statuses(cache, site, stored_key(site))
    if statuses != ["MISS", "HIT"]:  # a window may have ended between the two downloads; the next one lasts ten minutes
        statuses = cache_statuses(cache, site, stored_key(site))
    assert statuses == ["MISS", "HIT"]


def test_without_reuse_each_download_has_a_different_url(server, cache):
    site = server.site(signpost.rules(more='cache_control = "public, max-age=600"'))
    assert cache_statuses(cache, site, stored_key(site)) == ["MISS", "MISS"]


def test_a_shared_cache_never_stores_a_redirect(server, cache):
    site = server.site(signpost.rules(more=REUSED))
    response = site.request("GET", stored_key(site))
    assert response.status == 307
    cache_control = response.headers["Cache-Control"]
    assert cache_control.startswith("private, max-age=") and 0 < int(cache_control.rpartition("=")[2]) <= 600


def test_a_reused_url_is_valid_for_at_least_five_minutes(server):
    site = server.site(signpost.rules(more=REUSED))
    response = site.request("GET", stored_key(site), {"Accept": "application/vnd.signpost+json"})
    instruction = json.loads(response.body)
    assert 5 * 60 <= instruction["expires_in"] <= 15 * 60, "the URL expires 15 minutes after the start of a window of 10 minutes"
