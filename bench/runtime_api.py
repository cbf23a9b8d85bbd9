"""A minimal Lambda runtime API that measures the duration of each invocation."""

import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass

PREFIX = "/2018-06-01/runtime/invocation/"
TIMEOUT = 30  # seconds


class FunctionError(Exception):
    """The function reported an error or did not respond."""


@dataclass
class Message:
    """One HTTP request from the function, and the time at which its last byte arrived."""

    connection: socket.socket
    method: str
    path: str
    body: bytes
    received: float


class RuntimeApi:
    """Listens on a free port and delivers one event at a time."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._buffers = {}
        self._waiting = None
        self._invocations = 0

    def invoke(self, event: bytes) -> tuple[bytes, float, float]:
        """Returns the response to `event`, the time at which the event was sent, and the time at which the response arrived."""
        self.wait()
        waiting, self._waiting = self._waiting, None
        self._invocations += 1
        request_id = "00000000-0000-4000-8000-%012d" % self._invocations
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int(time.time() * 1000) + 10_000}\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:signpost\r\n"
            "Lambda-Runtime-Trace-Id: Root=1-6a5145a8-536f3e792f6be9b44c1f46fa;Parent=53995c3f42cd8ad8;Sampled=0\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        )
        sent = time.perf_counter()
        waiting.sendall(head.encode() + event)
        response = self._receive()
        if response.method != "POST" or response.path != f"{PREFIX}{request_id}/response":
            raise FunctionError(f"{response.method} {response.path}: {response.body.decode(errors='replace')}")
        response.connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        return response.body, sent, response.received

    def wait(self):
        """Waits until the function asks for an event."""
        while self._waiting is None:
            self._accept_next(self._receive())

    def close(self):
        for connection in [self._listener, *self._buffers]:
            connection.close()
        self._selector.close()

    def _accept_next(self, message):
        if message.method != "GET" or message.path != f"{PREFIX}next":
            raise FunctionError(f"{message.method} {message.path}: {message.body.decode(errors='replace')}")
        self._waiting = message.connection

    def _receive(self) -> Message:
        while True:
            ready = self._selector.select(TIMEOUT)
            if not ready:
                raise FunctionError(f"the function sent nothing for {TIMEOUT} s")
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif message := self._read(key.fileobj):
                    return message

    def _accept(self):
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffers[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection):
        data = connection.recv(1 << 20)
        received = time.perf_counter()
        if not data:
            self._selector.unregister(connection)
            del self._buffers[connection]
            connection.close()
            return None
        self._buffers[connection] += data
        head, found, body = self._buffers[connection].partition(b"\r\n\r\n")
        if not found:
            return None
        request_line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        if "transfer-encoding" in headers:
            raise FunctionError("the response is chunked, which this runtime API does not support")
        if len(body) < int(headers.get("content-length", 0)):
            return None
        self._buffers[connection] = b""
        method, path, _ = request_line.split(" ")
        return Message(connection, method, path, body, received)


class Function:
    """A running function with its own runtime API."""

    def __init__(self, command: list[str], environment: dict[str, str], output: str = os.devnull):
        self.api = RuntimeApi()
        environment = environment | {"AWS_LAMBDA_RUNTIME_API": self.api.address}
        actions = [
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_OPEN, 2, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        ]
        self.started = time.perf_counter()
        self.pid = os.posix_spawn(command[0], command, environment, file_actions=actions)

    def first_response(self, event: bytes) -> tuple[bytes, float]:
        """Returns the first response and the seconds from the start of the process to its arrival."""
        response, _, arrived = self.api.invoke(event)
        return response, arrived - self.started

    def invoke(self, event: bytes) -> tuple[bytes, float]:
        """Returns the response and the seconds from the event to its arrival."""
        response, sent, arrived = self.api.invoke(event)
        return response, arrived - sent

    def resident_kib(self) -> int:
        """Returns the current resident memory in KiB."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def stop(self) -> float:
        """Kills the process. Returns the CPU time in seconds that it used."""
        os.kill(self.pid, signal.SIGKILL)
        _, _, usage = os.wait4(self.pid, 0)
        self.api.close()
        return usage.ru_utime + usage.ru_stime

    def finish(self):
        """Closes the runtime API, so that the function exits. Use it if the function is a child of another program."""
        self.api.close()
        deadline = time.monotonic() + TIMEOUT
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise FunctionError("the function did not exit after the runtime API had closed")
            time.sleep(0.01)
