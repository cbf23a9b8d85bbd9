"""State outside the function: rules in an S3 object or an SSM parameter, link uses and object ids in a DynamoDB table.

radosgw verifies the signature of every request. moto verifies none, so the tests rely only on the data that it stores.
"""

import concurrent.futures
import hashlib
import json
import subprocess
import sys
import time
import uuid
from urllib.parse import urlsplit

import boto3
import pytest

from lib import processes
import signpost
import wire

REGION = "us-east-1"
KEYS = signpost.Credentials("AKIAIOSFODNN7EXAMPLE", "a-key-that-moto-does-not-check")
# One request at a time, because DynamoDB serialises the updates of one item.
SERIAL = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
"""
MINUTE = 61


def read_rules(prefix):
    return f'version = 1\n[[rule]]\nid = "r"\nwho = ["anyone"]\ncan = ["read"]\non = ["{prefix}/**"]\n'


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """The endpoint of a moto server."""
    port = processes.free_port()
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    process = processes.start([sys.executable, "-c", SERIAL, str(port)], stdout=log, stderr=subprocess.STDOUT)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(endpoint, process)
        yield endpoint
    finally:
        processes.stop(process)


def wait_until_ready(endpoint, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            wire.send("GET", endpoint + "/moto-api/data.json")
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("moto did not start")


def client(service, endpoint):
    keys = {"aws_access_key_id": KEYS.access_key, "aws_secret_access_key": KEYS.secret_key}
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, **keys)


def status(running, key):
    return running.request("GET", key).status


def test_rules_in_an_object_and_in_a_parameter_change_within_a_minute(radosgw_server, moto, run):
    bucket, key = f"rules-{uuid.uuid4().hex}", "live/rules.toml"
    s3, ssm = radosgw_server.s3, client("ssm", moto)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=read_rules("a"))
    ssm.put_parameter(Name="/signpost/rules", Value=read_rules("a"), Type="SecureString")
    arguments = radosgw_server.arguments(None)
    in_object = with_settings(radosgw_server.credentials, SIGNPOST_RULES_SOURCE=f"s3://{bucket}/{key}")
    in_parameter = with_settings(KEYS, SIGNPOST_RULES_SOURCE="ssm:/signpost/rules", AWS_ENDPOINT_URL_SSM=moto)
    missing_object = with_settings(radosgw_server.credentials, SIGNPOST_RULES_SOURCE=f"s3://{bucket}/missing.toml")
    other_credentials = with_settings(KEYS, SIGNPOST_RULES_SOURCE=f"s3://{bucket}/{key}")
    with run(None, arguments, in_object) as one, run(None, arguments, in_parameter) as other:
        for running in (one, other):
            assert (status(running, "a/x"), status(running, "b/x")) == (307, 403)
        s3.put_object(Bucket=bucket, Key=key, Body=read_rules("b"))
        ssm.put_parameter(Name="/signpost/rules", Value=read_rules("b"), Type="SecureString", Overwrite=True)
        for running in (one, other):
            assert status(running, "a/x") == 307, "the rules were refreshed too soon"
        with run(None, arguments, missing_object) as missing, run(None, arguments, other_credentials) as forbidden:
            assert (status(missing, "a/x"), status(forbidden, "a/x")) == (503, 503)
            assert missing.has_logged("404 Not Found, NoSuchKey") and forbidden.has_logged("403 Forbidden")
        time.sleep(MINUTE)
        for running in (one, other):
            assert (status(running, "a/x"), status(running, "b/x")) == (403, 307)


def with_settings(keys, **settings):
    return signpost.Credentials(keys.access_key, keys.secret_key, settings={"SIGNPOST_LOG": "trace"} | settings)


def new_table(dynamodb):
    """Creates a table as the template does, and returns its name."""
    name = f"signpost-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
    return name


def test_several_instances_together_enforce_the_uses_of_a_link(radosgw_server, moto, run):
    dynamodb = client("dynamodb", moto)
    name = new_table(dynamodb)
    digest = hashlib.sha256(b"secret").hexdigest()
    rules = (
        f'version = 1\n[[token]]\nid = "ann"\nsha256 = "{digest}"\n'
        '[[rule]]\nid = "all"\nwho = ["token:ann"]\ncan = ["read"]\non = ["**"]\n'
    )
    counted = with_settings(
        radosgw_server.credentials,
        SIGNPOST_TABLE=name,
        SIGNPOST_KEYS="k1:" + "A" * 43,
        AWS_ENDPOINT_URL_DYNAMODB=moto,
    )
    arguments = radosgw_server.arguments(None)
    with run(rules, arguments, counted) as one, run(rules, arguments, counted) as other:
        for uses in (1, 3):
            link = share(one, {"key": "k", "uses": uses})
            clicks = [(one, other)[number % 2] for number in range(50)]
            with concurrent.futures.ThreadPoolExecutor(25) as pool:
                statuses = list(pool.map(lambda running: wire.send("GET", running.url + link).status, clicks))
            assert sorted(statuses) == [307] * uses + [401] * (50 - uses)
            assert link.split("share=")[1] not in one.log + other.log
    items = dynamodb.scan(TableName=name)["Items"]
    assert sorted(int(item["used"]["N"]) for item in items) == [1, 3]
    tomorrow = time.time() + 24 * 3600
    assert all(tomorrow < int(item["ends"]["N"]) < tomorrow + 25 * 3600 for item in items)


IDS = """version = 1
[[rule]]
id = "docs"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["docs/**"]
rewrite = "objects/{id}"
overwrite = true
allow_anonymous_write = true
"""


def test_first_uploads_at_many_instances_agree_on_one_id(radosgw_server, moto, run):
    dynamodb, bucket = client("dynamodb", moto), f"ids-{uuid.uuid4().hex}"
    name = new_table(dynamodb)
    radosgw_server.s3.create_bucket(Bucket=bucket)
    by_id = with_settings(radosgw_server.credentials, SIGNPOST_TABLE=name, AWS_ENDPOINT_URL_DYNAMODB=moto)
    arguments = radosgw_server.arguments(bucket)
    with run(IDS, arguments, by_id) as one, run(IDS, arguments, by_id) as other:
        assert one.request("GET", "docs/x").status == 404
        assert dynamodb.scan(TableName=name)["Items"] == []
        with concurrent.futures.ThreadPoolExecutor(25) as pool:
            uploads = [(one, other)[number % 2] for number in range(50)]
            statuses = list(pool.map(lambda running: curl("-T", __file__, running.url + "/docs/x"), uploads))
        assert statuses == ["200"] * 50
        (item,) = dynamodb.scan(TableName=name)["Items"]
        assert item["id"]["S"] == "key:objects/{id}:docs/x" and set(item) == {"id", "ulid"}, "an id must not expire"
        key = f"objects/{item['ulid']['S']}"
        assert keys_in(radosgw_server.s3, bucket) == [key]
        assert curl(other.url + "/docs/x") == "200"
        # A hundred keys of maximum length in one request. JSON escapes their characters, and every key is looked up.
        names = [f"docs/{number:03}" + "\N{WHITE SMILING FACE}" * 338 for number in range(100)]
        stored = sign_many(one, [{"method": "PUT", "key": name, "query": {"contentLength": 1}} for name in names])
        found = sign_many(other, [{"method": "GET", "key": name} for name in names])
        paths = [[urlsplit(instruction["url"]).path for instruction in result] for result in (stored, found)]
        assert paths[0] == paths[1] and len(set(paths[0])) == 100
        assert curl("-X", "DELETE", one.url + "/docs/x") == "204" and keys_in(radosgw_server.s3, bucket) == []
        assert one.request("GET", "docs/x").status == 307, "Signpost does not check that the object exists"
        assert curl(other.url + "/docs/x") == "404"
        assert one.has_logged(f'key="docs/x" object="{key}"')
        dynamodb.delete_table(TableName=name)
        assert (one.request("GET", "docs/x").status, one.request("PUT", "docs/x", query="url").status) == (503, 503)
        assert one.has_logged("ResourceNotFoundException")


def curl(*arguments):
    command = ["curl", "-qsSL", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def keys_in(s3, bucket):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def sign_many(running, requests):
    body = json.dumps(requests).encode()
    response = wire.send("POST", running.url + "/-/sign", {"Content-Length": str(len(body))}, body)
    assert response.status == 200, response.body
    return json.loads(response.body)


def share(running, link_request):
    """Creates a share link and returns its path and query."""
    headers = {"Authorization": "Bearer secret", "Content-Type": "application/json"}
    body = json.dumps(link_request).encode()
    response = wire.send("POST", running.url + "/-/share", headers | {"Content-Length": str(len(body))}, body)
    assert response.status == 200, response.body
    url = urlsplit(response.body.decode().strip())
    return f"{url.path}?{url.query}"
