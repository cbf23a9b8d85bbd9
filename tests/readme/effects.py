"""The effect that each command must have."""

import re
import subprocess


class Failure(Exception):
    """The text of a failed test."""


def require(condition, failure):
    if not condition:
        raise Failure(failure)


def check(example, command, result):
    """Checks the output that the document shows, and the effects in the table below."""
    if command.output is not None:
        require(command.has_output(result.stdout), f"the output is {result.stdout!r}")
    for pattern, effect in EFFECTS:
        if re.search(pattern, command.text):
            effect(example, command.text, result)


def fetch(url, *options):
    """The body and the status of the response, after redirects."""
    run = subprocess.run(["curl", "-sL", "-w", "\n%{http_code}", "--noproxy", "*", *options, url], capture_output=True, timeout=60)
    body, _, status = run.stdout.rpartition(b"\n")
    return body, int(status or 0)


def url_in(command):
    return re.search(r"http://127\.0\.0\.1:\d+/[^\s'?\"]*", command)[0]


# ---- curl ----


def stored(example, command, _):
    """The stored object equals the uploaded file. If the command has a credential, the object cannot be read without it."""
    url, name = url_in(command), re.search(r"-f?T (\S+)", command)[1]
    body, status = fetch(url, *example.credential(command))
    require(status == 200 and body == (example.folder / name).read_bytes(), f"the object differs from the uploaded file ({status})")
    if example.credential(command):
        require(fetch(url)[1] == 401, "a request without the token must be rejected")


def downloaded(example, *_):
    require((example.folder / "report.pdf").read_bytes() == example.report, "the download differs from the uploaded file")


def deleted(example, command, _):
    status = fetch(url_in(command), *example.credential(command))[1]
    require(status == 404, f"the object still exists ({status})")


def unchanged(example, command, _):
    """The same command transfers nothing the second time, and leaves the file as it is."""
    result = example.shell.run(command + " -w '%{http_code}'")
    require(result.stdout == "304", f"the status is {result.stdout}")
    downloaded(example)


def is_the_end(example, command, result):
    require(result.stdout.encode() == example.log[-1000:], f"the output has {len(result.stdout)} bytes")


def is_shared(example, _, result):
    require(result.stdout == example.report.decode("latin-1"), "the share link does not return the object")


# ---- signpost ----


def put(example, command, _):
    if "-r site/" in command:
        expected = {f"www/{path.relative_to(example.folder / 'site')}": path.read_bytes() for path in (example.folder / "site").rglob("*.*")}
    else:
        expected = {"images/big.iso": example.big}
    for key, content in expected.items():
        require(example.object(key) == content, f"the object {key} differs from the file")


def put_archive(example, *_):
    (example.folder / "backup").write_bytes(example.object("backups/site.tar.gz"))
    names = subprocess.run(["tar", "-tzf", "backup"], cwd=example.folder, capture_output=True, text=True, check=True).stdout
    require("site/css/style.css" in names, f"the backup contains {names!r}")


def got(example, *_):
    require((example.folder / "copy.iso").read_bytes() == example.big, "the downloaded file differs from the uploaded file")


def link_reads(example, _, result):
    body, status = fetch(result.stdout.strip())
    require(status == 200 and body == example.report, f"the share link does not return the object ({status})")


def link_accepts_one_file(example, _, result):
    link = result.stdout.strip().replace("?", "offer.pdf?")
    upload = ("-T", str(example.folder / "report.pdf"))
    require(fetch(link, *upload)[1] == 200, "the partner cannot upload")
    require(example.object("drop/offer.pdf") == example.report, "the object differs from the file of the partner")
    status = fetch(link.replace("offer", "second"), *upload)[1]
    require(status >= 400, f"a second upload gets {status}")


def prints(*words):
    def effect(_, command, result):
        require(all(word in result.stdout for word in words), f"the output is {result.stdout!r}")

    return effect


# ---- installation ----


def made_token(example, command, result):
    require(re.fullmatch(r"[0-9a-f]{64}\n", result.stdout), f"the output is no digest: {result.stdout!r}")
    example.token_digest = result.stdout.strip()


def unpacked_stack(example, *_):
    files = {path.name for path in example.folder.glob("signpost-*-arm64/*")}
    require({"template.yaml", "samconfig.toml", "signpost-lambda.zip", "README.md"} <= files, f"the package contains {files}")


EFFECTS = [
    (r"^curl .*-f?T ", stored),
    (r"^curl .*( -O | -o report\.pdf)", downloaded),
    (r"-X DELETE", deleted),
    (r"--etag-compare", unchanged),
    (r"^curl .*-r -1000", is_the_end),
    (r"\$link", is_shared),
    (r"signpost put (big|-r)", put),
    (r"signpost put - ", put_archive),
    (r"signpost get ", got),
    (r"signpost share --expires", link_reads),
    (r"signpost share --method PUT", link_accepts_one_file),
    (r"rules check", prints("ok: 4 rules, 1 token, 0 issuers")),
    (r"rules explain", prints('allowed by rule "releases"')),
    (r"rules test", prints("1 passed, 0 failed")),
    (r"^TOKEN=", made_token),
    (r"unzip", unpacked_stack),
]
