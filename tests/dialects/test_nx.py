"""nx from npm: miss, store and hit, and what happens if the cache cannot store or does not respond."""

import json

import pytest
from conftest import HERE, commit, run

MAKE = """\
const {randomBytes} = require("crypto"), fs = require("fs");
fs.mkdirSync("dist", {recursive: true});
fs.writeFileSync("dist/out.bin", randomBytes(Number(fs.readFileSync("size", "utf8")) << 20));
"""


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    package = folder / "packages/a"
    package.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "root", "private": True, "workspaces": ["packages/*"]}))
    (folder / "nx.json").write_text(json.dumps({"neverConnectToCloud": True, "analytics": False}))
    (folder / ".gitignore").write_text("node_modules\ndist\n.nx\n")
    target = {"command": "node make.js", "options": {"cwd": "packages/a"}, "outputs": ["{projectRoot}/dist"], "cache": True}
    (package / "package.json").write_text(json.dumps({"name": "a", "version": "1.0.0", "nx": {"targets": {"build": target}}}))
    (package / "make.js").write_text(MAKE)
    commit(folder)
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    return folder


def build(workspace, url, size, token="secret-ci"):
    (workspace / "packages/a/size").write_text(str(size))
    settings = {"NX_DAEMON": "false", "NX_NO_CLOUD": "true", "NX_SELF_HOSTED_REMOTE_CACHE_SERVER": url}
    if token:
        settings["NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN"] = token
    return run("node_modules/.bin/nx", "run", "a:build", cwd=workspace, check=False, settings=settings)


def forget(workspace):
    """Removes the outputs and the local cache, like a new checkout."""
    run("rm", "-rf", ".nx", "packages/a/dist", cwd=workspace)


def test_a_new_checkout_gets_the_stored_artifact(service, workspace):
    status, output = build(workspace, f"{service.url}/-/nx", 3)
    assert status == 0 and "0/1 hit" in output, output
    stored = (workspace / "packages/a/dist/out.bin").read_bytes()
    forget(workspace)
    status, output = build(workspace, f"{service.url}/-/nx", 3)
    assert status == 0 and "1/1 hit" in output, output
    assert (workspace / "packages/a/dist/out.bin").read_bytes() == stored


def test_an_artifact_above_the_limit_of_the_front_fails_the_task(service, workspace):
    status, output = build(workspace, f"{service.url}/-/nx", 6)
    assert status != 0 and "413" in output, output


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_missing_or_wrong_token_is_reported(service, workspace, token):
    status, output = build(workspace, f"{service.url}/-/nx", 1, token)
    assert status != 0 and "Misconfigured" not in output, output
    assert "credential" in output or "Unauthorized" in output or "401" in output, output


def test_nx_reports_a_cache_that_is_down(workspace):
    status, output = build(workspace, "http://127.0.0.1:9/-/nx", 1)
    assert status != 0 and "Failed to send request" in output, output
