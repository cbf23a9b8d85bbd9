"""The same policies, enforced by Ceph radosgw and its STS, with the URLs that the service signs in each mode.

Radosgw supports neither `s3:authType` nor `s3:ResourceAccount`, so the suite removes these conditions; the simulator covers them.
Actions, resources and session policies are those of the template and the service.
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
UNSUPPORTED_CONDITIONS = {"s3:authType", "s3:ResourceAccount"}
OTHER = "example-other"
BODY = b"an object of a user"


def statements(stack):
    found = []
    for statement in stack["roles"][stack["signer"]]["policy"]["Statement"]:
        if not any(action.startswith("s3:") for action in statement["Action"]) and not str(statement["Action"]).startswith("s3:"):
            continue
        assert set(statement["Condition"]["StringEquals"]) == UNSUPPORTED_CONDITIONS and set(statement["Condition"]) == {"StringEquals"}
        found.append({name: value for name, value in statement.items() if name != "Condition"})
    return {"Version": "2012-10-17", "Statement": found}


def client(endpoint, service, access_key, secret_key, token=None):
    config = botocore.config.Config(signature_version="s3v4" if service == "s3" else None, retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return boto3.client(
        service, endpoint_url=endpoint, region_name=REGION, config=config,
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, aws_session_token=token,
    )  # fmt: skip


class Site:
    """A running service with the credentials of the template's roles in one signing mode."""

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
            session = client(self.sts.endpoint, "sts", *keys).assume_role(RoleArn=role, RoleSessionName="function")["Credentials"]
            keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
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
        """An S3 client with the credentials that sign for alice, which sends requests to S3 directly."""
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


def test_objects_can_be_stored_read_and_deleted(site):
    key = site.key("object")
    assert put(site.url("PUT", key)).status == 200
    assert site.url("GET", key).send("GET").body == BODY
    assert site.url("HEAD", key).send("HEAD").status == 200
    version = site.owner.head_object(Bucket=site.bucket, Key=key)["VersionId"]
    assert site.url("DELETE", key).send("DELETE").status == 204
    assert site.url("GET", key).send("GET").status == 404
    assert site.url("GET", key, f"versionId={version}").send("GET").body == BODY


def test_multipart_uploads_work(site):
    key = site.key("parts")

    def create():
        response = site.url("POST", key, "uploads").send("POST", {"Content-Length": "0"}, b"")
        assert response.status == 200, response.body
        return re.search(rb"<UploadId>([^<]+)</UploadId>", response.body)[1].decode()

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


def test_listings_work(site):
    key = site.key("listed/object")
    site.owner.put_object(Bucket=site.bucket, Key=key, Body=BODY)
    upload = site.owner.create_multipart_upload(Bucket=site.bucket, Key=site.key("listed/pending"))["UploadId"]
    headers = bearer("alice") | {"Accept": "application/vnd.signpost+json, application/json"}
    listed = site.service.request("GET", site.key("listed/"), headers)
    assert listed.status == 200 and b"object" in listed.body, listed.body
    pending = site.service.request("GET", site.key("listed/"), headers, query="uploads")
    assert pending.status == 200 and upload.encode() in pending.body, pending.body
    site.owner.abort_multipart_upload(Bucket=site.bucket, Key=site.key("listed/pending"), UploadId=upload)


def test_form_uploads_work(site):
    response = site.service.request("GET", site.key("form"), bearer("alice") | {"Accept": "application/json"}, query="form")
    assert response.status == 200, response.body
    form = json.loads(response.body)
    parts = [*form["fields"].items(), ("file", BODY.decode())]
    name = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = ("".join(name.format(*part) for part in parts) + "--x--\r\n").encode()
    sent = wire.send("POST", form["url"], {"Content-Type": "multipart/form-data; boundary=x"}, body)
    assert sent.status in (200, 201, 204), sent.body
    assert site.owner.get_object(Bucket=site.bucket, Key=site.key("form"))["Body"].read() == BODY


DENIED = {
    "another bucket's object": ("get_object", {"Bucket": OTHER, "Key": "k"}),
    "an upload to another bucket": ("put_object", {"Bucket": OTHER, "Key": "new"}),
    "deleting in another bucket": ("delete_object", {"Bucket": OTHER, "Key": "k"}),
    "listing another bucket": ("list_objects_v2", {"Bucket": OTHER}),
    "versions": ("list_object_versions", {}),
    "an ACL": ("get_object_acl", {"Key": "{own}"}),
    "making an object public": ("put_object_acl", {"Key": "{own}", "ACL": "public-read"}),
    "tags": ("get_object_tagging", {"Key": "{own}"}),
    "the bucket's policy": ("get_bucket_policy", {}),
    "deleting the bucket's policy": ("delete_bucket_policy", {}),
    "the bucket's lifecycle": ("get_bucket_lifecycle_configuration", {}),
    "deleting the bucket": ("delete_bucket", {}),
    "creating a bucket": ("create_bucket", {"Bucket": "example-made"}),
}


@pytest.mark.parametrize("request_name", DENIED)
def test_every_other_request_is_denied(site, request_name):
    operation, parameters = DENIED[request_name]
    own = site.key("denied")
    site.owner.put_object(Bucket=site.bucket, Key=own, Body=BODY)
    parameters = {"Bucket": site.bucket} | {name: value.format(own=own) for name, value in parameters.items()}
    url = site.session().generate_presigned_url(operation, Params=parameters)
    method = {"get": "GET", "list": "GET", "put": "PUT", "create": "PUT", "delete": "DELETE"}[operation.split("_")[0]]
    headers = {"x-amz-acl": "public-read"} if "ACL" in parameters else {}
    response = Presigned.parse(url).send(method, headers, b"" if method == "PUT" else None)
    assert response.status == 403, (response.status, response.body[:300])
    # The owner may send this request, so that the role is the reason for the rejection.
    url = site.owner.generate_presigned_url(operation, Params=parameters)
    if method == "GET":
        assert Presigned.parse(url).send(method).status in (200, 404)


def test_a_version_cannot_be_deleted_permanently(site):
    key = site.key("version")
    site.owner.put_object(Bucket=site.bucket, Key=key, Body=BODY)
    version = site.owner.head_object(Bucket=site.bucket, Key=key)["VersionId"]
    # The rule allows `versionId`, so the service signs the URL. The role does not allow it.
    assert site.url("DELETE", key, f"versionId={version}").send("DELETE").status == 403
    assert site.url("GET", key, f"versionId={version}").send("GET").body == BODY


def test_the_prefix_of_another_user(site):
    key = users.key("bob")
    site.owner.put_object(Bucket=site.bucket, Key=key, Body=BODY)
    session = site.session()
    responses = {
        operation: Presigned.parse(session.generate_presigned_url(operation, Params={"Bucket": site.bucket, "Key": key})).send(method, {}, body)
        for operation, method, body in (("get_object", "GET", None), ("put_object", "PUT", b"x"), ("delete_object", "DELETE", None))
    }
    statuses = {operation: response.status for operation, response in responses.items()}
    if site.mode == "scoped":
        assert statuses == dict.fromkeys(statuses, 403), statuses
    else:
        # One session signs for all users. Only the rules separate them.
        assert statuses == {"get_object": 200, "put_object": 200, "delete_object": 204}, statuses
    assert site.service.request("GET", key, bearer("alice")).status == 403
