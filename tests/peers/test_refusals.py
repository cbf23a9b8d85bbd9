"""S3 rejects a presigned URL that is altered, misused or expired, and stores nothing.

Each case runs on both servers. `aws` is the status that AWS returns. If radosgw returns another status, the case contains it
and DIFFERENCES.md lists it.
"""

import base64
import datetime
import hashlib
import pathlib
import re
import socket
import time
from dataclasses import dataclass
from typing import Callable

import pytest

import oracle
import servers
import signpost
from presigned import encode

BEFORE = b"the object before the request"
AFTER = b"a body that must not be stored"
MD5_OF_AFTER = base64.b64encode(hashlib.md5(AFTER).digest()).decode()
SHA256_OF_AFTER = base64.b64encode(hashlib.sha256(AFTER).digest()).decode()
SHA256_OF_NOTHING = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

CASES = []


@dataclass(frozen=True)
class Case:
    """`act(site, key)` sends one request and returns the response. The object at `key` contains BEFORE."""

    name: str
    act: Callable
    aws: tuple
    radosgw: tuple
    table: str

    def expected(self, server):
        return self.radosgw if server.name == "radosgw" else self.aws


def case(aws, radosgw=None, table=signpost.rules()):
    def register(act):
        theirs = aws if radosgw is None else radosgw
        CASES.append(Case(act.__name__, act, _statuses(aws), _statuses(theirs), table))
        return act

    return register


def _statuses(value):
    return value if isinstance(value, tuple) else (value,)


def get(site, key, **options):
    return site.redirect("GET", key, **options)


def put(site, key, headers=None, body=AFTER, **options):
    return site.redirect("PUT", key, headers, body, **options)


# The signature and the SigV4 parameters


@case(aws=403)
def signature_altered(site, key):
    url = get(site, key)
    digit = url["X-Amz-Signature"][-1]
    altered = url["X-Amz-Signature"][:-1] + ("0" if digit != "0" else "1")
    return url.with_parameter("X-Amz-Signature", altered).send("GET")


@case(aws=403)
def signature_of_another_key(site, key):
    other = get(site, servers.fresh_key())["X-Amz-Signature"]
    return get(site, key).with_parameter("X-Amz-Signature", other).send("GET")


@case(aws=(400, 403))
def signature_removed(site, key):
    return get(site, key).without_parameter("X-Amz-Signature").send("GET")


@case(aws=403)
def query_removed(site, key):
    url = get(site, key)
    for name, _ in url.query:
        url = url.without_parameter(name)
    return url.send("GET")


@case(aws=403)
def secret_wrong(site, key):
    return signed_by_botocore(site, key, secret="not the secret").send("GET")


@case(aws=403)
def access_key_unknown(site, key):
    url = get(site, key)
    credential = url["X-Amz-Credential"].replace(url.access_key, "AKIAUNKNOWNUNKNOWN00")
    return url.with_parameter("X-Amz-Credential", credential).send("GET")


@case(aws=(400, 403))
def region_altered(site, key):
    url = get(site, key)
    parts = url["X-Amz-Credential"].split("/")
    parts[2] = "eu-west-3"
    return url.with_parameter("X-Amz-Credential", "/".join(parts)).send("GET")


@case(aws=403)
def date_altered(site, key):
    url = get(site, key)
    signed = datetime.datetime.strptime(url["X-Amz-Date"], oracle.AMZ_DATE)
    later = (signed + datetime.timedelta(seconds=1)).strftime(oracle.AMZ_DATE)
    return url.with_parameter("X-Amz-Date", later).send("GET")


@case(aws=403)
def expires_altered(site, key):
    return get(site, key).with_parameter("X-Amz-Expires", "3600").send("GET")


@case(aws=403)
def signed_headers_extended(site, key):
    return get(site, key).with_parameter("X-Amz-SignedHeaders", "host;range").send("GET", {"Range": "bytes=0-"})


@case(aws=(400, 403))
def signed_headers_without_host(site, key):
    return get(site, key).with_parameter("X-Amz-SignedHeaders", "range").send("GET", {"Range": "bytes=0-"})


@case(aws=(400, 403))
def session_token_added(site, key):
    return get(site, key).with_parameter("X-Amz-Security-Token", "forged").send("GET")


@case(aws=403)
def url_expired(site, key):
    url = get(site, key, query="expires=1")
    time.sleep(2.5)
    return url.send("GET")


@case(aws=403)
def upload_url_expired(site, key):
    url = put(site, key, query="expires=1")
    time.sleep(2.5)
    return url.send("PUT", body=AFTER)


# The key


@case(aws=403)
def key_altered_in_a_download(site, key):
    url = get(site, servers.fresh_key())
    return url.with_path(f"/{url.bucket}/{key}").send("GET")


@case(aws=403)
def key_altered_in_an_upload(site, key):
    url = put(site, servers.fresh_key())
    return url.with_path(f"/{url.bucket}/{key}").send("PUT", body=AFTER)


