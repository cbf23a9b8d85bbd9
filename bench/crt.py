"""Transfers a file or a folder with the S3 client of the AWS Common Runtime. bench/transfers calls it.

    crt.py put|get ENDPOINT BUCKET KEY LOCAL SOURCE

SOURCE is the file or folder whose names are transferred. LOCAL is where the content comes from or goes to.
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, create_default_s3_signing_config

CONCURRENT = 64


def main():
    verb, endpoint, bucket, key, local, source = sys.argv[1:]
    origin, local, source = urlsplit(endpoint), Path(local), Path(source)
    pairs = [(key, local)]
    if source.is_dir():
        pairs = [(f"{key}/{name}", local / name) for name in sorted(os.listdir(source))]
    group = EventLoopGroup()
    bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
    provider = AwsCredentialsProvider.new_environment()
    signing = create_default_s3_signing_config(region="us-east-1", credential_provider=provider)
    client = S3Client(bootstrap=bootstrap, region="us-east-1", signing_config=signing, tls_mode=S3RequestTlsMode.DISABLED)
    running = []
    for name, path in pairs:
        if len(running) >= CONCURRENT:
            running.pop(0).finished_future.result()
        running.append(start(client, verb, origin, f"/{bucket}/{quote(name)}", str(path)))
    for request in running:
        request.finished_future.result()


def start(client, verb, origin, path, local):
    headers = HttpHeaders([("Host", origin.netloc)])
    if verb == "put":
        headers.add("Content-Length", str(os.path.getsize(local)))
        headers.add("Content-Type", "application/octet-stream")
        request = HttpRequest("PUT", path, headers)
        return client.make_request(type=S3RequestType.PUT_OBJECT, request=request, send_filepath=local)
    return client.make_request(type=S3RequestType.GET_OBJECT, request=HttpRequest("GET", path, headers), recv_filepath=local)


if __name__ == "__main__":
    main()
