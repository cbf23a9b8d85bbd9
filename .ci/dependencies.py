"""Checks the dependency tree against `deny.toml` and the design, without cargo-deny and without a network.

From deny.toml: the allowed licences, the banned crates, and that no crate comes from git.
In addition: the core and the command depend on no AWS crate, the function uses no TLS library except rustls with ring (for STS),
and every dependency is used.
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
    packages = {(found["name"], found["version"]): found for platform in platforms for found in built_packages(platform)}
    checks = {
        "licences": lambda: licences(packages.values(), deny["licenses"]["allow"]),
        "bans": lambda: bans(packages.values(), deny["bans"]["deny"]),
        "sources": lambda: sources(packages.values()),
        "dependencies of the core": lambda: matching(CORE, VENDORS),
        "dependencies of the function": lambda: matching(LAMBDA, LAMBDA_BANS),
        "dependencies of the command": lambda: matching(COMMAND, VENDORS),
        "unused dependencies": unused,
    }
    failed = 0
    for name, check in checks.items():
        problems = list(check())
        failed += bool(problems)
        print(f"{name}: {'; '.join(problems) or 'ok'}")
    print(f"{len(packages)} packages on {len(platforms)} platforms")
    return 1 if failed else 0


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def built_packages(platform=None):
    """The packages in the lock file that are built for this platform."""
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
    """True if the allowed licences satisfy an SPDX expression."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression.replace(" WITH ", "-WITH-"))
    operators = {"OR": "or", "/": "or", "AND": "and", "(": "(", ")": ")"}
    allowed = {name.replace(" WITH ", "-WITH-") for name in allowed}
    # The expression for `eval` contains only True, False, `or`, `and` and parentheses.
    return eval(" ".join(operators.get(word) or str(word in allowed) for word in words))


def bans(packages, banned):
    names = {ban["crate"] for ban in banned}
    return sorted(f"{package['name']} {package['version']}" for package in packages if package["name"] in names)


def sources(packages):
    for package in packages:
        if package["source"] and not package["source"].startswith("registry+"):
            yield f"{package['name']} comes from {package['source'].partition('+')[0]}"


def matching(tree, pattern):
    """The crates in the output of `cargo tree` whose names match the pattern."""
    lines = cargo(*tree, "--edges", "normal", "--prefix", "none", "--format", "{p}").splitlines()
    return sorted({line.split()[0] for line in lines if pattern.match(line.split()[0])})


def unused():
    """Dependencies whose library does not appear in the sources of the package."""
    packages = built_packages()
    libraries = {package["name"]: library_of(package) for package in packages}
    for package in packages:
        if package["source"] is None:
            folder = pathlib.Path(package["manifest_path"]).parent
            text = "".join(path.read_text() for path in own_sources(folder))
            for dependency in package["dependencies"]:
                name = dependency["rename"] or libraries.get(dependency["name"], dependency["name"])
                name = name.replace("-", "_")
                if not re.search(rf"\b{name}\b", text):
                    yield f"{package['name']} does not use {dependency['name']}"


def library_of(package):
    """The name of the library, which can differ from that of the package: `md-5` contains `md5`."""
    kinds = {"lib", "rlib", "proc-macro"}
    return next((target["name"] for target in package["targets"] if kinds & set(target["kind"])), package["name"])


def own_sources(folder):
    return [
        *(path for name in ("src", "tests", "bench", "examples") for path in (folder / name).rglob("*.rs")),
        *folder.glob("build.rs"),
    ]


if __name__ == "__main__":
    sys.exit(main())
