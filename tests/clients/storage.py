"""Stores and reads objects through Signpost, many at once."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

BATCH = 100


class Storage:
    def __init__(self, url, headers=None):
        self.url, self.headers = url, headers or {}

    def store(self, files):
        items = list(files.items())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._store_batch, [items[start : start + BATCH] for start in range(0, len(items), BATCH)]))

    def _store_batch(self, items):
        requests = [{"method": "PUT", "key": key, "query": {"contentLength": len(body)}} for key, body in items]
        signpost = http.client.HTTPConnection(urlsplit(self.url).netloc)
        instructions = json.loads(send(signpost, "POST", "/-/sign", json.dumps(requests), self.headers))
        connection = http.client.HTTPConnection(urlsplit(instructions[0]["url"]).netloc)
        for (_, body), instruction in zip(items, instructions, strict=True):
            url = urlsplit(instruction["url"])
            send(connection, instruction["method"], f"{url.path}?{url.query}", body, instruction["headers"])

    def names(self, prefix):
        """The names of all objects below a prefix."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        return set(send(connection, "GET", f"/{quote(prefix)}?simple&recursive", None, self.headers).decode().splitlines())

    def read(self, key):
        """The bytes of an object, or `None` if it does not exist."""
        signpost = http.client.HTTPConnection(urlsplit(self.url).netloc)
        location = urlsplit(send(signpost, "GET", f"/{quote(key)}?url", None, self.headers).decode().strip())
        connection = http.client.HTTPConnection(location.netloc)
        connection.request("GET", f"{location.path}?{location.query}")
        response = connection.getresponse()
        body = response.read()
        return body if response.status == 200 else None


def send(connection, method, target, body, headers=None):
    connection.request(method, target, body, headers or {})
    response = connection.getresponse()
    text = response.read()
    assert response.status == 200, text
    return text
