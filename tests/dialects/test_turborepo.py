"""turbo from npm: stored artifacts are found by another checkout, and a failure of the cache does not fail the build."""

import json

import pytest
from conftest import HERE, commit, run

MAKE = """\
const {randomBytes} = require("crypto"), fs = require("fs");
fs.mkdirSync("dist", {recursive: true});
const file = fs.openSync("dist/out.bin", "w");
for (let left = Number(fs.readFileSync("size", "utf8")); left > 0; left--) fs.writeSync(file, randomBytes(1 << 20));
"""


def repository(folder, size, **settings):
    """A workspace with a task that writes `size` MiB."""
    package = folder / "packages/a"
    package.mkdir(parents=True)
    (folder / "package.json").write_text(
        json.dumps({"name": "root", "private": True, "version": "1.0.0", "packageManager": "npm@10.0.0", "workspaces": ["packages/*"]})
    )
    locked = {"": {"name": "root", "workspaces": ["packages/*"]}, "packages/a": {"version": "1.0.0"}}
    locked["node_modules/a"] = {"resolved": "packages/a", "link": True}
    (folder / "package-lock.json").write_text(json.dumps({"name": "root", "lockfileVersion": 3, "packages": locked}))
    (folder / "turbo.json").write_text(json.dumps({"tasks": {"build": {"outputs": ["dist/**"]}}} | settings))
    (folder / ".gitignore").write_text("node_modules\ndist\n.turbo\n")
    (package / "package.json").write_text(json.dumps({"name": "a", "version": "1.0.0", "scripts": {"build": "node make.js"}}))
    (package / "make.js").write_text(MAKE)
    (package / "size").write_text(str(size))
    commit(folder)
    return folder


def build(folder, server, *options, token="secret-ci", team="acme", cache="rw", settings=None):
    turbo = HERE / "node_modules/.bin/turbo"
    settings = {"TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"} | (settings or {})
    status, output = run(
        turbo, "run", "build", f"--api={server.url}/-/turbo", f"--token={token}", f"--team={team}", f"--cache=local:,remote:{cache}",
        *options, cwd=folder, check=False, settings=settings,
    )  # fmt: skip
    return status, output


def checkout(folder, target):
    run("git", "clone", "-q", folder, target, cwd=folder.parent)
    return target


@pytest.mark.parametrize("size", [8, 300])
def test_a_second_checkout_gets_the_stored_artifact(service, tmp_path, size):
    first = repository(tmp_path / "first", size)
    status, output = build(first, service, "--preflight")
    assert status == 0 and "cache miss" in output and "WARNING  failed" not in output, output
    second = checkout(first, tmp_path / "second")
    status, output = build(second, service, "--preflight")
    assert status == 0 and "cache hit" in output, output
    stored, found = ((folder / "packages/a/dist/out.bin").read_bytes() for folder in (first, second))
    assert stored == found and len(found) == size << 20


def test_without_preflight_artifacts_are_downloaded_but_not_stored(service, tmp_path):
    first = repository(tmp_path / "first", 1)
    status, output = build(first, service, team="direct")
    assert status == 0 and "307 Temporary Redirect" in output, output
    assert build(first, service, "--preflight", team="direct")[0] == 0
    status, output = build(checkout(first, tmp_path / "second"), service, team="direct")
    assert status == 0 and "cache hit" in output, output


@pytest.mark.parametrize("options", [(), ("--preflight",)])
def test_a_build_with_a_wrong_token_succeeds_and_prints_the_reason(service, tmp_path, options):
    status, output = build(repository(tmp_path / "first", 1), service, *options, token="wrong")
    assert status == 0 and "1 successful" in output, output
    assert "Authentication failed" in output and "401 Unauthorized" in output, output


def test_a_second_upload_of_an_artifact_does_not_fail_the_build(service, tmp_path):
    first = repository(tmp_path / "first", 2)
    for _ in range(2):
        status, output = build(first, service, "--preflight", team="twice", cache="w")
        assert status == 0 and "1 successful" in output, output


def test_a_signed_artifact_is_rejected_with_the_reason(service, tmp_path):
    first = repository(tmp_path / "first", 1, remoteCache={"signature": True})
    key = {"TURBO_REMOTE_CACHE_SIGNATURE_KEY": "0123456789abcdef0123456789abcdef"}
    status, output = build(first, service, team="signed", settings=key)
    assert status == 0 and "400 Bad Request" in output, output
