"""The S3 servers that the behaviour tests run on, each with Signpost servers in front of it."""

import json
import uuid

import boto3
import botocore.config

import radosgw
import signpost

REGION = "us-east-1"
ROLE = "signer"


class Site:
    """A Signpost server and the objects in its bucket."""

    def __init__(self, server, running):
        self.server = server
        self.signpost = running
        self.redirect = running.redirect
        self.request = running.request
        self.url_of = running.url_of

    def put(self, key, body):
        """Stores `body` through a redirect."""
        response = self.redirect("PUT", key, body=body).send("PUT", _length(body), body)
        assert response.status == 200, response.body

    def stored(self, key):
        """Reads the object through a redirect. Returns None if there is no object."""
        response = self.redirect("GET", key).send("GET")
        assert response.status in (200, 404), response.body
        return response.body if response.status == 200 else None


class CephSite(Site):
    """Writes and reads objects with boto3, so that a test verifies the bucket without Signpost."""

    def put(self, key, body):
        self.server.s3.put_object(Bucket=self.server.bucket, Key=key, Body=body)

    def stored(self, key):
        try:
            return self.server.s3.get_object(Bucket=self.server.bucket, Key=key)["Body"].read()
        except self.server.s3.exceptions.NoSuchKey:
            return None


class Server:
    """An S3 server and its sites. Each site is started on first use and reused by later tests."""

    def __init__(self, make_folder):
        self._make_folder = make_folder
        self._sites = {}

    def site(self, table=None, front="rest", credentials=None, bucket=None):
        """Returns the site with these rules. The default rules allow everything to everyone."""
        table = table or signpost.rules()
        key = (table, front, credentials, bucket)
        if key not in self._sites:
            arguments = [*self.arguments(bucket), "--front", front]
            keys = credentials or self.credentials
            running = signpost.Signpost(self._make_folder("signpost"), table, arguments, keys)
            self._sites[key] = self.site_type(self, running)
        return self._sites[key]

    def stop(self):
        for site in self._sites.values():
            site.signpost.stop()


class Embedded(Server):
    """The S3 server inside `signpost-local`. Each Signpost server has its own, with separate data."""

    name = "embedded"
    site_type = Site
    credentials = None

    def arguments(self, _bucket):
        return ["--s3-listen", "127.0.0.1:0", "--data", str(self._make_folder("data"))]


class Ceph(Server):
    """Ceph radosgw."""

    name = "radosgw"
    site_type = CephSite
    credentials = signpost.Credentials(radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    bucket = "peers"
    versioned = "versioned"
    role = f"arn:aws:iam:::role/{ROLE}"

    def __init__(self, make_folder, gateway):
        super().__init__(make_folder)
        self._gateway = gateway
        self.endpoint = gateway.endpoint
        self.s3 = self._client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.create_bucket(Bucket=self.versioned)
        self.s3.put_bucket_versioning(Bucket=self.versioned, VersioningConfiguration={"Status": "Enabled"})
        self._create_role()

    def arguments(self, bucket):
        return ["--bucket", bucket or self.bucket, "--endpoint", self._gateway.endpoint, "--region", REGION]

    def session(self, seconds):
        """Returns temporary credentials from the STS of radosgw."""
        response = self._client("sts").assume_role(RoleArn=self.role, RoleSessionName="peers", DurationSeconds=seconds)
        found = response["Credentials"]
        return signpost.Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _client(self, service):
        # The tests use sessions of a few seconds, which the parameter validation of boto3 forbids.
        config = botocore.config.Config(parameter_validation=False, retries={"max_attempts": 0})
        keys = {"aws_access_key_id": radosgw.ACCESS_KEY, "aws_secret_access_key": radosgw.SECRET_KEY}
        return boto3.client(service, endpoint_url=self._gateway.endpoint, region_name=REGION, config=config, **keys)

    def _create_role(self):
        trust = _policy({"Principal": {"AWS": ["arn:aws:iam:::user/t"]}, "Action": ["sts:AssumeRole"]})
        allowed = _policy({"Action": ["s3:*"], "Resource": "arn:aws:s3:::*"})
        self._gateway.admin("role", "create", f"--role-name={ROLE}", f"--assume-role-policy-doc={trust}")
        self._gateway.admin("role-policy", "put", f"--role-name={ROLE}", "--policy-name=s3", f"--policy-doc={allowed}")


def _policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})


def _length(body):
    return {"Content-Length": str(len(body))}


def fresh_key(stem="object"):
    """Returns a key that no other test uses."""
    return f"{stem}-{uuid.uuid4().hex}"
