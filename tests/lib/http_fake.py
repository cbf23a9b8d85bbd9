"""The base of fake HTTP services on loopback."""

import http.server
import threading


class HttpFake:
    """A running service, as a context manager. A subclass defines `respond`. Each connection has one request, so that no request
    succeeds after the end."""

    def __init__(self):
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, headers, content = fake.respond(self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in ({"content-length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = handle_any

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def respond(self, method, path, headers, body):
        """Returns the status, the headers and the content of the response. By default, its length is that of the content."""
        raise NotImplementedError
