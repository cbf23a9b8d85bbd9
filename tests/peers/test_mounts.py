"""One service in front of four stores at the same time: the embedded S3, a second bucket of it with a prefix, radosgw with an
access key and another region, and a bucket of radosgw that a role of its STS signs for."""

import json
import os
import subprocess
import uuid

import pytest

import radosgw
import signpost
from lib.local_server import BINARY

ROLE = "mounts"
EXTERNAL_ID = "acme-7f3c"
CEPH_REGION = "eu-west-1"
KEY_PAIR = ("signpost-peers", "a-secret-of-the-embedded-s3")
MOUNTS = ["", "second/", "ceph/", "ceph/role/"]


def mount(at, bucket, **fields):
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    return f'\n[[mount]]\nat = "{at}"\nbucket = "{bucket}"\n{lines}'


@pytest.fixture(scope="module")
def service(tmp_path_factory, radosgw_server):
    """The service in front of four stores."""
    gateway = radosgw_server._gateway
    for bucket in ("mounted-by-key", "mounted-by-role"):
        radosgw_server.s3.create_bucket(Bucket=bucket)
    # The function's own credentials assume the role, so radosgw must know them.
    gateway.admin("user", "create", "--uid=local", "--display-name=local", f"--access-key={KEY_PAIR[0]}", f"--secret-key={KEY_PAIR[1]}")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/local"]}, "Action": ["sts:AssumeRole"]}]}
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::mounted-by-role", "arn:aws:s3:::mounted-by-role/*"]}]}
    gateway.admin("role", "create", f"--role-name={ROLE}", f"--assume-role-policy-doc={json.dumps(trust)}")
    gateway.admin("role-policy", "put", f"--role-name={ROLE}", "--policy-name=s3", f"--policy-doc={json.dumps(allowed)}")
    table = signpost.rules(client_may_set=["versionId"]).replace('"delete"]', '"delete", "list"]') + "".join(
        [
            mount("second/", "second-bucket", prefix="team/a/"),
            mount("ceph/", "mounted-by-key", endpoint=gateway.endpoint, region=CEPH_REGION, credentials="CEPH"),
            mount("ceph/role/", "mounted-by-role", endpoint=gateway.endpoint, sign_as=f"arn:aws:iam:::role/{ROLE}", external_id=EXTERNAL_ID),
        ]
    )
    settings = {
        "SIGNPOST_CREDENTIALS_CEPH": f"{radosgw.ACCESS_KEY}:{radosgw.SECRET_KEY}",
        "AWS_ENDPOINT_URL_STS": gateway.endpoint,
        "SIGNPOST_LOCAL_S3_ACCESS_KEY_ID": KEY_PAIR[0],
        "SIGNPOST_LOCAL_S3_SECRET_ACCESS_KEY": KEY_PAIR[1],
        "SIGNPOST_LOG": "trace",
    }
    credentials = signpost.Credentials("unused", "unused-secret", settings=settings)
    arguments = ["--s3-listen", "127.0.0.1:0", "--data", str(tmp_path_factory.mktemp("data"))]
    server = signpost.Signpost(tmp_path_factory.mktemp("signpost"), table, arguments, credentials)
    yield server
    server.stop()
    for secret in (radosgw.SECRET_KEY, KEY_PAIR[1]):
        assert secret not in server.log, "a credential was logged"


def curl(*arguments, data=None):
    found = subprocess.run(["curl", "-fsSL", *arguments], input=data, capture_output=True, timeout=60)
    assert found.returncode == 0, (arguments, found.stderr[-500:])
    return found.stdout


def command(service, *arguments, data=None):
    environment = {**os.environ, "SIGNPOST_URL": service.url, "XDG_STATE_HOME": str(service.folder), "XDG_CONFIG_HOME": str(service.folder)}
    found = subprocess.run([BINARY.parent / "signpost", *arguments], input=data, capture_output=True, timeout=120, env=environment)
    assert found.returncode == 0, (arguments, found.stderr[-1000:])
    return found.stdout


def names(service, prefix, query=""):
    response = service.request("GET", prefix, {"Accept": "application/json"}, query=query)
    assert response.status == 200, response.body
    listing = json.loads(response.body)
    return [entry["key"] for entry in listing["folders"] + listing["objects"]]


@pytest.mark.parametrize("at", MOUNTS)
def test_curl_uploads_reads_lists_and_deletes(service, at):
    folder = f"{at}curl-{uuid.uuid4().hex}/"
    body = os.urandom(300_000)
    for name in ("a b+c", "%2F", "ä//e"):
        response = service.redirect("PUT", folder + name, body=body).send("PUT", {"Content-Length": str(len(body))}, body)
        assert response.status == 200, response.body
        assert curl(service.url_of(folder + name)) == body
    assert sorted(names(service, folder, "recursive")) == sorted(folder + name for name in ("a b+c", "%2F", "ä//e"))
    curl("-X", "DELETE", service.url_of(folder + "a b+c"))
    assert folder + "a b+c" not in names(service, folder)


@pytest.mark.parametrize("at", MOUNTS)
def test_the_command_transfers_files_in_parts_and_folders(service, at, tmp_path):
    base = f"{at}command-{uuid.uuid4().hex}/"
    source = tmp_path / "source"
    source.mkdir()
    large = os.urandom(70 << 20)
    (source / "large").write_bytes(large)
    for number in range(20):
        (source / f"{number}.txt").write_text(str(number))
    command(service, "put", "-r", str(source), service.url_of(base))
    (tmp_path / "target").mkdir()
    command(service, "get", "-r", service.url_of(base), "-o", str(tmp_path / "target"))
    found = {path.name: path.read_bytes() for path in (tmp_path / "target").rglob("*") if path.is_file()}
    assert found.keys() == {path.name for path in source.iterdir()}
    assert found["large"] == large
    command(service, "rm", service.url_of(base + "source/large"))
    assert len(names(service, base, "recursive")) == 20


@pytest.mark.parametrize("at", MOUNTS)
def test_a_form_uploads_to_the_bucket_of_the_mount(service, at):
    key = f"{at}form-{uuid.uuid4().hex}"
    response = service.request("GET", key, {"Accept": "application/json"}, query="form")
    assert response.status == 200, response.body
    form = json.loads(response.body)
    fields = [part for name, value in form["fields"].items() for part in ("-F", f"{name}={value}")]
    curl("-X", "POST", *fields, "-F", "file=@-;filename=x", form["url"], data=b"by a form")
    assert curl(service.url_of(key)) == b"by a form"


def test_each_store_has_only_its_own_objects(service, radosgw_server):
    name = f"own-{uuid.uuid4().hex}"
    for at in MOUNTS:
        response = service.redirect("PUT", at + name, body=at.encode()).send("PUT", {"Content-Length": str(len(at))}, at.encode())
        assert response.status == 200, (at, response.body)
    for at in MOUNTS:
        assert curl(service.url_of(at + name)) == at.encode()
    s3 = radosgw_server.s3
    assert s3.get_object(Bucket="mounted-by-key", Key=name)["Body"].read() == b"ceph/"
    # The role owns its objects, so the owner of the bucket may only list them.
    for bucket in ("mounted-by-key", "mounted-by-role"):
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"] if entry["Key"].endswith(name)]
        assert keys == [name], bucket


def test_mounts_are_folders_and_hide_keys_of_the_outer_bucket(service, radosgw_server):
    radosgw_server.s3.put_object(Bucket="mounted-by-key", Key="role/hidden", Body=b"never shown")
    assert {"second/", "ceph/"} <= set(names(service, ""))
    assert "ceph/role/" in names(service, "ceph/")
    assert "ceph/role/hidden" not in names(service, "ceph/", "recursive") + names(service, "ceph/role/")
    assert service.redirect("GET", "ceph/role/hidden").send("GET").status in (403, 404)


def test_a_pipe_copies_between_stores(service):
    source, target = f"second/{uuid.uuid4().hex}", f"ceph/role/{uuid.uuid4().hex}"
    body = os.urandom(1 << 20)
    command(service, "put", "-", service.url_of(source), data=body)
    command(service, "put", "-", service.url_of(target), data=command(service, "get", service.url_of(source), "-o", "-"))
    assert curl(service.url_of(target)) == body


def test_an_option_of_the_local_server_mounts_a_real_bucket(tmp_path, radosgw_server):
    gateway = radosgw_server._gateway
    radosgw_server.s3.create_bucket(Bucket="mounted-by-option")
    settings = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": gateway.endpoint}
    credentials = signpost.Credentials(radosgw.ACCESS_KEY, radosgw.SECRET_KEY, settings=settings)
    table = signpost.rules().replace('"delete"]', '"delete", "list"]')
    data = ["--s3-listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    server = signpost.Signpost(tmp_path, table, [*data, "--mount", "real/=mounted-by-option"], credentials)
    try:
        for key in ("real/in/a b", "real", "other"):
            response = server.redirect("PUT", key, body=b"x").send("PUT", {"Content-Length": "1"}, b"x")
            assert response.status == 200, (key, response.body)
        stored = radosgw_server.s3.list_objects_v2(Bucket="mounted-by-option")["Contents"]
        assert [entry["Key"] for entry in stored] == ["in/a b"]
        assert names(server, "") == ["real/", "other", "real"]
        assert names(server, "real/", "recursive") == ["real/in/a b"]
    finally:
        server.stop()
