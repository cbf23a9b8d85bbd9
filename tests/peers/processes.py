"""Child processes that end with the test run, even if it is killed."""

import contextlib
import ctypes
import signal
import socket
import subprocess

PR_SET_PDEATHSIG = 1


def free_port():
    """Returns a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    """Starts `command` as a child process. The kernel kills it if this process dies."""
    return subprocess.Popen(command, preexec_fn=_die_with_parent, **options)


def stop(process, seconds=10):
    """Terminates a child process, kills it after `seconds`, and waits for it."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if process.poll() is None:
        process.kill()
        process.wait()
