"""What IAM asks of whoever signs or calls each S3 operation: the one table behind the tests of the template and of its policies."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# By the operation's name in the S3 API (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
NEEDED = {
    "GetObject": {"s3:GetObject"},
    "HeadObject": {"s3:GetObject"},
    "PutObject": {"s3:PutObject"},
    "DeleteObject": {"s3:DeleteObject"},
    "CreateMultipartUpload": {"s3:PutObject"},
    "UploadPart": {"s3:PutObject"},
    "ListParts": {"s3:ListMultipartUploadParts"},
    "CompleteMultipartUpload": {"s3:PutObject"},
    "AbortMultipartUpload": {"s3:AbortMultipartUpload"},
}
# A browser's form is no operation of src/operation.rs, but a PUT in other clothes.
FORM = {"PostObject": {"s3:PutObject"}}
# What Signpost calls itself. S3 also tells only those who may list that a key is missing.
LISTINGS = {
    "ListObjectsV2": {"s3:ListBucket"},
    "ListMultipartUploads": {"s3:ListBucketMultipartUploads"},
}
# With a parameter that a rule can accept, the operation needs this beside or instead.
WITH_PARAMETER = {
    ("GetObject", "versionId"): "s3:GetObjectVersion",
    ("HeadObject", "versionId"): "s3:GetObjectVersion",
    ("DeleteObject", "versionId"): "s3:DeleteObjectVersion",
    ("PutObject", "tagging"): "s3:PutObjectTagging",
    ("CreateMultipartUpload", "tagging"): "s3:PutObjectTagging",
}
# What the template keeps back on purpose, and why.
WITHHELD = {"s3:DeleteObjectVersion": "what is deleted through Signpost can be restored for OldVersionDays"}
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACING = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
KMS = {"kms:Decrypt", "kms:GenerateDataKey"}


def granted():
    """Every action on S3 that the signer gets."""
    known = set().union(*NEEDED.values(), *FORM.values(), WITH_PARAMETER.values(), *LISTINGS.values())
    return known - set(WITHHELD)


def operations_of_the_code():
    """The operations that src/operation.rs knows."""
    code = (ROOT / "src/operation.rs").read_text()
    listed = re.search(r"pub const ALL: \[Self; \d+\] = \[(.*?)\];", code, re.DOTALL)[1]
    return set(re.findall(r"Self::(\w+)", listed))


def listings_of_the_code():
    """The listings that src/operation/listing.rs knows, by their names in the S3 API."""
    return set(re.findall(r'Self::\w+ => "(List\w+)"', (ROOT / "src/operation/listing.rs").read_text()))


def actions_of_session_policies():
    """The actions that a member's session may be cut down to."""
    code = (ROOT / "src/adapters/aws/session_policy.rs").read_text()
    return set(re.findall(r's3:[A-Z]\w+', code))
