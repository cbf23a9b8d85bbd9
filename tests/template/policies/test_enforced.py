"""The same policies, enforced by an S3 with an STS of its own, on the URLs that the service signs in each mode.

Radosgw knows neither `s3:authType` nor `s3:ResourceAccount`, so it gets the statements without those conditions; what they do is
left to the simulator. Actions, resources and session policies are as the template and the service say.
"""

import json
import re

import boto3
import botocore.config
import pytest

import radosgw as ceph
import signpost
import users
import wire
from presigned import Presigned
from lib.tokens import bearer
from recorder import Recorder
from simulator import policies

REGION = "us-east-1"
UNKNOWN_THERE = {"s3:authType", "s3:ResourceAccount"}
OTHER = "example-other"
BODY = b"a member's own"


def statements(stack):
    found = []
    for statement in stack["roles"][stack["signer"]]["policy"]["Statement"]:
        if not any(action.startswith("s3:") for action in statement["Action"]) and not str(statement["Action"]).startswith("s3:"):
            continue
        assert set(statement["Condition"]["StringEquals"]) == UNKNOWN_THERE and set(statement["Condition"]) == {"StringEquals"}
        found.append({name: value for name, value in statement.items() if name != "Condition"})
    return {"Version": "2012-10-17", "Statement": found}


