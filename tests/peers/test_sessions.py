"""Sessions of a signer role from an STS that enforces: what they sign, and what they can't even if Signpost erred."""

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

BODY = b"a member's own"

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
    """What Signpost calls the member with this token."""
    return hashlib.sha256(b"token\0" + token.encode()).hexdigest()[:32]


class Signer:
    """A Signpost whose sessions come from radosgw's STS through a recorder."""

    def __init__(self, run, server, table, certificate=None, environment=None, mode="signer", **settings):
        self.server = server
        self.sts = recorder.Recorder(server.endpoint, certificate)
        # At its loudest, since nothing secret may stand in the log at any level.
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

    def url(self, member, method, key):
        return self.signpost.redirect(method, key, {"Authorization": f"Bearer {member}"} | _length(method))

    def client(self, session):
        """An S3 client with the credentials that a session signs with: nothing of Signpost stands before S3 here."""
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


def refused(call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**parameters)
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def presign(client, operation, bucket, key):
    return Presigned.parse(client.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": key}))


def test_one_session_signs_for_everyone(run, radosgw_server):
    with Signer(run, radosgw_server, rules()) as site:
        for member in ("alice", "bob"):
            key = f"users/{user_id(member)}/{servers.fresh_key()}"
            assert site.url(member, "PUT", key).send("PUT", {"Content-Length": "0"}, b"").status == 200
            assert site.url(member, "GET", key).send("GET").status == 200
            assert site.url(member, "DELETE", key).send("DELETE").status == 204
        (session,) = site.sts.sessions
        assert site.url("alice", "GET", "users/" + user_id("alice") + "/k")["X-Amz-Security-Token"] == session.credentials.token
        assert session.asked["RoleSessionName"] == "signpost.1"
        # Such a session can do all that the role can: what is refused below is refused by the session policy alone.
        everyone = site.client(session)
        key = servers.fresh_key()
        assert presign(everyone, "put_object", radosgw_server.bucket, key).send("PUT", body=b"x").status == 200


def test_what_signs_for_one_member_opens_nothing_of_another(run, radosgw_server):
    s3, bucket = radosgw_server.s3, radosgw_server.bucket
    own, others = (f"users/{user_id(member)}/{servers.fresh_key()}" for member in ("alice", "bob"))
    for key in (own, others):
        s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    with Signer(run, radosgw_server, rules(), mode="scoped") as site:
        url = site.url("alice", "GET", own)
        assert url.send("GET").body == BODY
        (session,) = site.sts.sessions
        assert session.asked["RoleSessionName"] == user_id("alice") + ".1"
        assert session.asked["SourceIdentity"] == user_id("alice")
        assert url["X-Amz-Security-Token"] == session.credentials.token
        # The rules refuse it, so take the credentials past them.
        assert site.signpost.ask("GET", others, {"Authorization": "Bearer alice"}).status == 403
        alice = site.client(session)
        assert presign(alice, "get_object", bucket, own).send("GET").body == BODY
        assert presign(alice, "get_object", bucket, others).send("GET").status == 403
        assert presign(alice, "put_object", bucket, others).send("PUT", body=b"x").status == 403
        assert presign(alice, "delete_object", bucket, others).send("DELETE").status == 403
        for key in (f"users/{user_id('alice')}", f"users/{user_id('alice')}x/k", "users/", "elsewhere", "users/*/k"):
            assert presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status == 403, key
        assert refused(alice.list_objects_v2, Bucket=bucket)
        assert refused(alice.list_objects_v2, Bucket=bucket, Prefix=f"users/{user_id('alice')}/")
        assert s3.get_object(Bucket=bucket, Key=others)["Body"].read() == BODY
        # Another member, another session; the first one stays as it is.
        assert site.url("bob", "GET", others).send("GET").body == BODY
        assert site.url("alice", "GET", own).send("GET").body == BODY
        assert len(site.sts.sessions) == 2


def test_a_session_does_the_actions_of_its_rule_only(run, radosgw_server):
    s3, bucket = radosgw_server.s3, radosgw_server.bucket
    key = f"users/{user_id('alice')}/{servers.fresh_key()}"
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    table = rules().replace('can = ["read", "write", "delete"]', 'can = ["read"]')
    with Signer(run, radosgw_server, table, mode="scoped") as site:
        assert site.url("alice", "GET", key).send("GET").body == BODY
        alice = site.client(site.sts.sessions[0])
        assert presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status == 403
        assert presign(alice, "delete_object", bucket, key).send("DELETE").status == 403
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY


def test_who_may_list_is_told_that_a_key_is_missing(run, radosgw_server):
    bucket = radosgw_server.bucket
    prefix = f"users/{user_id('alice')}/"
    with Signer(run, radosgw_server, rules(more=', "list"'), mode="scoped") as site:
        assert site.url("alice", "GET", prefix + servers.fresh_key()).send("GET").status == 404
        alice = site.client(site.sts.sessions[0])
        assert "ResponseMetadata" in alice.list_objects_v2(Bucket=bucket, Prefix=prefix)
        for other in ("", "users/", f"users/{user_id('bob')}/"):
            assert refused(alice.list_objects_v2, Bucket=bucket, Prefix=other)


def test_who_may_not_list_is_told_all_the_same_by_radosgw(run, radosgw_server):
    with Signer(run, radosgw_server, rules(), mode="scoped") as site:
        key = f"users/{user_id('alice')}/{servers.fresh_key()}"
        assert site.url("alice", "GET", key).send("GET").status == 404, "AWS says 403"


def test_what_iam_could_take_for_a_wildcard_is_none(run, radosgw_server):
    bucket = radosgw_server.bucket
    with Signer(run, radosgw_server, rules(on=("od?d/**", "a$b/**", "日本 +/**")), mode="scoped") as site:
        key = "日本 +/" + servers.fresh_key()
        assert site.url("alice", "PUT", key).send("PUT", {"Content-Length": "0"}, b"").status == 200
        (session,) = site.sts.sessions
        assert json.loads(session.asked["Policy"])["Statement"][0]["Resource"] == [
            f"arn:aws:s3:::{bucket}/a${{$}}b/*", f"arn:aws:s3:::{bucket}/od${{?}}d/*", f"arn:aws:s3:::{bucket}/日本 +/*",
        ]
        alice = site.client(session)
        for key in ("odXd/k", "od?/k", "odd/k", "ab/k", "aXb/k", "日/k"):
            assert presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status == 403, key
        found = {key: presign(alice, "put_object", bucket, key).send("PUT", body=b"x").status for key in ("od?d/k", "a$b/k")}
        # AWS resolves the predefined variables (200); radosgw 16.2 does not know them, and so refuses.
        assert found == {"od?d/k": 403, "a$b/k": 403}


def test_no_url_promises_more_than_its_session(run, radosgw_server):
    key = f"users/{user_id('alice')}/{servers.fresh_key()}"
    with Signer(run, radosgw_server, rules(), mode="scoped", session="130s") as site:
        answer = site.signpost.ask("GET", key, {"Authorization": "Bearer alice", "Accept": "application/json"})
        told = json.loads(answer.body)
        (session,) = site.sts.sessions
        assert 125 <= told["expires_in"] <= 130
        assert _time(told["expires_at"]) == int(_time(session.expiration))
        assert _time(told["expires_at"]) - time.time() < 130


def test_a_session_is_renewed_and_the_old_one_ends(run, radosgw_server):
    s3, bucket = radosgw_server.s3, radosgw_server.bucket
    key = f"users/{user_id('alice')}/{servers.fresh_key()}"
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    with Signer(run, radosgw_server, rules(expires="2s"), mode="scoped", session="6s") as site:
        assert site.url("alice", "GET", key).send("GET").body == BODY
        first = presign(site.client(site.sts.sessions[0]), "get_object", bucket, key)
        assert int(first["X-Amz-Expires"]) == 3600 and first.send("GET").body == BODY
        ends = time.monotonic() + 7
        while time.monotonic() < ends:
            assert site.url("alice", "GET", key).send("GET").body == BODY
            time.sleep(0.3)
        assert len(site.sts.sessions) >= 2
        assert first.send("GET").status == 403, "radosgw took a session that had ended"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for `localhost` with its key; an authority of its own."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "made.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    made.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return made


def test_sts_is_asked_over_tls_if_the_system_trusts_it(run, radosgw_server, certificate):
    key, who = f"users/{user_id('alice')}/k", {"Authorization": "Bearer alice"}
    trusting = {"SSL_CERT_FILE": str(certificate)}
    with Signer(run, radosgw_server, rules(), certificate, trusting) as site:
        assert site.signpost.ask("GET", key, who).status == 307
        assert len(site.sts.sessions) == 1
    with Signer(run, radosgw_server, rules(), certificate) as site:
        assert site.signpost.ask("GET", key, who).status == 500
        assert site.sts.sessions == []


def test_a_role_that_is_not_given_is_a_failure_without_details(run, radosgw_server):
    with Signer(run, radosgw_server, rules(), role_arn="arn:aws:iam:::role/nobodys") as site:
        answer = site.signpost.ask("GET", f"users/{user_id('alice')}/k", {"Authorization": "Bearer alice"})
        assert answer.status == 500
        assert b"nobodys" not in answer.body and b"sts" not in answer.body.lower()
        ends = time.monotonic() + 5
        while "nobodys" not in site.signpost.log and time.monotonic() < ends:
            time.sleep(0.1)
        assert "nobodys" in site.signpost.log, "the operator is not told why"


def _time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
