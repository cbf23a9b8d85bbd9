"""Child processes, their ports and their environment."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1


def free_port():
    """A loopback port on which nothing listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts_connections(port):
    """True if a process listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def clean_environment(settings=None):
    """The environment of this process without any AWS or Signpost variables, plus `settings`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SIGNPOST_"))}
    return inherited | (settings or {})


def start(command, **options):
    """Starts `command` as a child process, which the kernel kills if this process dies."""
    return subprocess.Popen([str(part) for part in command], preexec_fn=_die_with_parent, **options)


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def stop(process, seconds=10):
    """Terminates a child process, kills it after `seconds`, and waits until it has ended."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if process.poll() is None:
        process.kill()
        process.wait()


def stop_group(process, seconds=10):
    """Like `stop`, for a process that was started in a session of its own, together with its children."""
    for number, limit in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(limit)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def wait_until(condition, process, seconds, interval=0.02):
    """Polls until `condition()` is true. Returns False if the process ends first or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
