"""Events that no front sends. The function must respond to each of them, and its process must survive."""

import base64
import copy
import json
import re

from responses import EVENTS, FRONTS, Mismatch, Response, expect_equal, redact


def malformed_events():
    """Pairs of a name and a payload."""
    events = {front: json.loads((EVENTS / f"{front}-get.json").read_text()) for front in FRONTS}
    put = json.loads((EVENTS / "rest-put.json").read_text())

    def changed(front, change):
        event = copy.deepcopy(events[front])
        change(event)
        return json.dumps(event).encode()

    def header(name, value):
        def change(event):
            for field, wrapped in (("headers", value), ("multiValueHeaders", [value])):
                if field in event:
                    event[field] = {k: v for k, v in event[field].items() if k.lower() != name} | {name: wrapped}

        return change

    def setting(**values):
        return lambda event: event.update(values)

    for front in FRONTS:
        for label, value in (("empty", ""), ("space", "a b"), ("port", "host:99999"), ("brackets", "[::1"), ("slash", "a/b?c#d"), ("control", "a\r\nb: c"), ("unicode", "hôte.example")):
            yield f"{front}: Host {label}", changed(front, header("host", value))
        yield f"{front}: no headers", changed(front, lambda event: [event.pop(name, None) for name in ("headers", "multiValueHeaders")])
        yield f"{front}: header with a line break", changed(front, header("x-probe", "a\r\nset-cookie: b"))
        yield f"{front}: header that is not ASCII", changed(front, header("x-probe", "ÿþ\u0080☠"))
        yield f"{front}: header with NUL", changed(front, header("x-probe", "a\u0000b"))
        yield f"{front}: header name with a space", changed(front, header("x probe", "a"))
        yield f"{front}: empty header name", changed(front, header("", "a"))
        yield f"{front}: metadata that is not ASCII", changed(front, header("x-amz-meta-name", "naïve ☠"))
        yield f"{front}: huge header", changed(front, header("x-probe", "a" * 1_000_000))
        yield f"{front}: meaningless Accept", changed(front, header("accept", ";;q=,,*/;/*" * 500))
        yield f"{front}: meaningless Content-Length", changed(front, header("content-length", "-1, 99999999999999999999"))
        yield f"{front}: meaningless Authorization", changed(front, header("authorization", "Basic %%%"))
        yield f"{front}: many headers", changed(front, lambda event: [event[name].update({f"x-{i}": "v" if name == "headers" else ["v"] for i in range(5000)}) for name in ("headers", "multiValueHeaders") if name in event])
        yield f"{front}: body that is not base64", changed(front, setting(body="%%%", isBase64Encoded=True))
        yield f"{front}: body of the wrong type", changed(front, setting(body={"a": 1}))
    for front in ("rest", "alb", "alb-multi-value"):
        for label, value in (("space", "/a b"), ("quotation mark", '/a"b'), ("angle brackets", "/a<b>"), ("fragment", "/a#b"), ("query", "/a?b"), ("none", ""), ("null", None), ("relative", "a"), ("lone surrogate", "/\ud800"), ("huge", "/" + "a" * 100_000)):
            yield f"{front}: path with {label}", changed(front, setting(path=value))
        for label, value in (("none", ""), ("unknown", "FOO BAR"), ("lower case", "get"), ("null", None)):
            yield f"{front}: method {label}", changed(front, setting(httpMethod=value))
        for label, value in (("wrong type", "a=b"), ("null member", {"a": None}), ("bad escape", {"a": "%zz", "%": "%"})):
            yield f"{front}: query {label}", changed(front, setting(queryStringParameters=value, multiValueQueryStringParameters=value))
    for front in ("http-api", "function-url"):
        for label, value in (("space", "a b=c d"), ("quotes", 'a="b"'), ("angle brackets", "a=<b>"), ("bad escape", "a=%zz&%"), ("control", "a=\r\n"), ("unicode", "ä=ö"), ("fragment", "a#b"), ("huge", "a=" + "b" * 1_000_000), ("null", None)):
            yield f"{front}: rawQueryString with {label}", changed(front, setting(rawQueryString=value))
        for label, value in (("space", "/a b"), ("quotation mark", '/a"b'), ("angle brackets", "/a<b>"), ("none", ""), ("null", None), ("relative", "a"), ("huge", "/" + "a" * 100_000)):
            yield f"{front}: rawPath with {label}", changed(front, setting(rawPath=value))
        for label, value in (("none", ""), ("unknown", "FOO BAR"), ("lower case", "get"), ("null", None)):
            yield f"{front}: method {label}", changed(front, lambda event, value=value: event["requestContext"]["http"].update(method=value))
        yield f"{front}: stage that is not in the path", changed(front, lambda event: event["requestContext"].update(stage="elsewhere"))
        yield f"{front}: no request context", changed(front, lambda event: event.pop("requestContext"))
    yield "rest: proxy that is not in the path", changed("rest", setting(pathParameters={"proxy": "elsewhere"}))
    yield "rest: no proxy", changed("rest", setting(pathParameters=None))
    yield "rest: another path in the request context", changed("rest", lambda event: event["requestContext"].update(path="//elsewhere"))
    yield "rest: body of 6 MB", json.dumps(put | {"body": base64.b64encode(b"a" * 4_500_000).decode()}).encode()
    yield "empty object", b"{}"
    yield "empty array", b"[]"
    yield "null", b"null"
    yield "number", b"42"
    yield "text", b'"GET /docs/report.pdf"'
    yield "not JSON", b"GET / HTTP/1.1\r\n\r\n"
    yield "truncated JSON", (EVENTS / "rest-get.json").read_bytes()[:200]
    yield "not UTF-8", b'{"path": "\xff\xfe"}'
    yield "deeply nested", b"[" * 10_000 + b"]" * 10_000
    yield "empty payload", b""


def check_survival(emulator, payload):
    """The response is an error or harmless, and the same process serves the next request."""
    processes = emulator.function_processes()
    raw = emulator.invoke(payload)
    try:
        result = json.loads(raw)
    except ValueError:
        result = {"errorMessage": raw.decode("utf-8", "replace")} if raw.strip() else {}
    text = json.dumps(result)
    if re.search(r"panic", text, re.I):
        raise Mismatch(f"the function panicked: {redact(text)[:200]}")
    if re.search(r"Runtime\.Exit|exited|Sandbox\.Timeout|timed out", text):
        raise Mismatch(f"the process ended: {redact(text)[:200]}")
    if not isinstance(result, dict) or (result.get("statusCode") is None and "errorMessage" not in result):
        raise Mismatch(f"neither a response nor an error: {redact(text)[:200]}")
    next_response = Response(emulator.invoke((EVENTS / "rest-get.json").read_bytes()))
    expect_equal("status of the next request", 307, next_response.status)
    expect_equal("the function's processes", processes, emulator.function_processes())
