"""A Docker daemon of its own for a suite: it pulls nothing from a registry, and leaves no trace in the network of the machine.

It needs root, and Debian's docker.io, debootstrap, iptables and iproute2. dockerd sets the FORWARD policy to DROP and leaves docker0 behind,
so `restored_network` restores both.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

# Debian's client. Another client on the machine may need plugins that are not installed.
DOCKER = "/usr/bin/docker"


def reason_to_skip(variable):
    """The reason why the suite cannot run here, or None. The suite runs only if `variable` is 1."""
    if os.environ.get(variable) != "1":
        return f"set {variable}=1"
    if os.geteuid() != 0:
        return "dockerd needs root"
    missing = [tool for tool in (DOCKER, "dockerd", "debootstrap", "iptables-save", "ip") if not shutil.which(tool)]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install docker.io debootstrap iptables iproute2)"
    if Path("/sys/class/net/docker0").exists():
        return "docker0 exists, so another dockerd runs on this machine"
    return None


def run(*command, **options):
    """Runs a command that must succeed, and returns its output."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} {command[1]}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def make_image(file, *packages, folders=()):
    """Writes a minimal Debian system with these packages and empty folders to a tar file, for `docker import`."""
    if file.exists():
        return
    # A new folder each time: a run that was killed leaves an incomplete system behind, in which /proc can be mounted.
    root = Path(tempfile.mkdtemp(prefix=f"{file.stem}-", dir=file.parent))
    root.chmod(0o755)
    included = [f"--include={','.join(packages)}"] if packages else []
    run("debootstrap", "--variant=minbase", *included, "bookworm", root)
    for name in folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    run("tar", "-C", root, "-cf", file.with_suffix(".new"), ".")
    file.with_suffix(".new").rename(file)
    shutil.rmtree(root, ignore_errors=True)


@contextmanager
def restored_network():
    """Restores firewall rules, policies, forwarding and links at the end."""
    rules = {tool: run(f"{tool}-save") for tool in ("iptables", "ip6tables") if shutil.which(f"{tool}-save") and works(f"{tool}-save")}
    switches = {path: path.read_text() for path in map(Path, ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")) if path.exists()}
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True)
        for tool, saved in rules.items():
            for table in ("filter", "nat", "raw", "mangle"):
                if f"*{table}\n" not in saved:
                    clear(tool, table)
            subprocess.run([f"{tool}-restore"], input=saved, text=True, check=True)
        if not any(line.startswith(":FORWARD") for line in rules.get("iptables", "").splitlines()):
            subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=True)
        for path, value in switches.items():
            path.write_text(value)


def works(command):
    return subprocess.run([command], capture_output=True).returncode == 0


def clear(tool, table):
    """Clears a firewall table that did not exist before."""
    if f"*{table}\n" in run(f"{tool}-save"):
        for flag in ("-F", "-X"):
            subprocess.run([tool, "-t", table, flag], capture_output=True)


@contextmanager
def dockerd(folder):
    address = f"unix://{folder}/docker.sock"
    command = [
        "dockerd", "--host", address, "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
        "--log-level", "warn",
    ]  # fmt: skip
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    os.environ["DOCKER_HOST"] = address
    try:
        for _ in range(300):
            if subprocess.run([DOCKER, "version"], capture_output=True).returncode == 0:
                break
            if process.poll() is not None:
                raise RuntimeError(f"dockerd exited: {(folder / 'dockerd.log').read_text()[-2000:]}")
            time.sleep(0.1)
        else:
            raise RuntimeError("dockerd does not respond")
        yield
    finally:
        containers = subprocess.run([DOCKER, "ps", "-aq"], capture_output=True, text=True).stdout.split()
        if containers:
            subprocess.run([DOCKER, "rm", "-f", *containers], capture_output=True)
        stop(process)
        del os.environ["DOCKER_HOST"]


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT if process.args[0] != "dockerd" else signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
