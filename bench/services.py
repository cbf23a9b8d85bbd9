#!/usr/bin/env python3
"""STS, DynamoDB and S3 with TLS for bench/deployment. Each response is delayed; connections and requests are counted.

    bench/services.py CERTIFICATE KEY DELAY_MS      prints its port, and then serves until its standard input closes

GET /counts returns the counts as JSON and resets them.
"""

import json
import socket
import ssl
import sys
import threading
import time
from email.utils import formatdate

OBJECTS = 100
SESSION = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>
<AssumedRoleId>AROAEXAMPLE:signpost</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/signer/signpost</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>example-session-secret</SecretAccessKey>
<SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"""
LISTING = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>example-bucket</Name>'
    "<Prefix>docs/</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>false</IsTruncated>"
    "{contents}</ListBucketResult>"
)
CONTENT = (
    "<Contents><Key>docs/report-{number:04}.pdf</Key><LastModified>2026-07-10T19:19:04.000Z</LastModified>"
    '<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{number}</Size><StorageClass>STANDARD</StorageClass></Contents>'
)


class Services:
    def __init__(self, certificate, key, delay):
        self.delay = delay
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.lock = threading.Lock()
        self.counts = {"connections": 0, "requests": 0}
        contents = "".join(CONTENT.format(number=number) for number in range(OBJECTS))
        self.listing = LISTING.format(count=OBJECTS, contents=contents)

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve_connection, args=(connection,), daemon=True).start()

    def serve_connection(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            # An HTTP client without TLS requests the counts.
            if connection.recv(1, socket.MSG_PEEK) == b"G":
                self.respond_with_counts(connection)
                return
            self.count("connections")
            stream = self.context.wrap_socket(connection, server_side=True)
            while request := read_request(stream):
                self.count("requests")
                time.sleep(self.delay)
                stream.sendall(self.response(*request))
        except OSError:
            pass
        finally:
            connection.close()

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def respond_with_counts(self, connection):
        connection.recv(4096)
        with self.lock:
            body, self.counts = json.dumps(self.counts).encode(), {"connections": 0, "requests": 0}
        connection.sendall(head(body) + body)

    def response(self, head_text, body):
        if "x-amz-target: dynamodb" in head_text:
            ulid = {"S": "01K0000000000000000000000A"}
            keys = [key for table in json.loads(body).get("RequestItems", {}).values() for key in table["Keys"]]
            items = [{"id": key["id"], "ulid": ulid} for key in keys]
            content = json.dumps({"Responses": {"table": items}})
        elif head_text.startswith("post"):
            expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            content = SESSION.format(token="IQoJb3JpZ2luX2VjEXAMPLE" * 16, expiration=expiration)
        else:
            content = self.listing
        content = content.encode()
        return head(content) + content


def head(body):
    return f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n".encode()


def read_request(stream):
    """Returns the head in lower case and the body, or None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(65536)
        if not more:
            return None
        data += more
    head_text, _, body = data.partition(b"\r\n\r\n")
    head_text = head_text.decode().lower()
    length = next((int(line.split(":")[1]) for line in head_text.split("\r\n") if line.startswith("content-length:")), 0)
    while len(body) < length:
        body += stream.recv(65536)
    return head_text, body


def main():
    certificate, key, delay = sys.argv[1:]
    services = Services(certificate, key, float(delay) / 1000)
    print(services.listener.getsockname()[1], flush=True)
    threading.Thread(target=services.serve, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
