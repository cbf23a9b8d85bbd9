"""Programs that read a listing as an index, without settings: pip, uv, wget, rclone, lftp, aria2c and curl."""

import os
import re
import shutil
import sys
import zipfile
from urllib.parse import quote

import pytest

from conftest import files_below, need
from lib.local_server import LocalServer
from storage import Storage

RULES = """\
version = 1

[[rule]]
id = "public"
who = ["anyone"]
can = ["read", "list", "write"]
on = ["**"]
allow_anonymous_write = true
"""
# A question mark, a number sign, a colon, a percent sign, a plus sign, two slashes, a leading space and other languages.
ODD_NAMES = ["a b+c.txt", "é🦀.txt", "50%.txt", "a:b.txt", "a#b.txt", "a?b.txt", " leading.txt", "-dash.txt", "quote'\"&<x>.txt"]
TREE = {f"tree/{name}": name.encode() for name in ["one.txt", "sub/two.txt", "sub/deep/three.txt", *(f"odd/{odd}" for odd in ODD_NAMES)]}
# More than one page of S3, and more than Signpost lists at once.
MANY = {f"many/{number:05}": b"%d" % number for number in range(1200)}
TOO_MANY = {f"endless/{number:05}": b"" for number in range(10_001)}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    with LocalServer(folder, RULES, "--s3-listen", "127.0.0.1:0", "--data", folder / "data") as server:
        site = Storage(server.url)
        site.store(TREE | MANY | TOO_MANY | wheels(folder))
        yield site


def wheels(folder):
    """Two versions of a package without dependencies."""
    found = {}
    for version in ("1.0", "1.1"):
        path = folder / f"indexed-{version}-py3-none-any.whl"
        info = f"indexed-{version}.dist-info"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("indexed.py", f"VERSION = '{version}'\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: indexed\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        found[f"wheels/{path.name}"] = path.read_bytes()
    return found


def below(prefix, files=TREE):
    return {key.removeprefix(prefix): body for key, body in files.items() if key.startswith(prefix)}


def test_pip_finds_packages_with_find_links(site, run, tmp_path):
    options = ["--no-index", "--disable-pip-version-check", "--trusted-host", "127.0.0.1"]
    result = run(sys.executable, "-m", "pip", "download", *options, "--find-links", f"{site.url}/wheels/", "--dest", "found", "indexed")
    assert result.returncode == 0, result.stderr
    assert list(files_below(tmp_path / "found")) == ["indexed-1.1-py3-none-any.whl"]


def test_uv_finds_packages_with_find_links(site, run, tmp_path):
    result = run(shutil.which("uv", path=os.path.dirname(sys.executable)), "pip", "install", "--no-index", "--target", "found", "--find-links", f"{site.url}/wheels/", "--python", sys.executable, "indexed")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "found/indexed.py").read_text() == "VERSION = '1.1'\n"


def test_wget_mirrors_a_tree_and_nothing_else(site, run, tmp_path):
    result = run("wget", "-r", "-np", "-nH", "-l", "inf", "--restrict-file-names=nocontrol", f"{site.url}/tree/")
    assert result.returncode in (0, 8), result.stderr  # 8: there is no robots.txt
    found = {name: body for name, body in files_below(tmp_path / "tree").items() if not name.endswith("index.html")}
    assert found == below("tree/")
    assert not (tmp_path / "-").exists() and set(os.listdir(tmp_path)) - {"home", "tree", "robots.txt"} == set()


def test_wget_at_the_root_downloads_each_object_once(site, run, tmp_path):
    result = run("wget", "-r", "-nH", "-l", "2", "-X", "/many,/endless", f"{site.url}/")
    assert result.returncode in (0, 8), result.stderr
    requested = re.findall(r"^--.*--  (http\S+)$", result.stderr, re.MULTILINE)
    ours = [url for url in requested if url.startswith(site.url)]
    assert len(ours) == len(set(ours)) and not any("?" in url for url in ours), ours


def test_rclone_copies_and_checks_a_tree(site, run, tmp_path):
    need("rclone")
    remote = ["--http-url", f"{site.url}/tree/", ":http:"]
    result = run("rclone", "copy", *remote, "found")
    assert result.returncode == 0, result.stderr
    assert files_below(tmp_path / "found") == below("tree/")
    listed = run("rclone", "lsf", "-R", "--files-only", *remote)
    assert set(listed.stdout.splitlines()) == set(below("tree/"))


def test_rclone_sync_deletes_only_what_is_gone(site, run, tmp_path):
    """A listing that rclone reads as an incomplete folder would delete the local files."""
    need("rclone")
    folder = tmp_path / "found"
    folder.mkdir()
    for name, body in below("many/", MANY).items():
        (folder / name).write_bytes(body)
    (folder / "obsolete").write_bytes(b"x")
    result = run("rclone", "sync", "--http-no-head", "--ignore-existing", "--http-url", f"{site.url}/many/", ":http:", "found")
    assert result.returncode == 0, result.stderr
    assert files_below(folder) == below("many/", MANY)


def test_rclone_sync_of_a_listing_that_is_too_long_deletes_nothing(site, run, tmp_path):
    need("rclone")
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "local").write_bytes(b"x")
    result = run("rclone", "sync", "--retries", "1", "--http-url", f"{site.url}/endless/", ":http:", "found")
    assert result.returncode != 0
    assert files_below(folder) == {"local": b"x"}


def test_lftp_mirrors_a_tree(site, run, tmp_path):
    need("lftp")
    result = run("lftp", "-c", f"set cmd:fail-exit yes; open {site.url}/tree/; mirror . found")
    assert result.returncode == 0, result.stderr
    assert files_below(tmp_path / "found") == below("tree/")
    listed = run("lftp", "-c", f"open {site.url}/tree/; cls -1")
    assert {line.strip("/") for line in listed.stdout.splitlines()} == {"odd", "one.txt", "sub"}


def test_lftp_reports_a_listing_that_is_too_long(site, run, tmp_path):
    need("lftp")
    result = run("lftp", "-c", f"set net:max-retries 2; set cmd:fail-exit yes; open {site.url}; mirror endless found")
    assert result.returncode != 0
    assert not (tmp_path / "found").exists() or not os.listdir(tmp_path / "found")


def test_aria2_downloads_the_links_of_a_list(site, run, tmp_path):
    need("aria2c")
    names = run("curl", "-fsS", f"{site.url}/tree/sub/?simple&recursive")
    (tmp_path / "urls").write_text("".join(f"{site.url}/tree/sub/{quote(name)}\n out={name}\n" for name in names.stdout.splitlines()))
    result = run("aria2c", "-d", "found", "-i", "urls")
    assert result.returncode == 0, result.stdout
    assert files_below(tmp_path / "found") == below("tree/sub/")


@pytest.mark.parametrize("arguments", [["-H", "Accept: text/html"], [], ["?simple"]], ids=["html", "lines", "names"])
def test_a_listing_is_complete_or_an_error(site, run, arguments):
    query = "".join(argument for argument in arguments if argument.startswith("?"))
    options = [argument for argument in arguments if not argument.startswith("?")]
    complete = run("curl", "-fsS", *options, f"{site.url}/many/{query}")
    names = re.findall(r"\b\d{5}$|(?<=>)\d{5}(?=</a>)", complete.stdout, re.MULTILINE)
    assert names == sorted(below("many/", MANY))
    refused = run("curl", "-fsS", *options, f"{site.url}/endless/{query}")
    assert refused.returncode == 22 and refused.stdout == ""