@case(aws=403)
def key_altered_in_a_deletion(site, key):
    url = site.redirect("DELETE", servers.fresh_key())
    return url.with_path(f"/{url.bucket}/{key}").send("DELETE")


@case(aws=403)
def slash_doubled(site, key):
    url = get(site, key)
    return url.with_path(f"/{url.bucket}//{key}").send("GET")


@case(aws=403)
def key_removed(site, key):
    url = get(site, key)
    return url.with_path(f"/{url.bucket}/").send("GET")


@case(aws=403)
def bucket_altered(site, key):
    url = get(site, key)
    return url.with_path(f"/versioned/{key}").send("GET")


# The method


@case(aws=403)
def download_url_used_for_head(site, key):
    return get(site, key).send("HEAD")


@case(aws=403)
def download_url_used_to_upload(site, key):
    return get(site, key).send("PUT", body=AFTER)


@case(aws=403)
def download_url_used_to_delete(site, key):
    return get(site, key).send("DELETE")


@case(aws=403)
def head_url_used_to_download(site, key):
    return site.redirect("HEAD", key).send("GET")


@case(aws=403)
def upload_url_used_to_download(site, key):
    return put(site, key).send("GET")


@case(aws=403)
def upload_url_used_to_delete(site, key):
    return put(site, key).send("DELETE")


@case(aws=403)
def deletion_url_used_to_upload(site, key):
    return site.redirect("DELETE", key).send("PUT", body=AFTER)


# The query


@case(aws=403)
def parameter_added(site, key):
    return get(site, key).with_parameter("response-content-type", "text/html").send("GET")


@case(aws=403)
def sub_resource_added(site, key):
    return put(site, key).with_parameter("acl", "").send("PUT", body=AFTER)


@case(aws=403)
def version_added(site, key):
    return site.redirect("DELETE", key).with_parameter("versionId", "null").send("DELETE")


@case(aws=403)
def trace_altered(site, key):
    return get(site, key).with_parameter("x-signpost", "someone else").send("GET")


@case(aws=403)
def trace_removed(site, key):
    return get(site, key).without_parameter("x-signpost").send("GET")


@case(aws=403)
def disposition_altered(site, key):
    url = get(site, key, query="download=report.pdf")
    return url.with_parameter("response-content-disposition", "inline").send("GET")


@case(aws=403)
def disposition_removed(site, key):
    return get(site, key, query="download=report.pdf").without_parameter("response-content-disposition").send("GET")


@case(aws=403, table=signpost.rules(overwrite=False))
def create_only_removed(site, key):
    return put(site, key).without_parameter("If-None-Match").send("PUT", body=AFTER)


# The headers


@case(aws=403)
def signed_header_altered(site, key):
    return put(site, key, {"x-amz-meta-team": "red"}).send("PUT", {"x-amz-meta-team": "blue"}, AFTER)


@case(aws=403)
def signed_header_removed(site, key):
    return put(site, key, {"x-amz-meta-team": "red"}).send("PUT", body=AFTER)


@case(aws=403)
def signed_digest_removed(site, key):
    return put(site, key, query=f"contentMD5={encode(MD5_OF_AFTER)}").send("PUT", body=AFTER)


@case(aws=403)
def signed_condition_removed(site, key):
    return put(site, key, {"If-None-Match": "*"}).send("PUT", body=AFTER)


@case(aws=403)
def host_altered(site, key):
    return get(site, key).send("GET", {"Host": "localhost:1"})


@case(aws=403, radosgw=200)
def unsigned_acl(site, key):
    return put(site, key).send("PUT", {"x-amz-acl": "public-read"}, AFTER)


@case(aws=403, radosgw=200)
def unsigned_metadata(site, key):
    return put(site, key).send("PUT", {"x-amz-meta-team": "blue"}, AFTER)


@case(aws=403, radosgw=200)
def unsigned_tagging(site, key):
    return put(site, key).send("PUT", {"x-amz-tagging": "a=b"}, AFTER)


@case(aws=403, radosgw=200)
def unsigned_copy_source(site, key):
    source = servers.fresh_key("source")
    site.put(source, AFTER)
    url = site.redirect("PUT", key)
    return url.send("PUT", {"x-amz-copy-source": f"/{url.bucket}/{source}", "Content-Length": "0"})


@case(aws=400)
def additional_bearer_credential(site, key):
    return get(site, key).send("GET", {"Authorization": "Bearer abc"})


@case(aws=400)
def additional_basic_credential(site, key):
    return get(site, key).send("GET", {"Authorization": signpost.basic("ci", "abc")})


@case(aws=400, radosgw=403)
def additional_aws_credential(site, key):
    value = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"
    return get(site, key).send("GET", {"Authorization": value})


@case(aws=400)
def additional_credential_in_an_upload(site, key):
    return put(site, key).send("PUT", {"Authorization": "Bearer abc"}, AFTER)


# The body


@case(aws=403)
def body_longer(site, key):
    return put(site, key).send("PUT", body=AFTER + b"!")


