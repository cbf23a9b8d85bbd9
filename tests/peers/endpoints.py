"""The endpoints of AWS in all regions and partitions, by the rule sets of botocore.

`python endpoints.py` writes `endpoints.json`, with which the unit tests of `src/outbound/aws` compare the endpoints of Signpost.
"""

import json
import pathlib

import botocore.session
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError

FILE = pathlib.Path(__file__).with_name("endpoints.json")
ACCOUNT = "123456789012"
BUCKET = "example-bucket"
DOTTED = "example.bucket"
# The services that Signpost calls besides S3.
SERVICES = ["sts", "ssm", "dynamodb", "secretsmanager"]
VARIANTS = {"": (False, False), "fips": (True, False), "dualstack": (False, True), "fips+dualstack": (True, True)}


def providers():
    loader = botocore.session.get_session().get_component("data_loader")
    partitions = loader.load_data("partitions")
    rules = {name: loader.load_service_model(name, "endpoint-rule-set-1") for name in ["s3", *SERVICES]}
    return {name: EndpointProvider(ruleset, partitions) for name, ruleset in rules.items()}


def regions():
    """The partition and the name of each region."""
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for region in sorted(session.get_available_regions("s3", partition_name=partition)):
            yield partition, region


def resolve(provider, **parameters):
    """The URL and the region of the signature, or None if there is no endpoint."""
    try:
        endpoint = provider.resolve_endpoint(**parameters)
    except EndpointProviderError:
        return None
    scheme = next(iter(endpoint.properties.get("authSchemes", [])), {})
    return [endpoint.url.rstrip("/"), scheme.get("signingRegion", parameters["Region"])]


def buckets(partition, region):
    """The parameters of each kind of bucket."""
    point = f"arn:{partition}:s3:{region}:{ACCOUNT}:accesspoint/files"
    return {
        "bucket": {"Bucket": BUCKET},
        "path_style": {"Bucket": BUCKET, "ForcePathStyle": True},
        "dotted": {"Bucket": DOTTED, "ForcePathStyle": True},
        "accelerate": {"Bucket": BUCKET, "Accelerate": True},
        "access_point": {"Bucket": point, "UseArnRegion": True},
    }


def rows():
    known = providers()
    for partition, region in regions():
        for variant, (fips, dual_stack) in VARIANTS.items():
            common = {"Region": region, "UseFIPS": fips, "UseDualStack": dual_stack}
            s3 = {"Accelerate": False, "ForcePathStyle": False, "UseGlobalEndpoint": False, "DisableMultiRegionAccessPoints": True}
            endpoints = {kind: resolve(known["s3"], **s3 | common | more) for kind, more in buckets(partition, region).items()}
            for service in SERVICES:
                more = {"UseGlobalEndpoint": False} if service == "sts" else {}
                endpoints[service] = resolve(known[service], **common, **more)
            yield {"partition": partition, "region": region, "variant": variant, "endpoints": endpoints}


def text():
    lines = ",\n".join(json.dumps(row) for row in rows())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    FILE.write_text(text())
