"""The Lambda runtime API, as little of it as a function needs, with a clock at each end of an invocation."""

import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass

PREFIX = "/2018-06-01/runtime/invocation/"
PATIENCE = 30  # seconds


class FunctionError(Exception):
    """The function reported an error, or fell silent."""


@dataclass
class Message:
    """One HTTP request that the function sent, and when its last byte was here."""

    connection: socket.socket
    method: str
    path: str
    body: bytes
    received: float


class RuntimeApi:
    """Listens on a port of its own and hands out events one at a time."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._buffers = {}
        self._waiting = None
        self._invocations = 0

    def invoke(self, event: bytes) -> tuple[bytes, float, float]:
        """The answer to `event`, and when the event left and the answer arrived."""
        while self._waiting is None:
            self._take(self._receive())
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
        left = time.perf_counter()
        waiting.sendall(head.encode() + event)
        answer = self._receive()
        if answer.method != "POST" or answer.path != f"{PREFIX}{request_id}/response":
            raise FunctionError(f"{answer.method} {answer.path}: {answer.body.decode(errors='replace')}")
        answer.connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        return answer.body, left, answer.received

    def close(self):
        for connection in [self._listener, *self._buffers]:
            connection.close()
        self._selector.close()

    def _take(self, message):
        if message.method != "GET" or message.path != f"{PREFIX}next":
            raise FunctionError(f"{message.method} {message.path}: {message.body.decode(errors='replace')}")
        self._waiting = message.connection

    def _receive(self) -> Message:
        while True:
            ready = self._selector.select(PATIENCE)
            if not ready:
                raise FunctionError(f"no word for {PATIENCE} s")
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
            raise FunctionError("the answer came in chunks")
        if len(body) < int(headers.get("content-length", 0)):
            return None
        self._buffers[connection] = b""
        method, path, _ = request_line.split(" ")
        return Message(connection, method, path, body, received)


class Function:
    """A running function, with a runtime API of its own."""

    def __init__(self, command: list[str], environment: dict[str, str], output: str = os.devnull):
        self.api = RuntimeApi()
        environment = environment | {"AWS_LAMBDA_RUNTIME_API": self.api.address}
        actions = [
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_OPEN, 2, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        ]
        self.started = time.perf_counter()
        self.pid = os.posix_spawn(command[0], command, environment, file_actions=actions)

    def first_answer(self, event: bytes) -> tuple[bytes, float]:
        """The first answer, and the seconds from the start of the process to its arrival."""
        answer, _, arrived = self.api.invoke(event)
        return answer, arrived - self.started

    def answer(self, event: bytes) -> tuple[bytes, float]:
        """An answer, and the seconds from the event to its arrival."""
        answer, left, arrived = self.api.invoke(event)
        return answer, arrived - left

    def resident_kib(self) -> int:
        """Resident memory, now."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def stop(self) -> float:
        """Ends the process; the seconds of CPU that it took."""
        os.kill(self.pid, signal.SIGKILL)
        _, _, usage = os.wait4(self.pid, 0)
        self.api.close()
        return usage.ru_utime + usage.ru_stime

    def finish(self):
        """Closes the runtime API, upon which the function ends by itself; for one that runs below another program."""
        self.api.close()
        deadline = time.monotonic() + PATIENCE
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise FunctionError("the function outlived the runtime API")
            time.sleep(0.01)
