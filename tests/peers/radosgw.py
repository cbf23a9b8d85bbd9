"""A single-node Ceph with radosgw and its STS. It listens on loopback, stores objects in memory and keeps all state in one folder."""

import contextlib
import http.client
import json
import subprocess
import time
import uuid

from lib import processes

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
START_SECONDS = 120

CONF = """\
[global]
fsid={fsid}
mon initial members=a
mon host=[v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
public addr=127.0.0.1
cluster addr=127.0.0.1
auth cluster required=none
auth service required=none
auth client required=none
osd pool default size=1
osd pool default min size=1
osd pool default pg num=1
osd pool default pg autoscale mode=off
osd crush chooseleaf type=0
mon allow pool size one=true
mon max pg per osd=1000
run dir={folder}/run
admin socket={folder}/run/$type.$id.asok
log file={folder}/log/$type.$id.log
crash dir={folder}/log
ms bind ipv6=false
[mon]
mon data={folder}/mon
mon cluster log file={folder}/log/cluster.log
mon data avail warn=1
mon data avail crit=1
[osd]
osd data={folder}/osd
osd objectstore=memstore
memstore device bytes={store}
osd memory target=939524096
osd class load list=*
osd class default list=*
[client]
auth client required=none
ms mon client mode=crc
ms client mode=crc
rgw frontends=beast endpoint=127.0.0.1:{port}
rgw data={folder}/rgw
rgw dns name=localhost
rgw enable usage log=false
rgw s3 auth use sts=true
rgw sts key=abcdefghijklmnop
rgw sts min session duration=1
rgw thread pool size=32
"""


class Radosgw:
    """A running server. `endpoint` is its URL."""

    def __init__(self, folder, gigabytes=2):
        """`gigabytes` limits the memory for objects. Deleted objects occupy memory for hours."""
        self.folder = folder
        self.store = gigabytes << 30
        self.port = processes.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._conf = folder / "ceph.conf"
        self._running = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self._running):
            processes.stop(process, seconds=3)

    def _start(self):
        fsid = str(uuid.uuid4())
        ports = {"mon_v2": processes.free_port(), "mon_v1": processes.free_port(), "port": self.port}
        for name in ("mon", "osd", "rgw", "run", "log"):
            (self.folder / name).mkdir()
        self._conf.write_text(CONF.format(folder=self.folder, fsid=fsid, store=self.store, **ports))
        self._start_monitor(fsid, ports)
        self._start_store()
        self._spawn("radosgw", "-n", "client.rgw")
        self._wait_until_ready()
        self.admin("user", "create", "--uid=t", "--display-name=t", "--caps=roles=*",
                   f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")

    def _start_monitor(self, fsid, ports):
        monmap = self.folder / "monmap"
        address = f"[v2:127.0.0.1:{ports['mon_v2']},v1:127.0.0.1:{ports['mon_v1']}]"
        self._run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, str(monmap))
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap))
        self._spawn("ceph-mon", "-i", "a")

    def _start_store(self):
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "create", osd, "0")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        self._spawn("ceph-osd", "-i", "0")

    def _spawn(self, program, *arguments):
        log = (self.folder / "log" / f"{program}.out").open("wb")
        command = [program, "-c", str(self._conf), *arguments, "-f"]
        self._running.append(processes.start(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def _run(self, program, *arguments):
        command = [program, "-c", str(self._conf), *arguments]
        process = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
        if process.returncode:
            raise RuntimeError(f"{program} exited with {process.returncode}: {process.stderr[-2000:]}")
        return process.stdout

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for process in self._running:
                if process.poll() is not None:
                    raise RuntimeError(f"{process.args[0]} exited with {process.returncode} during startup")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/")
                connection.getresponse().read()
                return
            time.sleep(0.1)
        raise RuntimeError(f"radosgw did not respond within {START_SECONDS} seconds")

    def admin(self, *arguments):
        """Runs `radosgw-admin`. Returns the JSON that it prints, or None."""
        out = self._run("radosgw-admin", *arguments)
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(out)
        return None
