"""Two users, and the rules for which they get sessions of their own."""

import hashlib

from lib.tokens import token_table

RULE = """\
[[rule]]
id = "own"
who = ["authenticated"]
can = [{can}]
on = ["users/{{user_id}}/**"]
overwrite = true
client_may_set = ["versionId", "x-amz-tagging"]
"""


def rules(*can):
    tokens = "".join(token_table(name, name) for name in ("alice", "bob"))
    return "version = 1\n" + tokens + RULE.format(can=", ".join(f'"{action}"' for action in can))


def user_id(name):
    """The user_id that Signpost derives from this token id."""
    return hashlib.sha256(b"token\0" + name.encode()).hexdigest()[:32]


def key(name):
    return f"users/{user_id(name)}/k"
