"""The events of events/, the responses that events/expected.json requires, and the snapshots of some responses."""

import copy
import difflib
import json
from pathlib import Path

from responses import EVENTS, FRONTS, Mismatch, redact

SNAPSHOTS = Path(__file__).resolve().parent / "snapshots"


def cases(prefix=None):
    """Name, front, event and expected response of each case. With `prefix`, only the events whose names start with it."""
    for name, expected in json.loads((EVENTS / "expected.json").read_text()).items():
        name = name.removesuffix(".json")
        if prefix and not name.startswith(prefix):
            continue
        event = json.loads((EVENTS / f"{name}.json").read_text())
        recorded = name.startswith("capture-")
        front = front_of(name.removeprefix("capture-"))
        yield name, front, event, expected
        if recorded:
            get = {"status": 307, "key": expected["key"], "method": "GET", "form": "redirect", "signed": {}}
            yield f"{name}-as-get", front, as_get(event), get


def as_get(event):
    """A recorded POST event as a GET of the same path, which shows the key of that path."""
    event = copy.deepcopy(event)
    for name in ("queryStringParameters", "multiValueQueryStringParameters"):
        event.pop(name, None)
    event.pop("body", None)
    event["isBase64Encoded"] = False
    for name in ("headers", "multiValueHeaders"):
        if name in event:
            event[name] = {k: v for k, v in event[name].items() if k.lower() not in ("content-length", "content-type")}
    if "httpMethod" in event:
        event["httpMethod"] = "GET"
    else:
        event["rawQueryString"] = ""
        event["requestContext"]["http"]["method"] = "GET"
    return event


class Snapshots:
    """The responses of a run, one file per request with the response through each front."""

    def __init__(self):
        self.taken = {}

    def take(self, name, response):
        request, front = request_and_front(name)
        self.taken.setdefault(request, {})[front or "event"] = snapshot(response)

    def update(self):
        """Rewrites the files that exist."""
        for path in SNAPSHOTS.glob("*.json"):
            if path.stem in self.taken:
                path.write_text(self._text(path.stem))

    def check(self, request):
        """The responses to this request are those of its file."""
        if request not in self.taken:
            raise Mismatch(f"no event has this name: delete snapshots/{request}.json")
        old, new = (SNAPSHOTS / f"{request}.json").read_text(), self._text(request)
        if old != new:
            diff = difflib.unified_diff(old.splitlines(), new.splitlines(), "snapshot", "response", lineterm="", n=1)
            raise Mismatch("\n".join(list(diff)[:20]))

    def _text(self, request):
        return json.dumps(self.taken[request], indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def snapshot_names():
    return sorted(path.stem for path in SNAPSHOTS.glob("*.json"))


def snapshot(response):
    """The response without secrets, with its body as JSON if it is JSON."""
    shown = copy.deepcopy(response.raw)
    try:
        shown["body"] = json.loads(response.body)
        if isinstance(shown["body"], dict) and "version" in shown["body"]:
            shown["body"]["version"] = "VERSION"
    except ValueError:
        shown["body"] = response.body
    shown.pop("isBase64Encoded", None)
    return json.loads(redact(json.dumps(shown)))


def request_and_front(name):
    """Splits the name of an event into the name of the request and the front, which may be empty."""
    front = front_of(name)
    return (name.removeprefix(f"{front}-"), front) if front else (name, "")


def front_of(name):
    """The front with which the name of an event starts, or an empty text."""
    return max((front for front in FRONTS if name == front or name.startswith(f"{front}-")), key=len, default="")
