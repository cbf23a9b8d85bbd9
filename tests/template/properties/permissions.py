"""The IAM actions that each S3 operation requires. The tests of the template and of its policies share this table."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# By the operation's name in the S3 API (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
REQUIRED = {
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
# An HTML form upload. It is not an operation in src/operation.rs, but S3 requires the action of a PUT.
FORM = {"PostObject": {"s3:PutObject"}}
# Requests that Signpost itself sends. S3 also requires ListBucket before it answers 404 for a missing key.
LISTINGS = {
    "ListObjectsV2": {"s3:ListBucket"},
    "ListMultipartUploads": {"s3:ListBucketMultipartUploads"},
}
# Parameters for which an operation requires another action, in addition or instead.
WITH_PARAMETER = {
    ("GetObject", "versionId"): "s3:GetObjectVersion",
    ("HeadObject", "versionId"): "s3:GetObjectVersion",
    ("DeleteObject", "versionId"): "s3:DeleteObjectVersion",
    ("PutObject", "tagging"): "s3:PutObjectTagging",
    ("CreateMultipartUpload", "tagging"): "s3:PutObjectTagging",
    # S3 compares an ETag only for callers who may read (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html). `If-Match: *` of a DELETE is an exception.
    ("PutObject", "ifMatch"): "s3:GetObject",
    ("CompleteMultipartUpload", "ifMatch"): "s3:GetObject",
    ("DeleteObject", "ifMatch"): "s3:GetObject",
}
# Actions that the template does not grant, and the reason.
WITHHELD = {"s3:DeleteObjectVersion": "an object that was deleted through Signpost can be restored for OldVersionDays"}
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACING = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
KMS = {"kms:Decrypt", "kms:GenerateDataKey"}


def granted():
    """Every S3 action that the template grants to the signer."""
    known = set().union(*REQUIRED.values(), *FORM.values(), WITH_PARAMETER.values(), *LISTINGS.values())
    return known - set(WITHHELD)


def operations_of_the_code():
    """The operations in src/operation.rs."""
    code = (ROOT / "src/operation.rs").read_text()
    listed = re.search(r"^operations! \{(.*?)^\}", code, re.DOTALL | re.MULTILINE)[1]
    return set(re.findall(r"\w+", listed))


def listings_of_the_code():
    """The listings in src/operation/listing.rs, by their names in the S3 API."""
    return set(re.findall(r'Self::\w+ => "(List\w+)"', (ROOT / "src/operation/listing.rs").read_text()))


def actions_of_session_policies():
    """The actions in the session policies of users."""
    sources = [ROOT / "src/policy/session_policy.rs", ROOT / "src/operation.rs"]
    return {action for source in sources for action in re.findall(r"s3:[A-Z]\w+", source.read_text())}
