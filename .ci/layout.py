"""Checks the import order of the library.

A module whose documentation has a numbered list of its child modules declares their order: a child imports only from
children above it in the list. Every child must be in the list. Only `outbound/aws` uses AWS crates, and only `lambda`
uses `lambda_http`. Test modules are not checked.
"""

import pathlib
import re
import sys

SRC = pathlib.Path(__file__).resolve().parents[1] / "src"
LISTED = re.compile(r"^//! \d+\. \[?`(\w+)`", re.MULTILINE)
COMMENT = re.compile(r"^\s*//.*$|\s//\s.*$", re.MULTILINE)
TESTS = re.compile(r"^#\[cfg\(test\)\]\s*mod \w+.*\Z", re.MULTILINE | re.DOTALL)
VENDORS = {r"\baws_\w+::": ("outbound", "aws"), r"\blambda_(?:http|runtime)\b": ("lambda",)}
ROOTS = re.compile(r"\b(crate|super)::")


def main():
    modules = {module_of(path): path for path in sorted(SRC.rglob("*.rs")) if path.name not in ("main.rs", "tests.rs")}
    sources = {module: TESTS.sub("", path.read_text()) for module, path in modules.items()}
    orders = {module: order for module, source in sources.items() if (order := LISTED.findall(source))}
    problems = [problem for module in modules for problem in examine(module, sources[module], orders, set(modules))]
    problems += [problem for parent, order in orders.items() for problem in unlisted(parent, order, modules)]
    if () not in orders:
        problems.append("lib.rs declares no order")
    print("\n".join(problems) if problems else f"{len(modules)} modules respect {len(orders)} declared orders")
    return 1 if problems else 0


def module_of(path):
    """Returns the path of a module as a tuple; the library itself is the empty tuple."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return () if parts == ("lib",) else parts


def name_of(module):
    return "::".join(module) or "lib"


def unlisted(parent, order, modules):
    children = {module[len(parent)] for module in modules if module[: len(parent)] == parent and len(module) > len(parent)}
    for child in sorted(children - set(order)):
        yield f"{name_of(parent)} does not list its module {child}"
    for child in sorted(set(order) - children):
        yield f"{name_of(parent)} lists {child}, which does not exist"


def examine(module, source, orders, modules):
    code = COMMENT.sub("", source)
    for pattern, home in VENDORS.items():
        if module[: len(home)] != home and (found := re.search(pattern, code)):
            yield f"{name_of(module)} uses {found[0]}, which only {name_of(home)} may use"
    for imported in sorted(imports(module, code, modules)):
        for parent, order in orders.items():
            depth = len(parent)
            if module[:depth] != parent or imported[:depth] != parent or min(len(module), len(imported)) <= depth:
                continue
            own, other = module[depth], imported[depth]
            if own != other and own in order and other in order and order.index(other) > order.index(own):
                yield f"{name_of(module)} imports {name_of(imported)}, but {name_of(parent)} lists {other} after {own}"


def imports(module, code, modules):
    """Returns the modules that `code` names by a path that starts with `crate` or `super`."""
    found = set()
    for root in ROOTS.finditer(code):
        base = () if root[1] == "crate" else module[:-1]
        for path in expand(code[root.end() :]):
            while path and path[0] == "super":
                base, path = base[:-1], path[1:]
            target = (*base, *path)
            while target and target not in modules:
                target = target[:-1]
            if target and target != module:
                found.add(target)
    return found


def expand(text):
    """Returns the paths at the start of `text`: one, or those of a `{...}` group."""
    if text.startswith("{"):
        return [path for member in members(text[1:]) for path in expand(member)]
    head = re.match(r"\w+", text)
    if not head:
        return []
    rest = text[head.end() :]
    if rest.startswith("::"):
        return [(head[0], *path) for path in expand(rest[2:])] or [(head[0],)]
    return [(head[0],)]


def members(text):
    """Splits the inside of a group at its top-level commas, up to its closing brace."""
    depth, member = 0, ""
    for char in text:
        if depth == 0 and char in ",}":
            yield member.strip()
            member = ""
        else:
            member += char
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return


if __name__ == "__main__":
    sys.exit(main())
