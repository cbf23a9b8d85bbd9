"""The example client of the AWS SDK for Go downloads and uploads through `/-/presign/`. It is built from Debian's unchanged source."""

import json
import os
import pathlib
import subprocess

import pytest

import servers
import signpost
import wire

GOPATH = "/usr/share/gocode"
CLIENT = "github.com/aws/aws-sdk-go/example/service/s3/presignURL/client"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Runs the client: `client(site, arguments, stdin)`. It uses the reserved segment `/-` of Signpost as its server."""
    binary = tmp_path_factory.mktemp("go") / "client"
    environment = os.environ | {"GOPATH": GOPATH, "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(binary.parent / "cache")}
    subprocess.run(["go", "build", "-tags", "example", "-o", binary, CLIENT], env=environment, check=True, timeout=300)

    def run(site, *arguments, stdin=b""):
        command = [binary, "-s", f"{site.signpost.url}/-", *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=60)

    return run


@pytest.fixture
def key():
    return servers.fresh_key("go/client")


def test_the_source_is_the_unchanged_debian_package():
    source = pathlib.Path(GOPATH, "src", CLIENT, "client.go")
    owner = subprocess.run(["dpkg", "-S", source], capture_output=True, text=True, check=True)
    assert owner.stdout.startswith("golang-github-aws-aws-sdk-go-dev:")
    verified = subprocess.run(["dpkg", "--verify", "golang-github-aws-aws-sdk-go-dev"], capture_output=True, text=True)
    assert str(source) not in verified.stdout, "the source differs from the package"


@pytest.mark.parametrize("length", [1, 4096, 5_000_001])
def test_it_uploads_and_downloads_a_file(site, client, key, length, tmp_path):
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(length))
    put = client(site, "-put", key, "-f", sent)
    assert (put.returncode, put.stderr) == (0, b"")
    assert site.stored(key) == sent.read_bytes()
    get = client(site, "-get", key, "-f", got)
    assert (get.returncode, get.stderr) == (0, b"")
    assert got.read_bytes() == sent.read_bytes()


@pytest.mark.parametrize("key", ["go/spaces and+more", "go/\u00e9\u65e5\U0001f600", "go//twice/", "go/100&=;,~!'()*"])
def test_it_uploads_from_standard_input_and_downloads_to_standard_output(site, client, key):
    content = os.urandom(70_000)
    put = client(site, "-put", key, stdin=content)
    assert (put.returncode, put.stderr) == (0, b"")
    get = client(site, "-get", key)
    assert (get.returncode, get.stdout) == (0, content)


def test_the_declared_length_is_signed(site, client, key):
    """S3 rejects a file that has grown since the client declared its length."""
    response = site.request("GET", "", path=f"/-/presign/{key}", query="method=PUT&contentLength=5")
    assert response.status == 200
    instruction = json.loads(response.body)
    assert (instruction["Method"], instruction["Header"]["Content-Length"]) == ("PUT", ["5"])
    assert wire.send("PUT", instruction["URL"], body=b"sixsix").status == 403
    assert site.stored(key) is None
    assert wire.send("PUT", instruction["URL"], body=b"five5").status == 200


def test_a_missing_object_is_an_error(site, client, key):
    get = client(site, "-get", key)
    assert get.returncode == 1
    assert b"404" in get.stderr


def test_s3_rejects_an_empty_file_without_a_length(site, client, key, tmp_path):
    """Go sends a body of unknown length in chunks. The server of the example has the same limitation."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    put = client(site, "-put", key, "-f", empty)
    assert (put.returncode, site.stored(key)) in [(1, None), (0, b"")]


def test_uploads_against_the_rules_are_rejected(server, client, key):
    site = server.site(signpost.rules(more="max_bytes = 1000"))
    assert client(site, "-put", key, stdin=b"x" * 1001).returncode == 1
    assert client(site, "-put", key, stdin=b"x" * 1000).returncode == 0
    assert site.stored(key) == b"x" * 1000
    closed = server.site('version = 1\n[[rule]]\nid = "r"\nwho = ["anyone"]\ncan = ["read"]\non = ["open/**"]\n')
    put = client(closed, "-put", key, stdin=b"x")
    assert put.returncode == 1
    assert b"40" in put.stderr
