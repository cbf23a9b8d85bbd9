"""Two members, and the rules under which they get sessions of their own."""

import hashlib

TOKEN = '[[token]]\nid = "{0}"\nsha256 = "{1}"\n'
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
    tokens = "".join(TOKEN.format(name, hashlib.sha256(name.encode()).hexdigest()) for name in ("alice", "bob"))
    return "version = 1\n" + tokens + RULE.format(can=", ".join(f'"{action}"' for action in can))


def user_id(name):
    """What Signpost calls the member with this token."""
    return hashlib.sha256(b"token\0" + name.encode()).hexdigest()[:32]


def key(name):
    return f"users/{user_id(name)}/k"


def bearer(name):
    return {"Authorization": f"Bearer {name}"}
