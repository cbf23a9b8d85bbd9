"""Runs each code block of docs/CLIENTS.md with only the host replaced, and checks the failures that its table lists."""

import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest
import requests

import test_programs
from conftest import BLOCK, DOCUMENT, TOKEN, VENV, with_local_host

FOLDER = "2026"
SIZES = {"report.pdf": 70_001, "big.iso": 11 * 2**20 + 1, "huge.img": 70 * 2**20 + 1}
SECONDS = 120
AUTH = {"Authorization": f"Bearer {TOKEN}"}
PROGRAMS = {
    "sh": ("snippet.sh", ["bash", "-eu", "-o", "pipefail"]),
    "python": ("snippet.py", [sys.executable]),
    "js": ("snippet.mjs", ["node"]),
    "go": ("snippet.go", ["go", "run"]),
    "java": ("Snippet.java", ["java"]),
}
MODULES = pathlib.Path(__file__).parent / "node_modules"


@dataclass(frozen=True)
class Snippet:
    language: str
    effect: str
    text: str
    line: int

    def __str__(self):
        return f"{self.language}-{self.line}-{self.effect.replace(' ', '-')}"


def snippets():
    for found in BLOCK.finditer(DOCUMENT):
        yield Snippet(found[2], found[1] or "", found[3], DOCUMENT.count("\n", 0, found.start()) + 1)


SNIPPETS = list(snippets())
# `pages.test.mjs` runs the blocks for pages, and `test_programs.py` those that belong to a program.
ELSEWHERE = {"in a page", *test_programs.BLOCKS}


@pytest.fixture
def run(server, tmp_path, tmp_path_factory):
    """Runs a program in a new folder: `run(language, text)`."""
    cache = tmp_path_factory.getbasetemp() / "go-cache"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNPOST_", "AWS_"))}
    environment = inherited | {"TOKEN": TOKEN, "GOCACHE": str(cache), "GO111MODULE": "off", "GOFLAGS": "", "NO_PROXY": "localhost,127.0.0.1", "PATH": f"{VENV}:{os.environ['PATH']}"}

    def start(language, text):
        name, command = PROGRAMS[language]
        (tmp_path / name).write_text(with_local_host(text, server.url))
        if language == "js":
            (tmp_path / "node_modules").symlink_to(MODULES)
        return subprocess.run([*command, name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS)

    return start


def make(folder, name):
    path = folder / name
    path.write_bytes(os.urandom(SIZES[name]))
    return path


def put(server, name, content):
    instruction = requests.put(f"{server.url}/{FOLDER}/{name}", headers=AUTH | {"Accept": "application/vnd.signpost+json"}).json()
    requests.put(instruction["url"], content, headers=instruction["headers"]).raise_for_status()


def get(server, name):
    response = requests.get(f"{server.url}/{FOLDER}/{name}", headers=AUTH)
    return response.content if response.status_code == 200 else None


def delete(server, name):
    requests.delete(f"{server.url}/{FOLDER}/{name}", headers=AUTH).raise_for_status()


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.effect not in ELSEWHERE], ids=str)
def test_a_block_has_its_declared_effect(server, run, tmp_path, snippet):
    effect, _, name = snippet.effect.partition(" ")
    assert effect in ("stores", "fetches"), f"the block in line {snippet.line} needs a comment with its effect"
    path = make(tmp_path, name)
    content = path.read_bytes()
    delete(server, name)
    if effect == "fetches":
        put(server, name, content)
        path.unlink()
    result = run(snippet.language, snippet.text)
    assert result.returncode == 0, result.stderr
    assert (get(server, name) if effect == "stores" else path.read_bytes()) == content


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.effect not in ELSEWHERE], ids=str)
def test_a_block_fails_with_a_wrong_token(server, run, tmp_path, snippet):
    """A user notices the error: the exit status is not 0, and no file looks like a complete download."""
    _, _, name = snippet.effect.partition(" ")
    content = make(tmp_path, name).read_bytes()
    put(server, name, b"before")
    if snippet.effect.startswith("fetches"):
        (tmp_path / name).unlink()
    wrong = {"sh": "TOKEN=wrong; ", "python": "import os; os.environ['TOKEN'] = 'wrong'\n"}.get(snippet.language, "")
    text = re.sub(r'process\.env\.TOKEN|os\.Getenv\("TOKEN"\)|System\.getenv\("TOKEN"\)', '"wrong"', wrong + snippet.text)
    if snippet.language == "go":
        text = text.replace('\t"os"\n', "") if "os." not in text.replace('"os"', "") else text
    result = run(snippet.language, text)
    assert result.returncode != 0
    assert get(server, name) == b"before"
    if snippet.effect.startswith("fetches"):
        found = (tmp_path / name).read_bytes() if (tmp_path / name).exists() else b""
        assert found in (b"", content[:0])


