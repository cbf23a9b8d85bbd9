"""Sends the recorded requests to a server, and compares its responses with the recorded answers."""

import base64
import hashlib
import hmac
import http.client
import json
import re
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

ANSWERS = Path(__file__).parent / "answers"
REGION = "us-east-1"
ANY = "*"
REFERENCE = re.compile(r"\{\{([\w.-]+)\}\}")


@dataclass
class Response:
    status: int
    headers: dict
    members: dict
    code: str = ""
    references: dict = field(default_factory=dict)


def scenarios():
    """All scenarios, as (group, scenario) pairs."""
    for path in sorted(ANSWERS.glob("*.json")):
        for scenario in json.loads(path.read_text())["scenarios"]:
            yield path.stem, scenario


class Replay:
    """Replays scenarios on one server. Each scenario has a bucket of its own."""

    def __init__(self, endpoint, access_key, secret_key):
        self._host = urlsplit(endpoint).netloc
        self._access_key, self._secret_key = access_key, secret_key
        self._count = 0

    def run(self, scenario):
        """Yields the name of each recorded answer, and the differences of the server's response from it."""
        self._count += 1
        values = {"bucket": f"conformance-{self._count}-{int(time.time())}"}
        self._send({"method": "PUT", "path": "/{{bucket}}", "query": {}, "headers": {}, "body": ""}, values)
        for number, step in enumerate(scenario["steps"]):
            response = self._send(step["request"], values)
            for name, value in response.references.items():
                values[f"{number}.{name}"] = value
            if "answer" in step:
                yield step["name"], differences(step["answer"], response)

    def _send(self, request, values):
        path = quote(_fill(request["path"], values), safe="/-._~")
        query = {name: _fill(value, values) for name, value in request["query"].items()}
        body, content_type = self._form(request["form"], values) if "form" in request else (_body(request, values), None)
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        headers = {name: _fill(value, values | {"md5": md5}) for name, value in request["headers"].items()}
        canonical = _query(query)
        headers["host"] = self._host
        if "presign" in request:
            canonical = self._presign(request["method"], path, query, request["presign"])
        elif content_type:
            headers.setdefault("content-type", content_type)
        elif request["method"] != "OPTIONS":
            headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
            self._sign(request["method"], path, canonical, headers)
        connection = http.client.HTTPConnection(self._host, timeout=30)
        connection.request(request["method"], f"{path}?{canonical}" if canonical else path, body, headers)
        answer = connection.getresponse()
        return _parse(answer, answer.read())

    def _form(self, form, values):
        """The body and content type of a form whose policy is signed as botocore signs it."""
        now = time.time()
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + form.get("expires_in", 60)))
        signing = {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": f"{self._access_key}/{date[:8]}/{REGION}/s3/aws4_request",
            "x-amz-date": date,
        }
        key, filename = form["key"], "${filename}"
        by_key = ["starts-with", "$key", key.removesuffix(filename)] if key.endswith(filename) else {"key": key}
        own = [{"bucket": values["bucket"]}, by_key, *({name: value} for name, value in signing.items())]
        conditions = json.loads(_fill(json.dumps(form["conditions"]), values)) + own
        text = json.dumps({"expiration": expiration, "conditions": conditions}).encode()
        policy = base64.b64encode(text).decode()
        signature = {"policy": policy, "x-amz-signature": self._signature(date, policy)}
        if "cut_policy" in form:
            signature["policy"] = policy[: -form["cut_policy"]]
        fields = form["fields"] | {"key": key} | signing | signature | form.get("sent", {})
        return _multipart({name: value for name, value in fields.items() if value is not None}, form)

    def _presign(self, method, path, query, options):
        """The query of a presigned URL, with the mistakes that a scenario asks for."""
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - options.get("age", 0)))
        signed = {name.lower(): value for name, value in options["headers"].items()} | {"host": self._host}
        scope = f"{date[:8]}/{REGION}/s3/aws4_request"
        signing = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self._access_key}/{scope}",
            "X-Amz-Date": date,
            "X-Amz-Expires": str(options.get("expires_in", 60)),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        canonical = _query(query | signing)
        text = "\n".join([method, path, canonical, lines, signing["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(text.encode()).hexdigest()])
        signing["X-Amz-Signature"] = self._signature(date, text)
        if options.get("only_signature"):
            query, signing["X-Amz-SignedHeaders"] = {}, "host"
        sent = query | options.get("added", {}) | signing
        sent = {name: value for name, value in sent.items() if name not in options.get("without", [])}
        result = _query(sent)
        return result.replace("%2F", "%252F") if options.get("double_encoded") else result

    def _signature(self, date, text):
        key = ("AWS4" + self._secret_key).encode()
        for part in (date[:8], REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def _sign(self, method, path, query, headers):
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers["x-amz-date"] = date
        names = sorted(name.lower() for name in headers)
        lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        lines = "".join(f"{name}:{lower[name]}\n" for name in names)
        request = "\n".join([method, path, query, lines, ";".join(names), headers["x-amz-content-sha256"]])
        scope = [date[:8], REGION, "s3", "aws4_request"]
        text = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
        signature = self._signature(date, text)
        credential = "/".join([self._access_key, *scope])
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )


def differences(answer, response):
    """Returns a line for each property of the recorded answer that the response does not have."""
    found = []
    if answer["status"] != response.status:
        found.append(f"status {response.status}, AWS {answer['status']}")
    if answer.get("code", "") != response.code:
        found.append(f"code {response.code or 'none'}, AWS {answer.get('code') or 'none'}")
    for kind, actual in (("member", response.members), ("header", response.headers)):
        for name, expected in answer.get(f"{kind}s", {}).items():
            value = actual.get(name)
            if value is None or (expected != ANY and value != expected):
                found.append(f"{kind} {name}: {json.dumps(value)}, AWS {json.dumps(expected)}")
    return found


def _query(parameters):
    return "&".join(f"{quote(n, safe='-._~')}={quote(v, safe='-._~')}" for n, v in sorted(parameters.items()))


def _fill(text, values):
    return REFERENCE.sub(lambda match: values.get(match[1], "missing"), text)


def _body(request, values):
    if "repeat" in request:
        return request["repeat"]["text"].encode() * request["repeat"]["count"]
    if "base64" in request:
        return base64.b64decode(request["base64"])
    return _fill(request["body"], values).encode()


def _multipart(fields, form):
    boundary = "conformance-boundary"
    lines = []
    for name, value in fields.items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    filename = f'; filename="{form["filename"]}"' if "filename" in form else ""
    lines += [f"--{boundary}", f'Content-Disposition: form-data; name="file"{filename}', "", form["file"]]
    lines += [f"--{boundary}--", ""]
    return "\r\n".join(lines).encode(), f"multipart/form-data; boundary={boundary}"


def _parse(answer, body):
    headers = {name.lower(): value for name, value in answer.getheaders()}
    members, code = {}, ""
    if body.lstrip().startswith(b"<"):
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError:
            root = ElementTree.Element("none")
        members = _members(root)
        code = members.get("Code", "") if _name(root) == "Error" else ""
    wanted = ("UploadId", "NextContinuationToken", "NextUploadIdMarker", "NextVersionIdMarker")
    references = {name: members[name] for name in wanted if members.get(name)}
    if "x-amz-version-id" in headers:
        references["VersionId"] = headers["x-amz-version-id"]
    return Response(answer.status, headers, members, code, references)


def _members(root):
    """The texts of the elements by path. A list has one text, with commas between its items."""
    texts = {}

    def visit(element, path):
        for child in element:
            below = [*path, _name(child)]
            if len(child):
                visit(child, below)
            else:
                texts.setdefault("/".join(below), []).append(child.text or "")

    visit(root, [])
    decode = unquote if texts.get("EncodingType") == ["url"] else str
    return {path: decode(",".join(items)) for path, items in texts.items()}


def _name(element):
    return element.tag.rpartition("}")[2]
