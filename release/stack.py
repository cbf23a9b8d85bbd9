"""The packaged stack: a folder from which `sam deploy` works without Rust."""

import re

from contents import CONTENTS, ROOT, VERSION

ZIP = "signpost-lambda.zip"
MODULE = "deploy/terraform"


def packaged_template(source, architecture):
    """The template for a function that is built already: its code is the zip file next to the template."""
    edits = [
        (r"\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: signpost-lambda\n", "\n"),
        (r"\n      CodeUri: \.\n", f"\n      CodeUri: {ZIP}\n"),
        (
            r"\n  Architecture:\n    Type: String\n    Default: \w+\n    AllowedValues: \[[\w, ]+\]\n    Description: [^\n]+\n",
            f"\n  Architecture:\n    Type: String\n    Default: {architecture}\n    AllowedValues: [{architecture}]\n"
            "    Description: The processor architecture of the function in this package.\n",
        ),
    ]
    for pattern, replacement in edits:
        source, count = re.subn(pattern, replacement, source)
        assert count == 1, f"template.yaml does not contain {pattern!r} exactly once, but {count} times"
    return source


def packaged_samconfig(source):
    """The sections of samconfig.toml that `sam deploy` reads."""
    sections = re.split(r"(?m)^(?=\[|# )", source)
    assert any("[default.deploy.parameters]" in section for section in sections)
    return "".join(section for section in sections if not re.match(r"\[default\.(?!global|deploy)|# A local function", section))


def stack_files(architecture, function_zip):
    """The files of the package, as name: (content, executable)."""
    files = {
        ZIP: function_zip,
        "template.yaml": packaged_template((ROOT / "template.yaml").read_text(), architecture).encode(),
        "samconfig.toml": packaged_samconfig((ROOT / "samconfig.toml").read_text()).encode(),
        "README.md": instructions(architecture).encode(),
    }
    module = {f"{MODULE}/{path.name}" for path in (ROOT / MODULE).iterdir() if path.suffix in (".tf", ".md")}
    for name in [*CONTENTS["documents"]["stack"], *module]:
        files[name] = (ROOT / name).read_bytes()
    return {name: (content, False) for name, content in files.items()}


def instructions(architecture):
    text = (ROOT / "release/stack.md").read_text()
    return text.replace("{version}", VERSION).replace("{architecture}", architecture)
