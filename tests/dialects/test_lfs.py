"""git-lfs: push, clone, fetch and locks, with Debian's version and the newest one, and the transfer agent `signpost lfs`."""

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import COMMAND, HERE, RULES, run
from lib.local_server import LocalServer

NEWEST = HERE / ".venv/newest-git-lfs/git_lfs/bin"
BIG_MIB = int(os.environ.get("LFS_BIG_MIB", "300"))


@pytest.fixture(params=["debian", "newest"])
def lfs(request):
    """The PATH with one version of git-lfs in front."""
    if request.param == "debian":
        return os.environ["PATH"]
    if not (NEWEST / "git-lfs").exists():
        pytest.skip("the newest git-lfs is not available")
    return f"{NEWEST}:{os.environ['PATH']}"


class Repository:
    """A repository whose git-lfs uses the server, with a user of its own, and an empty home folder."""

    def __init__(self, folder, server, path, repository="game", token="ci:secret-ci", *, clone_of=None):
        self.folder, self.server, self.home = Path(folder), server, Path(str(folder) + ".home")
        self.home.mkdir()
        self.settings = {"PATH": path, "HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state")}
        host = server.url.split("://")[1]
        (self.home / ".git-credentials").write_text(f"http://{token}@{host}\n")
        lines = ["[user]", "email = a@example.com", "name = a", "[credential]", "helper = store", "[protocol \"file\"]", "allow = always"]
        (self.home / ".gitconfig").write_text("\n".join(lines) + "\n")
        self.url = f"{server.url}/-/lfs/{repository}"
        self.run("git", "config", "--global", "lfs.url", self.url, cwd=self.home)
        self.run("git", "lfs", "install", "--skip-repo", cwd=self.home)
        if clone_of is None:
            self.folder.mkdir()
            (self.folder / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
            self.run("git", "init", "-q", "-b", "main", ".")
            self.remote = Path(str(folder) + ".git")
            self.run("git", "init", "-q", "--bare", self.remote)
            self.run("git", "remote", "add", "origin", self.remote)
        else:
            self.remote = clone_of.remote

    def run(self, *command, cwd=None, check=True, seconds=600 + BIG_MIB):
        return run(*command, cwd=cwd or self.folder, check=check, settings=self.settings, seconds=seconds)

    def clone(self):
        return self.run("git", "clone", "-q", "-b", "main", self.remote, self.folder, cwd=self.home)

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "change")

    def push(self, check=True):
        return self.run("git", "push", "origin", "HEAD:main", check=check)

    def use_agent(self, *arguments):
        set_global = ("git", "config", "--global")
        self.run(*set_global, "lfs.customtransfer.signpost.path", COMMAND, cwd=self.home)
        self.run(*set_global, "lfs.customtransfer.signpost.args", " ".join(["lfs", *arguments]), cwd=self.home)


def hash_file(file):
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest(folder):
    return {file.name: hash_file(file) for file in Path(folder).glob("*.bin")}


def fill(file, mib):
    """Writes random bytes."""
    with open(file, "wb") as out:
        for _ in range(mib):
            out.write(os.urandom(1 << 20))


def test_pushed_files_arrive_in_a_clone_and_are_not_sent_again(service, tmp_path, lfs):
    first = Repository(tmp_path / "first", service, lfs, "team/many")
    for number in range(100):
        fill(first.folder / f"{number}.bin", 1 if number == 0 else 0)
        (first.folder / f"{number}.bin").open("ab").write(os.urandom(1000))
    fill(first.folder / "big.bin", 200)
    first.commit()
    first.push()
    second = Repository(tmp_path / "second", service, lfs, "team/many", clone_of=first)
    second.clone()
    assert digest(second.folder) == digest(first.folder) and len(digest(second.folder)) == 101
    _, output = first.run("git", "lfs", "push", "--all", "origin")
    assert "error" not in output.lower(), output


def request(url, body, token="ci:secret-ci"):
    headers = {"accept": "application/vnd.git-lfs+json", "content-type": "application/vnd.git-lfs+json"}
    headers["authorization"] = "Basic " + base64.b64encode(token.encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("change", ["bytes", "length", "digest"])
def test_s3_rejects_a_tampered_file(service, change):
    content = os.urandom(1000)
    oid = hashlib.sha256(content).hexdigest()
    _, batch = request(
        f"{service.url}/-/lfs/tampered/objects/batch", {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}
    )
    action = batch["objects"][0]["actions"]["upload"]
    sent = {"bytes": content[:-1] + bytes([content[-1] ^ 1]), "length": content + b"x", "digest": content}[change]
    headers = action["header"] | ({"x-amz-checksum-sha256": "A" * 43 + "="} if change == "digest" else {})
    put = urllib.request.Request(action["href"], sent, headers, method="PUT")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(put)
    assert error.value.code in (400, 403), error.value.read()
    stored = urllib.request.Request(action["href"], content, action["header"], method="PUT")
    assert urllib.request.urlopen(stored).status == 200


def test_two_users_lock_and_unlock(service, tmp_path, lfs):
    ann = Repository(tmp_path / "ann", service, lfs)
    (ann.folder / "hero.bin").write_bytes(os.urandom(100))
    ann.commit()
    ann.push()
    bob = Repository(tmp_path / "bob", service, lfs, token="bob:secret-bob", clone_of=ann)
    bob.clone()
    assert "Locked hero.bin" in ann.run("git", "lfs", "lock", "hero.bin")[1]
    status, output = bob.run("git", "lfs", "lock", "hero.bin", check=False)
    assert status != 0 and "locked already" in output, output
    assert "ci" in bob.run("git", "lfs", "locks")[1]
    (bob.folder / "hero.bin").chmod(0o644)
    (bob.folder / "hero.bin").write_bytes(os.urandom(100))
    bob.commit()
    bob.run("git", "config", f"lfs.{bob.url}.locksverify", "true")
    status, output = bob.push(check=False)
    assert status != 0 and "Unable to push locked files" in output, output
    status, output = bob.run("git", "lfs", "unlock", "--force", "hero.bin", check=False)
    assert status != 0, output
    assert "Unlocked hero.bin" in ann.run("git", "lfs", "unlock", "hero.bin")[1]
    bob.push()
    assert "Locked hero.bin" in bob.run("git", "lfs", "lock", "hero.bin")[1]
    assert "Unlocked" in ann.run("git", "lfs", "unlock", "--force", "hero.bin")[1]
    assert ann.run("git", "lfs", "locks")[1].strip() == ""


def test_one_of_50_concurrent_requests_locks_a_path(service):
    url = f"{service.url}/-/lfs/game/locks"
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda _: request(url, {"path": "contended"})[0], range(50)))
    assert sorted(results) == [201] + [409] * 49


