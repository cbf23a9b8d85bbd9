"""The URL of each mount equals the URL that botocore signs for its bucket, in 30 regions of all partitions that botocore knows."""

import boto3
import botocore.config
import botocore.session
import pytest

import oracle
import signpost
from presigned import Presigned, encode

ACCOUNT = "123456789012"
KEYS = signpost.Credentials("ASIAIOSFODNN7EXAMPLE", "secret/with+slash=", "IQoJb3JpZ2luX2VjE/+token==")
PARTITIONS = {"aws": 22, "aws-cn": 2, "aws-us-gov": 2, "aws-iso": 2, "aws-iso-b": 1, "aws-eusc": 1}
OBJECT = "a b/c+d//e"
SWITCHES = {
    "plain": {},
    "FIPS": {"AWS_USE_FIPS_ENDPOINT": "true"},
    "dual-stack": {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
}


def regions():
    """Up to 30 regions with their partitions."""
    session = botocore.session.get_session()
    for partition, count in PARTITIONS.items():
        if partition in session.get_available_partitions():
            names = sorted(session.get_available_regions("s3", partition_name=partition))
            yield from ((partition, name) for name in names[:count])


def mounts():
    """The prefix, bucket, region and storage key prefix of each mount."""
    for partition, region in regions():
        buckets = {"name": f"acme-{region}", "dotted": f"acme.{region}", "point": f"arn:{partition}:s3:{region}:{ACCOUNT}:accesspoint/files"}
        for kind, bucket in buckets.items():
            yield f"{region}/{kind}/", bucket, region, "2024/" if kind == "name" else ""


def table():
    tables = []
    for at, bucket, region, prefix in mounts():
        fields = [f'at = "{at}"', f'bucket = "{bucket}"', f'region = "{region}"', f'prefix = "{prefix}"' if prefix else ""]
        tables.append("\n".join(["[[mount]]", *filter(None, fields)]))
    return signpost.rules() + "\n" + "\n\n".join(tables)


def botocore_url(bucket, key, region, switches):
    """The URL of the object by botocore, or None if it has no endpoint for it."""
    # By default, botocore presigns with the global endpoint. S3 has no certificate for a dotted name in a host name.
    style = "path" if "." in bucket else "virtual"
    options = {"us_east_1_regional_endpoint": "regional"} | ({} if bucket.startswith("arn:") else {"addressing_style": style})
    config = botocore.config.Config(
        signature_version="s3v4",
        use_fips_endpoint="AWS_USE_FIPS_ENDPOINT" in switches,
        use_dualstack_endpoint="AWS_USE_DUALSTACK_ENDPOINT" in switches,
        s3=options,
    )
    client = boto3.client(
        "s3", region_name=region, config=config,
        aws_access_key_id=KEYS.access_key, aws_secret_access_key=KEYS.secret_key, aws_session_token=KEYS.token,
    )
    return Presigned.parse(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=300))


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_url_of_each_mount_equals_that_of_botocore(run, switch):
    found = list(mounts())
    assert len({region for _, _, region, _ in found}) >= 30
    switches = SWITCHES[switch]
    credentials = signpost.Credentials(KEYS.access_key, KEYS.secret_key, KEYS.token, settings=switches)
    # The bucket of the setting is never used. Presigning opens no connection.
    with run(table(), ["--bucket", "root-bucket", "--region", "eu-central-1"], credentials) as server:
        compared = 0
        for at, bucket, region, prefix in found:
            try:
                theirs = botocore_url(bucket, prefix + OBJECT, region, switches)
            except botocore.exceptions.BotoCoreError:
                continue  # botocore has no such endpoint in this region
            ours = server.redirect("GET", at + OBJECT)
            assert (ours.origin, ours.path) == (theirs.origin, theirs.path), (switch, at)
            assert ours["X-Amz-Credential"].split("/")[2] == theirs["X-Amz-Credential"].split("/")[2], (switch, at)
            signed, _ = oracle.sign(
                "GET", ours.origin, ours.path, {}, ours.extra, KEYS, region, ours["X-Amz-Expires"], ours["X-Amz-Date"]
            )
            differences = oracle.signed_request("GET", ours, {}).differences(signed)
            assert not differences, "\n".join([f"{switch} {at}", *differences])
            assert ours.path.endswith("/" + encode(prefix + OBJECT, safe="/"))
            compared += 1
        assert compared > len(found) // 2
