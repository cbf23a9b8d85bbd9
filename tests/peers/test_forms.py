"""Forms for browser uploads. The policy and the signature equal those of boto3, and the S3 servers enforce the policy."""

import base64
import json
import os
import re
import time
from unittest import mock

import boto3
import botocore.config
import pytest

import oracle
import samples
import servers
import signpost
from form import JSON, Form
from presigned import encode
from test_oracle import BUCKET, ENDPOINT, EXPIRES, LONG_TERM, REGION, SESSION, start

ACCEPTS = ["x-amz-storage-class", "x-amz-server-side-encryption"]
# A range of media types requires that browsers save the file.
SAVED = 'disposition = "attachment"'
FOLDER = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}/")


# Policy and signature


def boto3_post(credentials, key, fields, conditions, expires, amz_date):
    """Returns the form of boto3 for the same input at the same second."""
    clock = oracle.datetime.datetime.strptime(amz_date, oracle.AMZ_DATE)
    client = boto3.client(
        "s3", region_name=REGION, endpoint_url=ENDPOINT,
        config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
    )
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: clock), \
         mock.patch("botocore.signers.get_current_datetime", lambda *_, **__: clock):
        return client.generate_presigned_post(BUCKET, key, dict(fields), list(conditions), expires)


def form_options(rng):
    """A random form query and its arguments for boto3: fields, a condition for each field, and further conditions."""
    query, fields, conditions = [], {}, []

    def field(parameter, name, value):
        query.append(f"{parameter}={encode(value)}")
        fields[name] = value

    for number in range(rng.choice([0, 0, 1, 3])):
        name, value = samples._metadata_name(rng, number).lower(), samples._metadata_value(rng)
        field(f"meta-{name.removeprefix('x-amz-meta-')}", name, value)
    if rng.random() < 0.3:
        field("storage-class", "x-amz-storage-class", "STANDARD_IA")
    if rng.random() < 0.3:
        field("server-side-encryption", "x-amz-server-side-encryption", "AES256")
    low, high = rng.choice([(0, 5 * 1024**3), (0, 0), (1, 10), (17, 5 * 1024**3)])
    conditions.append(["content-length-range", low, high])
    if (low, high) != (0, 5 * 1024**3) or rng.random() < 0.5:
        query.append(f"content-length-range={low},{high}")
    kind = rng.choice([None, "image/png", "text/plain; charset=utf-8", "image/*", "*/*"])
    if kind:
        query.append(f"contentType={encode(kind)}")
    if kind and kind.endswith("/*"):
        conditions.append(["starts-with", "$Content-Type", kind[:-1].removeprefix("*/")])
    elif kind:
        fields["Content-Type"] = kind
    target = rng.choice([None, "https://app.example.com/done?a=b&c=%C3%A9", "http://127.0.0.1:9/"])
    if target:
        field("success_action_redirect", "success_action_redirect", target)
    elif rng.random() < 0.5:
        field("success_action_status", "success_action_status", rng.choice(["200", "201", "204"]))
    expires = rng.choice([EXPIRES, EXPIRES, 60, 1])
    if expires != EXPIRES:
        query.append(f"expires={expires}")
    rng.shuffle(query)
    return "&".join(query), fields, [*fields.items()], conditions, expires


def same_policy(ours, theirs):
    """Compares two policies as JSON and ignores the order of the conditions. Both must be ASCII, which the parser of S3 requires."""
    def read(text):
        assert text.isascii()
        policy = json.loads(text)
        return policy["expiration"], sorted(json.dumps(condition) for condition in policy["conditions"])

    return read(ours) == read(theirs)


