"""Runs a command that prompts in a terminal, and confirms every prompt as a user would."""

import os
import pty
import re
import select
import subprocess
import time

SECONDS = 300
COLOR = re.compile(r"\x1b\[[\d;]*m")
# A prompt shows its default in brackets. The prompt for a secret parameter accepts no default, and no empty value.
PROMPT = re.compile(r"(\]|Parameter \w+): \Z")
NO_DEFAULT = re.compile(r"Parameter \w+: \Z")


def answer_prompts(command, folder, environment):
    """Accepts each default, enters - for secrets, and answers questions whose default is no with yes. Returns the exit status and the output."""
    terminal, child_side = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=environment | {"TERM": "dumb", "COLUMNS": "200"}, stdin=child_side, stdout=child_side, stderr=child_side,
        start_new_session=True,
    )  # fmt: skip
    os.close(child_side)
    output, deadline, answered = "", time.monotonic() + SECONDS, 0
    try:
        while process.poll() is None and time.monotonic() < deadline:
            output += read_available(terminal)
            if len(output) > answered and PROMPT.search(output):
                os.write(terminal, answer(output))
                answered = len(output)
        output += read_available(terminal)
    finally:
        if process.poll() is None:
            process.kill()
        os.close(terminal)
    return process.wait(), output


def answer(output):
    if NO_DEFAULT.search(output):
        return b"-\n"
    return b"y\n" if output.rstrip().endswith("[y/N]:") else b"\n"


def read_available(terminal):
    """The output of the next 0.2 seconds."""
    text = b""
    while select.select([terminal], [], [], 0.2)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux reports the end of a terminal as an error
            break
        if not chunk:
            break
        text += chunk
    return COLOR.sub("", text.decode(errors="replace")).replace("\r", "")
