"""nginx as a caching forward proxy with the URL as cache key."""

import pathlib
import socket
import time

from lib import processes

CONFIGURATION = """\
daemon off;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=signed:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://$http_host$request_uri;
            proxy_set_header Host $http_host;
            proxy_cache signed;
            proxy_cache_key $http_host$request_uri;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""


class Nginx:
    """A running nginx. `proxy` is the address for `curl --proxy`."""

    def __init__(self, folder: pathlib.Path):
        port = processes.free_port()
        path = folder / "nginx.conf"
        path.write_text(CONFIGURATION.format(folder=folder, port=port))
        self.proxy = f"http://127.0.0.1:{port}"
        self._process = processes.start(["/usr/sbin/nginx", "-e", str(folder / "error.log"), "-c", str(path)])
        self._wait_until_ready(port)

    def _wait_until_ready(self, port):
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError("nginx did not start")

    def stop(self):
        processes.stop(self._process)