def test_a_bearer_token_works(server, tmp_path):
    first = Repository(tmp_path / "first", server, os.environ["PATH"], "bearer", token="none:none")
    (first.home / ".git-credentials").unlink()
    first.run("git", "config", "--global", f"http.{server.url}/-/lfs/.extraHeader", "Authorization: Bearer secret-ci", cwd=first.home)
    (first.folder / "a.bin").write_bytes(os.urandom(100))
    first.commit()
    first.push()


def test_a_wrong_credential_fails(server, tmp_path, lfs):
    first = Repository(tmp_path / "first", server, lfs, "wrong", token="ci:wrong")
    (first.folder / "a.bin").write_bytes(os.urandom(100))
    first.commit()
    status, output = first.push(check=False)
    assert status != 0, output


@pytest.mark.parametrize("standalone", [False, True])
def test_the_agent_transfers_files(server, tmp_path, lfs, standalone):
    name = f"agent-{standalone}-{abs(hash(lfs))}".lower()
    arguments = [f"{server.url}/lfs/{name}/"] if standalone else []

    def prepare(repository):
        repository.use_agent(*arguments)
        if standalone:
            repository.run("git", "config", "--global", "lfs.standalonetransferagent", "signpost", cwd=repository.home)

    first = Repository(tmp_path / "first", server, lfs, name)
    prepare(first)
    for number in range(5):
        (first.folder / f"{number}.bin").write_bytes(os.urandom(10_000))
    fill(first.folder / "big.bin", 100)
    first.commit()
    first.push()
    second = Repository(tmp_path / "second", server, lfs, name, clone_of=first)
    prepare(second)
    second.clone()
    assert digest(second.folder) == digest(first.folder)


def agents(root):
    """The transfer agents that work below this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if command[0] == str(COMMAND).encode() and command[1] == b"lfs" and os.readlink(process / "cwd").startswith(str(root)):
                found.append(int(process.name))
        except (OSError, IndexError):
            continue
    return found


def stored_bytes(folder):
    """The space that the files below a folder occupy."""
    total = 0
    for file in Path(folder).rglob("*"):
        with contextlib.suppress(OSError):
            total += file.stat().st_blocks * 512
    return total


def killed(repository, command, folder, size):
    """Starts a command, and kills it and its agent when the files below a folder occupy this space. Returns true if the agent was running."""
    environment = os.environ | repository.settings | {"GIT_TERMINAL_PROMPT": "0"}
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=repository.folder, env=environment, start_new_session=True, **silent) as process:
        while stored_bytes(folder) < size and process.poll() is None:
            time.sleep(0.02)
        running = agents(repository.folder.parent)
        for agent in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent, signal.SIGKILL)
        # Without its agent, git-lfs waits for a minute before it ends.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return bool(running)


def killed_three_times(repository, command, folder):
    """Kills a transfer of the large file after each quarter. Each attempt must resume, so that it reaches the next quarter."""
    before = stored_bytes(folder)
    return [killed(repository, command, folder, before + (BIG_MIB << 20) * quarter // 4) for quarter in (1, 2, 3)]


def test_a_large_file_survives_three_kills_in_each_direction(tmp_path):
    """LFS_BIG_MIB=6144 tests an object that is larger than S3 accepts in one request, and needs 18 GB of disk space."""
    path, name = os.environ["PATH"], "large"
    data = tmp_path / "signpost/data"
    with LocalServer(tmp_path / "signpost", RULES, "--s3-listen", "127.0.0.1:0", "--data", data) as server:
        first = Repository(tmp_path / "first", server, path, name)
        first.use_agent()
        fill(first.folder / "big.bin", BIG_MIB)
        first.commit()
        expected = digest(first.folder)
        (first.folder / "big.bin").unlink()
        assert killed_three_times(first, ["git", "push", "origin", "HEAD:main"], data) == [True, True, True]
        first.push()
        shutil.rmtree(first.folder / ".git/lfs")
        second = Repository(tmp_path / "second", server, path, name, clone_of=first)
        second.use_agent()
        second.run("git", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false",
                   "clone", "-q", "-b", "main", second.remote, second.folder, cwd=second.home)  # fmt: skip
        downloads = second.folder / ".git/lfs/signpost"
        assert killed_three_times(second, ["git", "lfs", "pull"], downloads) == [True, True, True]
        second.run("git", "lfs", "pull")
        assert digest(second.folder) == expected
    shutil.rmtree(second.folder)
    shutil.rmtree(data)
