"""A proxy between Signpost and an STS. It forwards every request unchanged and records the sessions that STS returns."""

import http.client
import http.server
import re
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import signpost


@dataclass(frozen=True, repr=False)
class Session:
    """A session and the parameters of the `AssumeRole` call that created it."""

    parameters: dict
    credentials: signpost.Credentials
    expiration: str


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # a client that does not trust the certificate closes the connection


class Recorder:
    """`endpoint` is the URL of the proxy for the STS at `upstream`. It uses TLS if it has a certificate for `localhost`."""

    def __init__(self, upstream, certificate=None):
        self.sessions = []
        self._upstream = urlsplit(upstream)
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                recorder._forward(self)

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.endpoint = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def _forward(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        connection = http.client.HTTPConnection(self._upstream.hostname, self._upstream.port, timeout=20)
        # The Host header is signed, so it must not change.
        connection.putrequest("POST", request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read()
        if response.status == 200:
            self.sessions.append(_session(dict(parse_qsl(body.decode())), text.decode()))
        request.send_response(response.status)
        request.send_header("Content-Type", "text/xml")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)


def _session(parameters, text):
    def element(name):
        return re.search(f"<{name}>([^<]*)</{name}>", text)[1]

    credentials = signpost.Credentials(element("AccessKeyId"), element("SecretAccessKey"), element("SessionToken"))
    return Session(parameters, credentials, element("Expiration"))
