"""The S3 servers that the behaviour tests run on, each with a Signpost in front of it."""

import json
import uuid

import boto3
import botocore.config

import radosgw
import signpost

REGION = "us-east-1"
ROLE = "signer"


class Server:
    """What both servers give: Signposts by rule table, each started on first use, and a look at what is stored."""

    name: str

    def __init__(self, make_folder):
        self._make_folder = make_folder
        self._signposts = {}

    def signpost(self, table=None, front="rest", credentials=None):
        """The Signpost with this rule table (by default: anyone may do everything) in front of this server."""
        table = table or signpost.rules()
        key = (table, front, credentials)
        if key not in self._signposts:
            arguments = [*self.arguments(), "--front", front]
            chosen = credentials or self.credentials()
            self._signposts[key] = signpost.Signpost(self._make_folder("signpost"), table, arguments, chosen)
        return self._signposts[key]

    def stop(self):
        for running in self._signposts.values():
            running.stop()


class Embedded(Server):
    """The S3 inside `signpost-local`: each Signpost brings its own, on data of its own."""

    name = "embedded"

    def arguments(self):
        return ["--s3-listen", "127.0.0.1:0", "--data", str(self._make_folder("data"))]

    def credentials(self):
        return None

    def put(self, key, body):
        location = self.signpost().redirect("PUT", key, body=body)
        answer = location.send("PUT", body=body)
        assert answer.status == 200, answer.body

    def stored(self, key):
        answer = self.signpost().redirect("GET", key).send("GET")
        assert answer.status in (200, 404), answer.body
        return answer.body if answer.status == 200 else None


class Ceph(Server):
    """Ceph radosgw, looked at with boto3 and so without Signpost."""

    name = "radosgw"
    bucket = "peers"
    versioned = "versioned"

    def __init__(self, make_folder, gateway):
        super().__init__(make_folder)
        self._gateway = gateway
        self.s3 = self.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.create_bucket(Bucket=self.versioned)
        self.s3.put_bucket_versioning(Bucket=self.versioned, VersioningConfiguration={"Status": "Enabled"})
        self._create_role()

    def client(self, service):
        # radosgw can give sessions of two seconds, which boto3's own validation forbids.
        config = botocore.config.Config(parameter_validation=False, retries={"max_attempts": 0})
        keys = {"aws_access_key_id": radosgw.ACCESS_KEY, "aws_secret_access_key": radosgw.SECRET_KEY}
        return boto3.client(service, endpoint_url=self._gateway.endpoint, region_name=REGION, config=config, **keys)

    def _create_role(self):
        trust = _policy({"Principal": {"AWS": ["arn:aws:iam:::user/t"]}, "Action": ["sts:AssumeRole"]})
        allowed = _policy({"Action": ["s3:*"], "Resource": "arn:aws:s3:::*"})
        self._gateway.admin("role", "create", f"--role-name={ROLE}", f"--assume-role-policy-doc={trust}")
        self._gateway.admin("role-policy", "put", f"--role-name={ROLE}", "--policy-name=s3", f"--policy-doc={allowed}")

    def session(self, seconds):
        """Temporary credentials from radosgw's STS."""
        role = f"arn:aws:iam:::role/{ROLE}"
        answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="peers", DurationSeconds=seconds)
        found = answer["Credentials"]
        return signpost.Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def arguments(self, bucket=None):
        return ["--bucket", bucket or self.bucket, "--endpoint", self._gateway.endpoint, "--region", REGION]

    def credentials(self):
        return signpost.Credentials(radosgw.ACCESS_KEY, radosgw.SECRET_KEY)

    def put(self, key, body):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def stored(self, key):
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None


def _policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})


def fresh_key(stem="object"):
    """A key that no other test uses."""
    return f"{stem}-{uuid.uuid4().hex}"