@pytest.mark.parametrize("credentials", [LONG_TERM, SESSION], ids=["long-term", "session"])
def test_policy_and_signature_equal_those_of_boto3(run, credentials):
    """They are equal byte for byte if boto3 receives the fields in the order in which Signpost writes them."""
    rng, identical = samples.generator(), 0
    with start(run, signpost.rules(client_may_set=ACCEPTS, more=SAVED), "function-url", credentials) as server:
        for target in samples.keys(200, rng):
            if len(target.encode()) > samples.MAX_KEY_BYTES - 31 and target.endswith("/"):
                continue  # the generated folder name would make the key too long
            query, fields, pairs, more, expires = form_options(rng)
            form = Form.request(server, target, query)
            folder = target.endswith("/")
            key = form["key"]
            if folder:
                assert key.startswith(target) and key.endswith("${filename}")
                assert FOLDER.fullmatch(key.removeprefix(target).removesuffix("${filename}"))
            else:
                assert key == target
            assert form.expires_in == expires
            signed = [name for name, _ in form.fields]
            assert sorted(set(signed)) == sorted(signed)
            policy_conditions = json.loads(form.policy)["conditions"]
            ordered = [{name: value} for condition in policy_conditions if isinstance(condition, dict)
                       for name, value in condition.items() if name in fields]
            assert sorted(json.dumps(one) for one in ordered) == sorted(json.dumps({n: v}) for n, v in pairs)
            theirs = boto3_post(credentials, key, fields, [*ordered, *more], expires, form["x-amz-date"])
            assert theirs["url"].rstrip("/") == form.url.rstrip("/")
            ours = dict(form.fields)
            assert same_policy(form.policy, base64.b64decode(theirs["fields"]["policy"]).decode())
            assert ours == theirs["fields"], f"{target!r} {query}"  # includes the signature and the encoded policy
            identical += 1
    assert identical > 180


# Uploads to S3

CONTENT = b"\x89PNG\r\n\x1a\n--\r\n" + os.urandom(2000)


def fresh_prefix():
    return servers.fresh_key("forms") + "/"


@pytest.mark.parametrize("name", ["file", "a b.txt", "\u00e9\u65e5\U0001f600.bin", "100%25+&.txt", "$a$b"])
def test_an_accepted_upload_stores_the_exact_bytes(site, name):
    form = Form.request(site.signpost, fresh_prefix(), "content-length-range=1,3000&contentType=image/png&meta-team=red")
    response = form.send(CONTENT, name)
    assert response.status == 204, response.body
    assert site.stored(form.key(name)) == CONTENT
    head = site.redirect("HEAD", form.key(name)).send("HEAD")
    assert (head.headers["Content-Type"], head.headers["x-amz-meta-team"]) == ("image/png", "red")


@pytest.mark.parametrize("key", ["exact", "e\u00e9\u65e5\U0001f600", "a b+c%25&\"'<>;", "do$$ar", "back\\slash"])
def test_a_form_for_one_key_replaces_an_existing_object(site, key):
    key = servers.fresh_key(key)
    site.put(key, b"before")
    response = Form.request(site.signpost, key).send(CONTENT, "another name")
    rejected = site.server.name == "radosgw" and not key.isascii()  # see DIFFERENCES.md
    assert response.status == (403 if rejected else 204), response.body
    assert site.stored(key) == (b"before" if rejected else CONTENT)


def test_the_client_chooses_a_media_type_from_an_allowed_range(server):
    site = server.site(signpost.rules(more=SAVED))
    form = Form.request(site.signpost, fresh_prefix(), "contentType=image/*")
    assert form.with_field("Content-Type", "image/webp").send(CONTENT).status == 204
    assert site.stored(form.key()) == CONTENT


def test_the_response_has_the_requested_status_or_redirect(site):
    for status in (200, 201, 204):
        form = Form.request(site.signpost, fresh_prefix(), f"success_action_status={status}")
        assert form.send(CONTENT).status == status
    target = "http://127.0.0.1:9/done?a=b"
    form = Form.request(site.signpost, fresh_prefix(), f"success_action_redirect={encode(target)}")
    response = form.send(CONTENT)
    assert response.status == 303, response.body
    assert response.headers["Location"].startswith(target)
    assert f"key={encode(form.key(), '/')}" in response.headers["Location"].replace("%2F", "/")
    assert site.stored(form.key()) == CONTENT


def test_a_session_token_is_part_of_the_form(radosgw_server):
    site = radosgw_server.site(credentials=radosgw_server.session(900))
    form = Form.request(site.signpost, fresh_prefix())
    assert form.without_field("x-amz-security-token").send(CONTENT).status == 403
    assert form.with_field("x-amz-security-token", "forged").send(CONTENT).status in (400, 403)
    assert site.stored(form.key()) is None
    assert form.send(CONTENT).status == 204
    assert site.stored(form.key()) == CONTENT


def policy_altered(form, old, new):
    assert old in form.policy, form.policy
    return form.with_field("policy", base64.b64encode(form.policy.replace(old, new).encode()).decode())


def last_digit(form):
    return "0" if form["x-amz-signature"][-1] != "0" else "1"


