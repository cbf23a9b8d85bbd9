"""The example client of the AWS SDK for Go, built from Debian's source as it is, gets and puts through `/-/presign/`."""

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
    """Runs it: `client(site, arguments, stdin)`. Its server is Signpost's reserved segment."""
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


def test_the_source_is_debians_own():
    source = pathlib.Path(GOPATH, "src", CLIENT, "client.go")
    told = subprocess.run(["dpkg", "-S", source], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("golang-github-aws-aws-sdk-go-dev:")
    verified = subprocess.run(["dpkg", "--verify", "golang-github-aws-aws-sdk-go-dev"], capture_output=True, text=True)
    assert str(source) not in verified.stdout, "it has been changed"


@pytest.mark.parametrize("length", [1, 4096, 5_000_001])
def test_it_puts_and_gets_a_file(site, client, key, length, tmp_path):
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(length))
    put = client(site, "-put", key, "-f", sent)
    assert (put.returncode, put.stderr) == (0, b"")
    assert site.stored(key) == sent.read_bytes()
    get = client(site, "-get", key, "-f", got)
    assert (get.returncode, get.stderr) == (0, b"")
    assert got.read_bytes() == sent.read_bytes()


@pytest.mark.parametrize("key", ["go/spaces and+more", "go/\u00e9\u65e5\U0001f600", "go//twice/", "go/100&=;,~!'()*"])
def test_it_puts_and_gets_by_standard_input_and_output(site, client, key):
    content = os.urandom(70_000)
    put = client(site, "-put", key, stdin=content)
    assert (put.returncode, put.stderr) == (0, b"")
    get = client(site, "-get", key)
    assert (get.returncode, get.stdout) == (0, content)


def test_the_length_that_it_declares_is_signed(site, client, key):
    """What it says to Signpost is what S3 holds it to: a file that grows in between is refused."""
    answer = site.ask("GET", "", path=f"/-/presign/{key}", query="method=PUT&contentLength=5")
    assert answer.status == 200
    told = json.loads(answer.body)
    assert (told["Method"], told["Header"]["Content-Length"]) == ("PUT", ["5"])
    assert wire.send("PUT", told["URL"], body=b"sixsix").status == 403
    assert site.stored(key) is None
    assert wire.send("PUT", told["URL"], body=b"five5").status == 200


def test_it_says_so_when_nothing_is_there(site, client, key):
    get = client(site, "-get", key)
    assert get.returncode == 1
    assert b"404" in get.stderr


def test_an_empty_file_has_no_length_to_it_and_s3_refuses_that(site, client, key, tmp_path):
    """Go sends a body of unknown length in chunks; so it was with the example's own server."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    put = client(site, "-put", key, "-f", empty)
    assert (put.returncode, site.stored(key)) in [(1, None), (0, b"")]


def test_it_is_refused_where_the_rules_refuse(server, client, key):
    site = server.site(signpost.rules(more="max_bytes = 1000"))
    assert client(site, "-put", key, stdin=b"x" * 1001).returncode == 1
    assert client(site, "-put", key, stdin=b"x" * 1000).returncode == 0
    assert site.stored(key) == b"x" * 1000
    closed = server.site('version = 1\n[[rule]]\nid = "r"\nwho = ["anyone"]\ncan = ["read"]\non = ["open/**"]\n')
    put = client(closed, "-put", key, stdin=b"x")
    assert put.returncode == 1
    assert b"40" in put.stderr
