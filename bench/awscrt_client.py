"""Uploads or downloads with the S3 client of awscrt, the client in C of AWS's SDKs, with its default settings.

    awscrt_client.py put|get ENDPOINT REGION PATH SOURCE LOCAL

PATH is the bucket and the key. If SOURCE is a folder, all its files are transferred at the same time: from SOURCE, or to LOCAL. Prints the
seconds that the transfer took, without the start of Python.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, create_default_s3_signing_config


def main():
    verb, endpoint, region, path, source, local = sys.argv[1:]
    host = urlsplit(endpoint).netloc
    began = time.monotonic()
    client = new_client(region)
    folder = Path(source)
    names = sorted(os.listdir(source)) if folder.is_dir() else [None]
    requests = []
    for name in names:
        target, file = (path, folder) if name is None else (f"{path}/{name}", folder / name)
        if verb == "put":
            requests.append(upload(client, host, target, file))
        else:
            requests.append(download(client, host, target, local if name is None else f"{local}/{name}"))
    for request in requests:
        request.finished_future.result()
    print(time.monotonic() - began)


def new_client(region):
    loops = EventLoopGroup()
    bootstrap = ClientBootstrap(loops, DefaultHostResolver(loops))
    credentials = AwsCredentialsProvider.new_environment()
    signing = create_default_s3_signing_config(region=region, credential_provider=credentials)
    return S3Client(bootstrap=bootstrap, region=region, signing_config=signing, tls_mode=S3RequestTlsMode.DISABLED)


def upload(client, host, target, file):
    headers = HttpHeaders([("host", host), ("content-length", str(file.stat().st_size)), ("content-type", "application/octet-stream")])
    request = HttpRequest("PUT", target, headers)
    return client.make_request(type=S3RequestType.PUT_OBJECT, request=request, send_filepath=str(file))


def download(client, host, target, file):
    request = HttpRequest("GET", target, HttpHeaders([("host", host)]))
    return client.make_request(type=S3RequestType.GET_OBJECT, request=request, recv_filepath=file)


if __name__ == "__main__":
    main()