REJECTED = {
    "too large": lambda form: form.send(b"x" * 3001),
    "much too large": lambda form: form.send(b"x" * 300_000),
    "too small": lambda form: form.send(b"x" * 9),
    "empty": lambda form: form.send(b""),
    "wrong type": lambda form: form.with_field("Content-Type", "text/html").send(CONTENT),
    "no type": lambda form: form.without_field("Content-Type").send(CONTENT),
    "other key": lambda form: form.with_field("key", "elsewhere/${filename}").send(CONTENT),
    "other folder": lambda form: form.with_field("key", form["key"].replace("/", "/0", 1)).send(CONTENT),
    "no key": lambda form: form.without_field("key").send(CONTENT),
    "no metadata": lambda form: form.without_field("x-amz-meta-team").send(CONTENT),
    "other metadata": lambda form: form.with_field("x-amz-meta-team", "blue").send(CONTENT),
    "further metadata": lambda form: form.with_field("x-amz-meta-more", "yes").send(CONTENT),
    "an acl": lambda form: form.with_field("acl", "public-read").send(CONTENT),
    "a storage class": lambda form: form.with_field("x-amz-storage-class", "REDUCED_REDUNDANCY").send(CONTENT),
    "a redirect": lambda form: form.with_field("success_action_redirect", "http://127.0.0.1:9/").send(CONTENT),
    "an unknown field": lambda form: form.with_field("unknown", "value").send(CONTENT),
    "no policy": lambda form: form.without_field("policy").send(CONTENT),
    "policy with a higher limit": lambda form: policy_altered(form, "3000", "9999").send(b"x" * 4000),
    "empty policy": lambda form: form.with_field("policy", base64.b64encode(b"{}").decode()).send(CONTENT),
    "policy with a later expiration": lambda form: policy_altered(form, '"expiration": "2', '"expiration": "3').send(CONTENT),
    "no signature": lambda form: form.without_field("x-amz-signature").send(CONTENT),
    "signature altered": lambda form: form.with_field(
        "x-amz-signature", form["x-amz-signature"][:-1] + last_digit(form)).send(CONTENT),
    "no credential": lambda form: form.without_field("x-amz-credential").send(CONTENT),
    "other credential": lambda form: form.with_field(
        "x-amz-credential", "AKIAUNKNOWNUNKNOWN00/" + form["x-amz-credential"].split("/", 1)[1]).send(CONTENT),
    "no date": lambda form: form.without_field("x-amz-date").send(CONTENT),
    "other date": lambda form: form.with_field("x-amz-date", "20200101T000000Z").send(CONTENT),
    "no algorithm": lambda form: form.without_field("x-amz-algorithm").send(CONTENT),
}


@pytest.mark.parametrize("case", REJECTED)
def test_s3_rejects_uploads_that_the_form_does_not_allow(site, case):
    query = "content-length-range=10,3000&contentType=image/png&meta-team=red"
    form = Form.request(site.signpost, fresh_prefix(), query)
    response = REJECTED[case](form)
    assert 400 <= response.status < 500, f"{response.status}: {response.body[:300]!r}"
    assert site.stored(form.key()) is None
    assert site.stored("elsewhere/file") is None
    assert form.send(CONTENT).status == 204, "the unaltered form is accepted"


def test_an_expired_form_is_rejected(site):
    form = Form.request(site.signpost, fresh_prefix(), "expires=1")
    time.sleep(2.1)
    assert 400 <= form.send(CONTENT).status < 500
    assert site.stored(form.key()) is None


def test_s3_enforces_the_limits_of_a_rule(server):
    limits = 'max_bytes = 1000\ncontent_types = ["text/plain"]\nmetadata = { origin = "form" }'
    site = server.site(signpost.rules(more=limits))
    form = Form.request(site.signpost, fresh_prefix())
    assert form.send(b"x" * 1001).status in (400, 403)
    assert form.with_field("Content-Type", "text/html").send(b"x").status in (400, 403)
    assert form.without_field("x-amz-meta-origin").send(b"x").status in (400, 403)
    assert site.stored(form.key()) is None
    assert form.send(b"x" * 1000).status == 204
    assert site.stored(form.key()) == b"x" * 1000


def test_signpost_rejects_options_that_no_form_can_enforce(site):
    for query in ("contentType=image/png%0d%0aX-Y:+z", "contentType=", "meta-a=b%0d%0ac", "meta-a%0d%0ab=c",
                  "success_action_redirect=javascript:alert(1)", "success_action_redirect=https://",
                  "success_action_redirect=https://a%0d%0ab", "meta-a=$%7Bfilename%7D", "x-amz-acl=public-read"):
        response = site.signpost.request("GET", fresh_prefix(), JSON, query=f"form&{query}")
        assert response.status == 400, f"{query}: {response.status} {response.body[:300]!r}"
