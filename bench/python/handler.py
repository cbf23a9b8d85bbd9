"""Redirects to a presigned URL with boto3 and the official runtime client."""

import os
from urllib.parse import unquote

import boto3
from botocore.config import Config

BUCKET = os.environ["SIGNPOST_BUCKET"]
REGION = os.environ["AWS_REGION"]
# Without these options, boto3 uses Signature Version 2 and a host name without a region.
CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
S3 = boto3.client("s3", region_name=REGION, endpoint_url=f"https://s3.{REGION}.amazonaws.com", config=CONFIG)
OPERATIONS = {"GET": "get_object", "HEAD": "head_object", "PUT": "put_object", "DELETE": "delete_object"}


def handle(event, _context):
    operation = OPERATIONS[event["httpMethod"]]
    key = unquote(event["path"].removeprefix("/"))
    url = S3.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=300)
    return {"statusCode": 307, "headers": {"location": url}, "body": "", "isBase64Encoded": False}
