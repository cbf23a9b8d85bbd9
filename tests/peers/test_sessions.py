"""Sessions of a signer role from an STS that enforces session policies.

The tests check the URLs that a session signs. They also check that a session cannot exceed its policy, even if Signpost had a bug.
"""

import hashlib
import json
import subprocess
import time
from datetime import datetime

import boto3
import botocore.config
import botocore.exceptions
import pytest

import radosgw
import recorder
import servers
import signpost
from presigned import Presigned

BODY = b"an object of a user"

RULES = """\
version = 1
{tokens}
[[rule]]
id = "own"
who = ["authenticated"]
can = ["read", "write", "delete"{more}]
on = {on}
overwrite = true
expires = "{expires}"
"""


def rules(on=("users/{user_id}/**",), expires="5m", more=""):
    token = '[[token]]\nid = "{0}"\nsha256 = "{1}"\n'
    tokens = "".join(token.format(id, hashlib.sha256(id.encode()).hexdigest()) for id in ("alice", "bob"))
    patterns = "[" + ", ".join(f'"{pattern}"' for pattern in on) + "]"
    return RULES.format(tokens=tokens, on=patterns, expires=expires, more=more)


def user_id(token):
    """Returns the user id of the user with this token."""
    return hashlib.sha256(b"token\0" + token.encode()).hexdigest()[:32]


class SignerSite:
    """A Signpost server that gets its sessions from the STS of radosgw through a recorder."""

    def __init__(self, run, server, table, certificate=None, environment=None, mode="signer", **settings):
        self.server = server
        self.sts = recorder.Recorder(server.endpoint, certificate)
        # The most detailed level, because no level may log a secret.
        found = {"SIGNPOST_LOG": "trace"} | {f"SIGNPOST_SIGNER_{name.upper()}": value for name, value in settings.items()}
        found = {"SIGNPOST_SIGNING_MODE": mode, "SIGNPOST_SIGNER_ROLE_ARN": server.role, "AWS_ENDPOINT_URL_STS": self.sts.endpoint} | found | (environment or {})
        credentials = signpost.Credentials(radosgw.ACCESS_KEY, radosgw.SECRET_KEY, settings=found)
        self._running = run(table, server.arguments(None), credentials)

    def __enter__(self):
        self.signpost = self._running.__enter__()
        return self

    def __exit__(self, *error):
        self._running.__exit__(*error)
        self.sts.stop()
        for session in self.sts.sessions:
            assert not any(secret in self.signpost.log for secret in session.credentials.secrets), "a session was logged"

    def url(self, user, method, key):
        return self.signpost.redirect(method, key, {"Authorization": f"Bearer {user}"} | _length(method))

    def client(self, session):
        """Returns an S3 client that uses the session's credentials without Signpost."""
        found = session.credentials
        config = botocore.config.Config(
            signature_version="s3v4", retries={"max_attempts": 0}, s3={"addressing_style": "path"}
        )
        return boto3.client(
            "s3", endpoint_url=self.server.endpoint, region_name=servers.REGION, config=config,
            aws_access_key_id=found.access_key, aws_secret_access_key=found.secret_key, aws_session_token=found.token,
        )


def _length(method):
    return {"Content-Length": "0"} if method == "PUT" else {}


