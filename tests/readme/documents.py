"""The documents whose commands the suite runs, and the code blocks in them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "README.md", "docs/COOKBOOK.md", "docs/FRONTS.md", "docs/INSTALL.md", "docs/LOCAL.md", "docs/REQUESTS.md", "docs/SHARE-LINKS.md",
    "docs/WRITING-RULES.md",
)  # fmt: skip
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Command(NamedTuple):
    """A command, and the output that the document shows for it, if it shows one."""

    text: str
    output: str | None = None

    def has_output(self, output):
        """Returns true if this output equals that of the document, except for times."""
        return TIME.sub("TIME", output) == TIME.sub("TIME", self.output)


def text(name):
    return (ROOT / name).read_text()


def blocks(name, language):
    """The contents of the fenced blocks of one language."""
    return [content for found, content in BLOCK.findall(text(name)) if found == language]


def command_blocks(name):
    """The commands of each block of a document that contains commands."""
    readers = {"sh": shell_commands, "console": session_commands}
    return [readers[language](content) for language, content in BLOCK.findall(text(name)) if language in readers]


def shell_commands(block):
    """The commands of a block without comments. A backslash continues a line."""
    lines = (re.sub(r"(^|\s)#\s.*$", "", line).rstrip() for line in block.replace("\\\n", " ").splitlines())
    return [Command(line) for line in lines if line]


def session_commands(block):
    """The commands of a session in a terminal, with their output."""
    return [Command(*part.split("\n", 1)) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