@case(aws=403)
def body_shorter(site, key):
    return put(site, key).send("PUT", body=AFTER[:-1])


@case(aws=403)
def body_missing(site, key):
    return put(site, key).send("PUT", body=b"")


@case(aws=(403, 411, 501))
def body_chunked(site, key):
    return put(site, key).send("PUT", body=iter([AFTER]))


@case(aws=(411, 501))
def body_chunked_without_a_signed_length(site, key):
    return site.redirect("PUT", key).send("PUT", body=iter([AFTER]))


@case(aws=400)
def md5_of_other_bytes(site, key):
    headers = {"Content-MD5": MD5_OF_AFTER}
    return put(site, key, headers).send("PUT", headers, AFTER[:-1] + b"?")


@case(aws=400, radosgw=200)
def sha256_of_other_bytes(site, key):
    headers = {"x-amz-checksum-sha256": SHA256_OF_NOTHING}
    return put(site, key, headers).send("PUT", headers, AFTER)


# Forbidden overwrites


@case(aws=412, radosgw=200, table=signpost.rules(overwrite=False))
def overwrite_forbidden_by_the_rule(site, key):
    return put(site, key).send("PUT", body=AFTER)


@case(aws=412)
def overwrite_forbidden_by_the_client(site, key):
    headers = {"If-None-Match": "*"}
    return put(site, key, headers).send("PUT", headers, AFTER)


@case(aws=412)
def overwrite_of_another_version(site, key):
    headers = {"If-Match": '"00000000000000000000000000000000"'}
    return put(site, key, headers).send("PUT", headers, AFTER)


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_is_rejected(server, case):
    site = server.site(case.table)
    key = servers.fresh_key()
    site.put(key, BEFORE)
    response = case.act(site, key)
    assert response.status in case.expected(server), response.body.decode(errors="replace")
    if response.status >= 400:
        assert BEFORE not in response.body
        assert site.stored(key) == BEFORE


def test_the_unaltered_requests_are_accepted(site):
    """Without this test, a server that rejects every request would pass."""
    key = servers.fresh_key()
    headers = {"Content-MD5": MD5_OF_AFTER, "x-amz-meta-team": "red", "x-amz-checksum-sha256": SHA256_OF_AFTER}
    assert put(site, key, headers).send("PUT", headers, AFTER).status == 200
    assert get(site, key).send("GET").body == AFTER
    assert get(site, key).send("GET", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}).status == 200
    assert site.redirect("HEAD", key).send("HEAD").status == 200
    assert accepts_botocore_url(site, key)
    assert site.redirect("DELETE", key).send("DELETE").status == 204
    assert site.stored(key) is None


def test_a_truncated_body_stores_nothing(site):
    key = servers.fresh_key()
    body = b"x" * 100_000
    url = put(site, key, body=body)
    host = url.origin.partition("://")[2]
    with socket.create_connection(host.split(":"), timeout=20) as connection:
        head = f"PUT {url.url.removeprefix(url.origin)} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:50_000])
        connection.shutdown(socket.SHUT_WR)
        response = connection.recv(1000)
    assert b" 200 " not in response.split(b"\r\n")[0]
    time.sleep(0.5)
    assert site.stored(key) is None


def test_a_url_expires_with_its_session(radosgw_server):
    key = servers.fresh_key()
    session = radosgw_server.session(seconds=6)
    site = radosgw_server.site(credentials=session)
    site.put(key, BEFORE)
    url = get(site, key)
    assert url["X-Amz-Security-Token"]
    assert url.send("GET").body == BEFORE
    assert url.with_parameter("X-Amz-Security-Token", "forged").send("GET").status in (400, 403)
    assert url.without_parameter("X-Amz-Security-Token").send("GET").status == 403
    time.sleep(7)
    assert url.send("GET").status == 403, "the URL is valid after its credentials have expired"


def test_the_table_of_differences_is_complete():
    found = {one.name: (_joined(one.aws), _joined(one.radosgw)) for one in CASES if one.aws != one.radosgw}
    text = (pathlib.Path(__file__).parent / "DIFFERENCES.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \| ([^|]*) \|", text, re.MULTILINE)
    assert {name: (aws, ceph) for name, aws, ceph in rows} == found


def _joined(statuses):
    return " or ".join(map(str, statuses))


def signed_by_botocore(site, key, secret):
    """Returns the URL that botocore signs with the access key of this site and the given secret."""
    url = get(site, key)
    credentials = signpost.Credentials(url.access_key, secret)
    region = url["X-Amz-Credential"].split("/")[2]
    _, ours = oracle.sign("GET", url.origin, url.path, {}, url.extra, credentials, region, url["X-Amz-Expires"], url["X-Amz-Date"])
    return ours


def accepts_botocore_url(site, key):
    """Returns true if S3 accepts the URL of botocore with the right secret. This proves that `secret_wrong` fails only because of the secret."""
    known = site.server.credentials
    return known is None or signed_by_botocore(site, key, known.secret_key).send("GET").status == 200
