"""What is kept outside the function: rules in an object or a parameter, and the uses of links and the ids of objects in a table.

radosgw checks the signature of every request. moto checks none, so it is believed only in what it keeps.
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

import processes
import signpost
import wire

REGION = "us-east-1"
KEYS = signpost.Credentials("AKIAIOSFODNN7EXAMPLE", "a-key-that-moto-does-not-check")
# One request at a time, as DynamoDB treats one item.
SERIAL = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
"""
MINUTE = 61


def reading(place):
    return f'version = 1\n[[rule]]\nid = "r"\nwho = ["anyone"]\ncan = ["read"]\non = ["{place}/**"]\n'


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """The endpoint of moto."""
    port = processes.free_port()
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    process = processes.start([sys.executable, "-c", SERIAL, str(port)], stdout=log, stderr=subprocess.STDOUT)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        await_answer(endpoint, process)
        yield endpoint
    finally:
        processes.stop(process)


def await_answer(endpoint, process):
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
    return running.ask("GET", key).status


def test_rules_in_an_object_and_in_a_parameter_change_within_a_minute(radosgw_server, moto, run):
    bucket, key = f"rules-{uuid.uuid4().hex}", "live/rules.toml"
    s3, ssm = radosgw_server.s3, client("ssm", moto)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=reading("a"))
    ssm.put_parameter(Name="/signpost/rules", Value=reading("a"), Type="SecureString")
    arguments = radosgw_server.arguments(None)
    in_object = with_settings(radosgw_server.credentials, SIGNPOST_RULES_SOURCE=f"s3://{bucket}/{key}")
    in_parameter = with_settings(KEYS, SIGNPOST_RULES_SOURCE="ssm:/signpost/rules", AWS_ENDPOINT_URL_SSM=moto)
    nowhere = with_settings(radosgw_server.credentials, SIGNPOST_RULES_SOURCE=f"s3://{bucket}/missing.toml")
    stranger = with_settings(KEYS, SIGNPOST_RULES_SOURCE=f"s3://{bucket}/{key}")
    with run(None, arguments, in_object) as one, run(None, arguments, in_parameter) as other:
        for running in (one, other):
            assert (status(running, "a/x"), status(running, "b/x")) == (307, 403)
        s3.put_object(Bucket=bucket, Key=key, Body=reading("b"))
        ssm.put_parameter(Name="/signpost/rules", Value=reading("b"), Type="SecureString", Overwrite=True)
        for running in (one, other):
            assert status(running, "a/x") == 307, "asked again too soon"
        with run(None, arguments, nowhere) as missing, run(None, arguments, stranger) as refused:
            assert (status(missing, "a/x"), status(refused, "a/x")) == (503, 503)
            assert "404 Not Found, NoSuchKey" in missing.log and "403 Forbidden" in refused.log
        time.sleep(MINUTE)
        for running in (one, other):
            assert (status(running, "a/x"), status(running, "b/x")) == (403, 307)


def with_settings(keys, **settings):
    return signpost.Credentials(keys.access_key, keys.secret_key, settings={"SIGNPOST_LOG": "trace"} | settings)


def new_table(dynamodb):
    """The name of a table as the template makes it."""
    name = f"signpost-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
    return name


def test_a_one_time_link_is_had_once_from_many_instances(radosgw_server, moto, run):
    dynamodb = client("dynamodb", moto)
    name = new_table(dynamodb)
    digest = hashlib.sha256(b"secret").hexdigest()
    table = (
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
    with run(table, arguments, counted) as one, run(table, arguments, counted) as other:
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
        assert one.ask("GET", "docs/x").status == 404
        assert dynamodb.scan(TableName=name)["Items"] == []
        with concurrent.futures.ThreadPoolExecutor(25) as pool:
            uploads = [(one, other)[number % 2] for number in range(50)]
            statuses = list(pool.map(lambda running: curl("-T", __file__, running.url + "/docs/x"), uploads))
        assert statuses == ["200"] * 50
        (item,) = dynamodb.scan(TableName=name)["Items"]
        assert item["id"]["S"] == "key:objects/{id}:docs/x" and set(item) == {"id", "ulid"}, "nothing that could end"
        key = f"objects/{item['ulid']['S']}"
        assert keys_in(radosgw_server.s3, bucket) == [key]
        assert curl(other.url + "/docs/x") == "200"
        # The longest names, and those that JSON escapes: a hundred in one request, each looked up.
        names = [f"docs/{number:03}" + "\N{WHITE SMILING FACE}" * 338 for number in range(100)]
        stored = each(one, [{"method": "PUT", "key": name, "query": {"contentLength": 1}} for name in names])
        found = each(other, [{"method": "GET", "key": name} for name in names])
        paths = [[urlsplit(told["url"]).path for told in answer] for answer in (stored, found)]
        assert paths[0] == paths[1] and len(set(paths[0])) == 100
        assert curl("-X", "DELETE", one.url + "/docs/x") == "204" and keys_in(radosgw_server.s3, bucket) == []
        assert one.ask("GET", "docs/x").status == 307, "whether the object is still there is for S3 to say"
        assert curl(other.url + "/docs/x") == "404"
        assert f'key="docs/x" object="{key}"' in one.log
        dynamodb.delete_table(TableName=name)
        assert (one.ask("GET", "docs/x").status, one.ask("PUT", "docs/x", query="url").status) == (503, 503)
        assert "ResourceNotFoundException" in one.log


def curl(*arguments):
    command = ["curl", "-qsSL", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def keys_in(s3, bucket):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def each(running, wanted):
    body = json.dumps(wanted).encode()
    answer = wire.send("POST", running.url + "/-/sign", {"Content-Length": str(len(body))}, body)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def share(running, wanted):
    """The path and query of a new link."""
    headers = {"Authorization": "Bearer secret", "Content-Type": "application/json"}
    body = json.dumps(wanted).encode()
    answer = wire.send("POST", running.url + "/-/share", headers | {"Content-Length": str(len(body))}, body)
    assert answer.status == 200, answer.body
    url = urlsplit(answer.body.decode().strip())
    return f"{url.path}?{url.query}"