def client(endpoint, service, access_key, secret_key, token=None):
    config = botocore.config.Config(signature_version="s3v4" if service == "s3" else None, retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return boto3.client(
        service, endpoint_url=endpoint, region_name=REGION, config=config,
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, aws_session_token=token,
    )  # fmt: skip


class Site:
    """A running service whose credentials are those of the template's roles in one mode."""

    def __init__(self, gateway, mode, folder):
        self.stack = policies()["stacks"][mode]
        self.bucket, self.mode = self.stack["bucket"], mode
        self.owner = client(gateway.endpoint, "s3", ceph.ACCESS_KEY, ceph.SECRET_KEY)
        self.sts = Recorder(gateway.endpoint)
        self.endpoint = gateway.endpoint
        role = self._role(gateway)
        settings = {}
        keys = (ceph.ACCESS_KEY, ceph.SECRET_KEY)
        if mode == "execution":
            answer = client(self.sts.endpoint, "sts", *keys).assume_role(RoleArn=role, RoleSessionName="function")["Credentials"]
            keys = (answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        else:
            settings = {"SIGNPOST_SIGNER_ROLE_ARN": role, "AWS_ENDPOINT_URL_STS": self.sts.endpoint, "SIGNPOST_SIGNING_MODE": mode}
        arguments = ["--bucket", self.bucket, "--endpoint", gateway.endpoint, "--region", REGION]
        credentials = signpost.Credentials(*keys, settings=settings)
        self.service = signpost.Signpost(folder, users.rules("read", "write", "delete", "list"), arguments, credentials)

    def _role(self, gateway):
        trust = {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/t"]}, "Action": ["sts:AssumeRole"]}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        gateway.admin("role", "create", f"--role-name={self.mode}", f"--assume-role-policy-doc={trust}")
        document = json.dumps(statements(self.stack))
        gateway.admin("role-policy", "put", f"--role-name={self.mode}", "--policy-name=bucket", f"--policy-doc={document}")
        return f"arn:aws:iam:::role/{self.mode}"

    def stop(self):
        self.service.stop()
        self.sts.stop()

    def url(self, method, key, query="", headers=None):
        length = {"Content-Length": "0"} if method in ("PUT", "POST") else {}
        return self.service.redirect(method, key, bearer("alice") | length | (headers or {}), query=query)

    def session(self):
        """An S3 client with the credentials that sign for alice: nothing of the service stands before S3 here."""
        self.url("GET", self.key("any"))
        found = self.sts.sessions[-1].credentials
        return client(self.endpoint, "s3", found.access_key, found.secret_key, found.token)

    @staticmethod
    def key(name):
        return f"users/{users.user_id('alice')}/{name}"


@pytest.fixture(scope="module")
def buckets(radosgw):
    owner = client(radosgw.endpoint, "s3", ceph.ACCESS_KEY, ceph.SECRET_KEY)
    own = policies()["stacks"]["signer"]["bucket"]
    for bucket in (own, OTHER):
        owner.create_bucket(Bucket=bucket)
        owner.put_object(Bucket=bucket, Key="k", Body=BODY)
    owner.put_bucket_versioning(Bucket=own, VersioningConfiguration={"Status": "Enabled"})


@pytest.fixture(scope="module", params=["signer", "scoped", "execution"])
def site(request, radosgw, buckets, tmp_path_factory):
    found = Site(radosgw, request.param, tmp_path_factory.mktemp("site"))
    yield found
    found.stop()


def put(url, body=BODY):
    return url.send("PUT", {"Content-Length": str(len(body))}, body)


def test_objects(site):
    key = site.key("object")
    assert put(site.url("PUT", key)).status == 200
    assert site.url("GET", key).send("GET").body == BODY
    assert site.url("HEAD", key).send("HEAD").status == 200
    version = site.owner.head_object(Bucket=site.bucket, Key=key)["VersionId"]
    assert site.url("DELETE", key).send("DELETE").status == 204
    assert site.url("GET", key).send("GET").status == 404
    assert site.url("GET", key, f"versionId={version}").send("GET").body == BODY


def test_uploads_in_parts(site):
    key = site.key("parts")

    def create():
        answer = site.url("POST", key, "uploads").send("POST", {"Content-Length": "0"}, b"")
        assert answer.status == 200, answer.body
        return re.search(rb"<UploadId>([^<]+)</UploadId>", answer.body)[1].decode()

    upload = create()
    part = put(site.url("PUT", key, f"partNumber=1&uploadId={upload}"))
    assert part.status == 200
    assert b"<PartNumber>1</PartNumber>" in site.url("GET", key, f"uploadId={upload}").send("GET").body
    etag = part.headers["ETag"]
    manifest = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>".encode()
    complete = site.url("POST", key, f"uploadId={upload}").send("POST", {"Content-Length": str(len(manifest))}, manifest)
    assert complete.status == 200 and b"<Error>" not in complete.body
    assert site.owner.get_object(Bucket=site.bucket, Key=key)["Body"].read() == BODY
    assert site.url("DELETE", key, f"uploadId={create()}").send("DELETE").status == 204


def test_listings(site):
    key = site.key("listed/object")
    site.owner.put_object(Bucket=site.bucket, Key=key, Body=BODY)
    upload = site.owner.create_multipart_upload(Bucket=site.bucket, Key=site.key("listed/pending"))["UploadId"]
    asking = bearer("alice") | {"Accept": "application/json"}
    listed = site.service.ask("GET", site.key("listed/"), asking)
    assert listed.status == 200 and b"object" in listed.body, listed.body
    pending = site.service.ask("GET", site.key("listed/"), asking, query="uploads")
    assert pending.status == 200 and upload.encode() in pending.body, pending.body
    site.owner.abort_multipart_upload(Bucket=site.bucket, Key=site.key("listed/pending"), UploadId=upload)


def test_forms(site):
    answer = site.service.ask("GET", site.key("form"), bearer("alice") | {"Accept": "application/json"}, query="form")
    assert answer.status == 200, answer.body
    told = json.loads(answer.body)
    parts = [*told["fields"].items(), ("file", BODY.decode())]
    name = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = ("".join(name.format(*part) for part in parts) + "--x--\r\n").encode()
    sent = wire.send("POST", told["url"], {"Content-Type": "multipart/form-data; boundary=x"}, body)
    assert sent.status in (200, 201, 204), sent.body
    assert site.owner.get_object(Bucket=site.bucket, Key=site.key("form"))["Body"].read() == BODY


REFUSED = {
    "another bucket's object": ("get_object", {"Bucket": OTHER, "Key": "k"}),
    "an upload to another bucket": ("put_object", {"Bucket": OTHER, "Key": "new"}),
    "deleting in another bucket": ("delete_object", {"Bucket": OTHER, "Key": "k"}),
    "listing another bucket": ("list_objects_v2", {"Bucket": OTHER}),
    "versions": ("list_object_versions", {}),
    "an ACL": ("get_object_acl", {"Key": "{own}"}),
    "opening an object to all": ("put_object_acl", {"Key": "{own}", "ACL": "public-read"}),
    "tags": ("get_object_tagging", {"Key": "{own}"}),
    "the bucket's policy": ("get_bucket_policy", {}),
    "no bucket policy": ("delete_bucket_policy", {}),
    "the bucket's lifecycle": ("get_bucket_lifecycle_configuration", {}),
    "the bucket's end": ("delete_bucket", {}),
    "a bucket": ("create_bucket", {"Bucket": "example-made"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_else(site, what):
    operation, parameters = REFUSED[what]
    own = site.key("refused")
    site.owner.put_object(Bucket=site.bucket, Key=own, Body=BODY)
    parameters = {"Bucket": site.bucket} | {name: value.format(own=own) for name, value in parameters.items()}
    url = site.session().generate_presigned_url(operation, Params=parameters)
    method = {"get": "GET", "list": "GET", "put": "PUT", "create": "PUT", "delete": "DELETE"}[operation.split("_")[0]]
    headers = {"x-amz-acl": "public-read"} if "ACL" in parameters else {}
    answer = Presigned.parse(url).send(method, headers, b"" if method == "PUT" else None)
    assert answer.status == 403, (answer.status, answer.body[:300])
    # The owner may, so it is the role that is refused, and not the request.
    url = site.owner.generate_presigned_url(operation, Params=parameters)
    if method == "GET":
        assert Presigned.parse(url).send(method).status in (200, 404)


def test_no_version_ends_for_good(site):
    key = site.key("version")
    site.owner.put_object(Bucket=site.bucket, Key=key, Body=BODY)
    version = site.owner.head_object(Bucket=site.bucket, Key=key)["VersionId"]
    # The rule accepts `versionId`, so the service signs it. The role stands in the way.
    assert site.url("DELETE", key, f"versionId={version}").send("DELETE").status == 403
    assert site.url("GET", key, f"versionId={version}").send("GET").body == BODY


def test_the_prefixes_of_others(site):
    key = users.key("bob")
    site.owner.put_object(Bucket=site.bucket, Key=key, Body=BODY)
    session = site.session()
    reached = {
        operation: Presigned.parse(session.generate_presigned_url(operation, Params={"Bucket": site.bucket, "Key": key})).send(method, {}, body)
        for operation, method, body in (("get_object", "GET", None), ("put_object", "PUT", b"x"), ("delete_object", "DELETE", None))
    }
    found = {operation: answer.status for operation, answer in reached.items()}
    if site.mode == "scoped":
        assert found == dict.fromkeys(found, 403), found
    else:
        # One session signs for all: here the rules alone keep members apart.
        assert found == {"get_object": 200, "put_object": 200, "delete_object": 204}, found
    assert site.service.ask("GET", key, bearer("alice")).status == 403
