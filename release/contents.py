"""The contents of a release: reads `contents.toml`, and derives the names of all files."""

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
CONTENTS = tomllib.loads((ROOT / "release/contents.toml").read_text())
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
PROGRAMS = CONTENTS["program"]
TARGETS = {target["name"]: target for target in CONTENTS["target"]}
FUNCTIONS = {function["architecture"]: function for function in CONTENTS["function"]}
DIGESTS = CONTENTS["added"]["digests"]
PROVENANCE = CONTENTS["added"]["provenance"].format(version=VERSION)


def commands_folder(target):
    return f"signpost-{VERSION}-{target}"


def commands_archive(target):
    return f"{commands_folder(target)}.{TARGETS[target]['archive']}"


def program_file(name, target):
    """The file name of a program."""
    return f"{name}.exe" if "windows" in target else name


def function_zip(architecture):
    return f"signpost-lambda-{VERSION}-{architecture}.zip"


def stack_folder(architecture):
    return f"signpost-{VERSION}-{architecture}"


def stack_zip(architecture):
    return f"signpost-stack-{VERSION}-{architecture}.zip"


def sbom(name):
    return f"{name}-{VERSION}.cdx.json"


def built_files():
    """The names of the files that `build` makes, without the digests and the provenance."""
    return sorted(
        [commands_archive(target) for target in TARGETS]
        + [function_zip(architecture) for architecture in FUNCTIONS]
        + [stack_zip(architecture) for architecture in FUNCTIONS]
        + [sbom(entry["name"]) for entry in CONTENTS["sbom"]]
    )


def all_files():
    """The names of all files of the release."""
    return sorted([*built_files(), DIGESTS, PROVENANCE])


def build_version():
    """The version that the programs print: with the commit, and a mark if the sources differ from the commit."""
    commit = git("rev-parse", "--short=12", "HEAD")
    modified = ", modified" if git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{VERSION} ({commit}{modified})"


def commit_time():
    """The time of the commit, in seconds: the time of every file in the archives."""
    return int(git("log", "-1", "--format=%ct"))


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