def test_the_document_has_a_block_in_every_language():
    assert {one.language for one in SNIPPETS if one.effect not in ELSEWHERE} == set(PROGRAMS)


def test_every_block_is_run():
    assert ELSEWHERE <= {one.effect for one in SNIPPETS}, "a block that a test uses is missing"


# The programs that fail according to the table. Each prints the result that it got.

GO_FILE = """
package main
import ("fmt"; "net/http"; "os")
func main() {
	file, _ := os.Open("report.pdf")
	request, _ := http.NewRequest("PUT", "https://files.example.com/2026/report.pdf", file)
	request.ContentLength = 70001
	request.Header.Set("Authorization", "Bearer " + os.Getenv("TOKEN"))
	response, err := http.DefaultClient.Do(request)
	fmt.Println(response.StatusCode, err)
}
"""
JAVA_FOLLOWS = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.Path;
class Follows {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
        var send = HttpRequest.newBuilder(URI.create("https://files.example.com/2026/report.pdf"))
                .PUT(HttpRequest.BodyPublishers.ofFile(Path.of("report.pdf")))
                .header("Authorization", "Bearer " + System.getenv("TOKEN"));
        System.out.println(client.send(send.build(), HttpResponse.BodyHandlers.ofString()).statusCode());
    }
}
"""
URLLIB = """
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen
try:
    body = open("report.pdf", "rb").read() if "{method}" == "PUT" else None
    headers = {{"Authorization": "Bearer " + os.environ["TOKEN"]}}
    print(urlopen(Request("https://files.example.com/2026/report.pdf", method="{method}", headers=headers, data=body)).status)
except HTTPError as error:
    print(error.code)
"""
NODE = """
import {{ readFile }} from 'node:fs/promises';
import {{ openAsBlob }} from 'node:fs';
const headers = {{ Authorization: `Bearer ${{process.env.TOKEN}}` }};
try {{
  const response = await fetch('https://files.example.com/2026/report.pdf', {{ method: 'PUT', headers, duplex: 'half', body: {body} }});
  console.log(response.status);
}} catch (error) {{
  console.log(error.name);
}}
"""
HTTPX = """
import os
import httpx
auth = {"Authorization": "Bearer " + os.environ["TOKEN"]}
try:
    print(httpx.put("https://files.example.com/2026/report.pdf", content=open("report.pdf", "rb"), headers=auth, follow_redirects=True).status_code)
except Exception as error:
    print(type(error).__name__)
"""
WGET = "wget -qS --tries=1 -O - {more} --header=\"Authorization: Bearer $TOKEN\" https://files.example.com/2026/report.pdf 2>&1 | grep -o 'HTTP/1.1 [0-9]*' | tail -1"


@pytest.mark.parametrize("language,text,expected", [
    ("go", GO_FILE, "307 <nil>"),
    ("java", JAVA_FOLLOWS, "400"),
    ("python", URLLIB.format(method="GET"), "400"),
    ("python", URLLIB.format(method="PUT"), "307"),
    ("python", HTTPX, "LocalProtocolError"),
    ("js", NODE.format(body="await readFile('report.pdf')"), "TypeError"),
    ("js", NODE.format(body="(await openAsBlob('report.pdf')).stream()"), "TypeError"),
    ("sh", WGET.format(more=""), "HTTP/1.1 400"),
    ("sh", WGET.format(more="--method=PUT --body-file=report.pdf"), "HTTP/1.1 400"),
], ids=["go-file", "java-follows", "urllib-get", "urllib-put", "httpx-file", "node-buffer", "node-stream", "wget-get", "wget-put"])
def test_the_failures_in_the_table_are_correct(server, run, tmp_path, language, text, expected):
    put(server, "report.pdf", b"before")
    make(tmp_path, "report.pdf")
    result = run(language, text)
    assert result.stdout.strip() == expected, result.stderr
    assert get(server, "report.pdf") == b"before"