def is_forbidden(call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**parameters)
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def presign(client, operation, bucket, key):
    return Presigned.parse(client.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": key}))


def test_one_session_signs_for_all_users(run, radosgw_server):
    with SignerSite(run, radosgw_server, rules()) as site:
        for user in ("alice", "bob"):
            key = f"users/{user_id(user)}/{servers.fresh_key()}"
            assert site.url(user, "PUT", key).send("PUT", {"Content-Length": "0"}, b"").status == 200
            assert site.url(user, "GET", key).send("GET").status == 200
            assert site.url(user, "DELETE", key).send("DELETE").status == 204
        (session,) = site.sts.sessions
        assert site.url("alice", "GET", "users/" + user_id("alice") + "/k")["X-Amz-Security-Token"] == session.credentials.token
        assert session.parameters["RoleSessionName"] == "signpost.1"
        # This session has all permissions of the role. The rejections in the tests below therefore come from the session policy.
        everyone = site.client(session)
        key = servers.fresh_key()
        assert presign(everyone, "put_object", radosgw_server.bucket, key).send("PUT", body=b"x").status == 200


def test_a_session_for_one_user_has_no_access_to_another_user(run, radosgw_server):
    s3, bucket = radosgw_server.s3, radosgw_server.bucket
    own, others = (f"users/{user_id(user)}/{servers.fresh_key()}" for user in ("alice", "bob"))
    for key in (own, others):
        s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    with SignerSite(run, radosgw_server, rules(), mode="scoped") as site:
        url = site.url("alice", "GET", own)
        assert url.send("GET").body == BODY
        (session,) = site.sts.sessions
        assert session.parameters["RoleSessionName"] == user_id("alice") + ".1"
        assert session.parameters["SourceIdentity"] == user_id("alice")
        assert url["X-Amz-Security-Token"] == session.credentials.token
        # The rules reject the request, so use the credentials without Signpost.
        assert site.signpost.request("GET", others, {"Authorization": "Bearer alice"}).status == 403
        alice = site.client(session)
        assert presign(alice, "get_object", bucket, own).send("GET").body == BODY
        assert presign(alice, "get_object", bucket, others).send("GET").status == 403
        assert presign(alice, "put_object", bucket, others).send("PUT", body=b"x").status == 403
        assert presign(alice, "delete_object", bucket, others).send("DELETE").status == 403
        for key in (f"users/{user_id('alice')}", f"users/{user_id('alice')}x/k", "users/", "elsewhere", "users/*/k"):
            assert presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status == 403, key
        assert is_forbidden(alice.list_objects_v2, Bucket=bucket)
        assert is_forbidden(alice.list_objects_v2, Bucket=bucket, Prefix=f"users/{user_id('alice')}/")
        assert s3.get_object(Bucket=bucket, Key=others)["Body"].read() == BODY
        # Another user gets another session. The first session remains in use.
        assert site.url("bob", "GET", others).send("GET").body == BODY
        assert site.url("alice", "GET", own).send("GET").body == BODY
        assert len(site.sts.sessions) == 2


def test_a_session_allows_only_the_actions_of_its_rule(run, radosgw_server):
    s3, bucket = radosgw_server.s3, radosgw_server.bucket
    key = f"users/{user_id('alice')}/{servers.fresh_key()}"
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    table = rules().replace('can = ["read", "write", "delete"]', 'can = ["read"]')
    with SignerSite(run, radosgw_server, table, mode="scoped") as site:
        assert site.url("alice", "GET", key).send("GET").body == BODY
        alice = site.client(site.sts.sessions[0])
        assert presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status == 403
        assert presign(alice, "delete_object", bucket, key).send("DELETE").status == 403
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY


def test_a_user_with_list_access_gets_404_for_a_missing_key(run, radosgw_server):
    bucket = radosgw_server.bucket
    prefix = f"users/{user_id('alice')}/"
    with SignerSite(run, radosgw_server, rules(more=', "list"'), mode="scoped") as site:
        assert site.url("alice", "GET", prefix + servers.fresh_key()).send("GET").status == 404
        alice = site.client(site.sts.sessions[0])
        assert "ResponseMetadata" in alice.list_objects_v2(Bucket=bucket, Prefix=prefix)
        for other in ("", "users/", f"users/{user_id('bob')}/"):
            assert is_forbidden(alice.list_objects_v2, Bucket=bucket, Prefix=other)


def test_radosgw_returns_404_even_without_list_access(run, radosgw_server):
    with SignerSite(run, radosgw_server, rules(), mode="scoped") as site:
        key = f"users/{user_id('alice')}/{servers.fresh_key()}"
        assert site.url("alice", "GET", key).send("GET").status == 404, "AWS returns 403"


def test_wildcard_characters_in_keys_are_escaped_in_the_policy(run, radosgw_server):
    bucket = radosgw_server.bucket
    with SignerSite(run, radosgw_server, rules(on=("od?d/**", "a$b/**", "日本 +/**")), mode="scoped") as site:
        key = "日本 +/" + servers.fresh_key()
        assert site.url("alice", "PUT", key).send("PUT", {"Content-Length": "0"}, b"").status == 200
        (session,) = site.sts.sessions
        assert json.loads(session.parameters["Policy"])["Statement"][0]["Resource"] == [
            f"arn:aws:s3:::{bucket}/a${{$}}b/*", f"arn:aws:s3:::{bucket}/od${{?}}d/*", f"arn:aws:s3:::{bucket}/日本 +/*",
        ]
        alice = site.client(session)
        for key in ("odXd/k", "od?/k", "odd/k", "ab/k", "aXb/k", "日/k"):
            assert presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status == 403, key
        found = {key: presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status for key in ("od?d/k", "a$b/k")}
        # AWS resolves the predefined variables (200). radosgw 16.2 does not support them and rejects the request.
        assert found == {"od?d/k": 403, "a$b/k": 403}


def test_no_url_outlives_its_session(run, radosgw_server):
    key = f"users/{user_id('alice')}/{servers.fresh_key()}"
    with SignerSite(run, radosgw_server, rules(), mode="scoped", session="130s") as site:
        response = site.signpost.request("GET", key, {"Authorization": "Bearer alice", "Accept": "application/vnd.signpost+json"})
        body = json.loads(response.body)
        (session,) = site.sts.sessions
        assert 125 <= body["expires_in"] <= 130
        assert _time(body["expires_at"]) == int(_time(session.expiration))
        assert _time(body["expires_at"]) - time.time() < 130


def test_a_session_is_renewed_and_the_old_one_expires(run, radosgw_server):
    s3, bucket = radosgw_server.s3, radosgw_server.bucket
    key = f"users/{user_id('alice')}/{servers.fresh_key()}"
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    with SignerSite(run, radosgw_server, rules(expires="2s"), mode="scoped", session="6s") as site:
        assert site.url("alice", "GET", key).send("GET").body == BODY
        first = presign(site.client(site.sts.sessions[0]), "get_object", bucket, key)
        assert int(first["X-Amz-Expires"]) == 3600 and first.send("GET").body == BODY
        ends = time.monotonic() + 7
        while time.monotonic() < ends:
            assert site.url("alice", "GET", key).send("GET").body == BODY
            time.sleep(0.3)
        assert len(site.sts.sessions) >= 2
        assert first.send("GET").status == 403, "radosgw accepted an expired session"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for `localhost`, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    combined = folder / "made.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    combined.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return combined


def test_sts_is_called_over_tls_if_its_certificate_is_trusted(run, radosgw_server, certificate):
    key, headers = f"users/{user_id('alice')}/k", {"Authorization": "Bearer alice"}
    trusting = {"SSL_CERT_FILE": str(certificate)}
    with SignerSite(run, radosgw_server, rules(), certificate, trusting) as site:
        assert site.signpost.request("GET", key, headers).status == 307
        assert len(site.sts.sessions) == 1
    with SignerSite(run, radosgw_server, rules(), certificate) as site:
        assert site.signpost.request("GET", key, headers).status == 500
        assert site.sts.sessions == []


def test_a_role_that_cannot_be_assumed_is_an_error_without_details(run, radosgw_server):
    with SignerSite(run, radosgw_server, rules(), role_arn="arn:aws:iam:::role/unknown-role") as site:
        response = site.signpost.request("GET", f"users/{user_id('alice')}/k", {"Authorization": "Bearer alice"})
        assert response.status == 500
        assert b"unknown-role" not in response.body and b"sts" not in response.body.lower()
        ends = time.monotonic() + 5
        while "unknown-role" not in site.signpost.log and time.monotonic() < ends:
            time.sleep(0.1)
        assert site.signpost.has_logged("unknown-role"), "the log does not contain the reason"


def _time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
