"""Holds the dependency tree to what `deny.toml` and the design say, without cargo-deny and without a network.

Read from deny.toml: the licences that are allowed, the crates that are banned, and that nothing comes from git.
Beyond it: the core and the command name no vendor crate, the Lambda's only TLS is rustls over ring (for STS), and every
dependency is used.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORE = ("tree", "--no-default-features", "-p", "signpost")
LAMBDA = ("tree", "-p", "signpost")
COMMAND = ("tree", "-p", "signpost-cli")
VENDORS = re.compile(r"aws|lambda|smithy")
LAMBDA_BANS = re.compile(r"aws-lc-.*|s2n-.*|openssl(?!-probe).*|native-tls|cedar.*|argon2|s3s.*|clap")


def main():
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    platforms = deny["graph"]["targets"]
    packages = {(found["name"], found["version"]): found for platform in platforms for found in graph(platform)}
    checks = {
        "licences": lambda: licences(packages.values(), deny["licenses"]["allow"]),
        "bans": lambda: bans(packages.values(), deny["bans"]["deny"]),
        "sources": lambda: sources(packages.values()),
        "the core's tree": lambda: named(CORE, VENDORS),
        "the Lambda's tree": lambda: named(LAMBDA, LAMBDA_BANS),
        "the command's tree": lambda: named(COMMAND, VENDORS),
        "unused dependencies": unused,
    }
    failed = 0
    for name, check in checks.items():
        problems = list(check())
        failed += bool(problems)
        print(f"{name}: {'; '.join(problems) or 'fine'}")
    print(f"{len(packages)} packages on {len(platforms)} platforms")
    return 1 if failed else 0


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def graph(platform=None):
    """The packages of the lock file that this platform builds."""
    filtered = ["--filter-platform", platform] if platform else []
    metadata = json.loads(cargo("metadata", "--format-version", "1", *filtered))
    built = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in built]


def licences(packages, allowed):
    for package in packages:
        expression = package["license"]
        if not expression or not satisfied(expression, set(allowed)):
            yield f"{package['name']} {package['version']} has {expression or 'no licence expression'}"


def satisfied(expression, allowed):
    """Whether an SPDX expression can be met with the licences allowed."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression.replace(" WITH ", "-WITH-"))
    operators = {"OR": "or", "/": "or", "AND": "and", "(": "(", ")": ")"}
    allowed = {name.replace(" WITH ", "-WITH-") for name in allowed}
    # Only True, False, or, and, and parentheses reach eval.
    return eval(" ".join(operators.get(word) or str(word in allowed) for word in words))


def bans(packages, banned):
    names = {ban["crate"] for ban in banned}
    return sorted(f"{package['name']} {package['version']}" for package in packages if package["name"] in names)


def sources(packages):
    for package in packages:
        if package["source"] and not package["source"].startswith("registry+"):
            yield f"{package['name']} comes from {package['source'].partition('+')[0]}"


def named(tree, pattern):
    lines = cargo(*tree, "--edges", "normal", "--prefix", "none", "--format", "{p}").splitlines()
    return sorted({line.split()[0] for line in lines if pattern.match(line.split()[0])})


def unused():
    """Dependencies whose name stands nowhere in the package's own sources."""
    for package in graph():
        if package["source"] is None:
            folder = pathlib.Path(package["manifest_path"]).parent
            text = "".join(path.read_text() for path in own_sources(folder))
            for dependency in package["dependencies"]:
                name = (dependency["rename"] or dependency["name"]).replace("-", "_")
                if not re.search(rf"\b{name}\b", text):
                    yield f"{package['name']} does not use {dependency['name']}"


def own_sources(folder):
    return [
        *(path for name in ("src", "tests", "bench", "examples") for path in (folder / name).rglob("*.rs")),
        *folder.glob("build.rs"),
    ]


if __name__ == "__main__":
    sys.exit(main())
