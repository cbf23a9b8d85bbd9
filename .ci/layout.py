"""Checks the layers of `src/`: a module imports only from the modules above it in the list in `lib.rs`, only
`adapters/aws/` uses AWS crates, and only `adapters/lambda` uses `lambda_http`."""

import pathlib
import re
import sys

SRC = pathlib.Path(__file__).resolve().parents[1] / "src"
LISTED = re.compile(r"^//! \d+\. \[?`(\w+)`", re.MULTILINE)
COMMENT = re.compile(r"^\s*//.*$|\s//\s.*$", re.MULTILINE)
PATH = re.compile(r"\b(?:crate|signpost)::(\w+)")
GROUP = re.compile(r"\b(?:crate|signpost)::\{")
PARENT = re.compile(r"\bsuper::(\w+)")
VENDORS = {r"\baws_\w+": "adapters/aws/", r"\blambda_(?:http|runtime)\b": "adapters/lambda"}


def main():
    order = LISTED.findall((SRC / "lib.rs").read_text())
    files = sorted(path for path in SRC.rglob("*.rs"))
    problems = [problem for path in files for problem in examine(path, order)]
    problems += [f"lib.rs does not list {name}" for name in sorted({module_of(path) for path in files} - {*order, "lib", "main"})]
    print("\n".join(problems) if problems else f"{len(files)} files in {len(order)} layers follow the order of lib.rs")
    return 1 if problems or not order else 0


def examine(path, order):
    name = path.relative_to(SRC).as_posix()
    code = COMMENT.sub("", path.read_text())
    for pattern, home in VENDORS.items():
        if not name.startswith(home) and (found := re.search(pattern, code)):
            yield f"{name} uses {found[0]}, which only {home} may use"
    module = module_of(path)
    if module in order:
        allowed = set(order[: order.index(module) + 1])
        for imported in sorted(imports(code) & set(order) - allowed):
            yield f"{name} imports from {imported}, which is below {module} in the list of lib.rs"


def module_of(path):
    return path.relative_to(SRC).parts[0].removesuffix(".rs")


def imports(code):
    groups = [name for start in GROUP.finditer(code) for name in heads(code[start.end() :])]
    return {*PATH.findall(code), *PARENT.findall(code), *groups}


def heads(text):
    """The first segment of each path in a `{...}` group. `text` starts after the opening brace."""
    depth, head = 0, ""
    for char in text:
        if depth == 0 and char in ",}":
            yield head.strip().partition("::")[0]
            head = ""
        elif depth == 0 and char != "{":
            head += char
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return


if __name__ == "__main__":
    sys.exit(main())
