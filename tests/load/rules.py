"""The versions of the rules, good and bad, that replace each other during a run."""

import hashlib

TOKENS = {name: f"load-wrong-{name}-is-its-secret" for name in ("ann", "bob", "cat", "dan", "eve")}
EXPIRES = {True: 300, False: 240}
REUSE_WINDOW = 120

RULES = """version = 1

[defaults]
expires = "{expires}s"
overwrite = true
{signer}
{tokens}
[[rule]]
id = "worm"
effect = "deny"
who = ["anyone"]
can = ["write", "delete"]
on = ["archive/**"]

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]

[[rule]]
id = "{changing}"
who = ["anyone"]
can = ["read"]
on = ["{changing}/**"]

[[rule]]
id = "reused"
who = ["anyone"]
can = ["read"]
on = ["reused/**"]
reuse_url_for = "{reuse_window}s"

[[rule]]
id = "create"
who = ["authenticated"]
can = ["write"]
on = ["create/**"]
overwrite = false
max_bytes = 1000000

[[rule]]
id = "desk"
who = ["group:staff"]
can = ["read", "write", "delete", "list"]
on = ["desk/**"]
share = ["read", "write"]
"""

BAD = (
    "version = 1\n[[rule]]\nid = \"x\"\nwho = [\"anyone\"]\ncan = [\"fly\"]\non = [\"**\"]\n",
    "version = 1\n[[rule]\n",
    RULES.replace('"{expires}s"', '"20m"'),
)


def table(version, signer):
    """Returns the text of a good version. Even versions allow anyone to read below `even/`, odd versions below `odd/`."""
    even = version % 2 == 0
    tokens = "\n".join(
        f'[[token]]\nid = "{name}"\nsha256 = "{hashlib.sha256(secret.encode()).hexdigest()}"\ngroups = ["staff"]\n'
        for name, secret in TOKENS.items()
    )
    epoch = f'[signer]\nepoch = "{epoch_of(version)}"\n' if signer else ""
    return RULES.format(expires=EXPIRES[even], signer=epoch, tokens=tokens, changing=name_of(version), reuse_window=REUSE_WINDOW)


def name_of(version):
    return "even" if version % 2 == 0 else "odd"


def epoch_of(version):
    return str(version // 2)


class Versions:
    """The sequence of versions. Every fifth version is invalid or cannot be applied, so it never becomes active."""

    def is_good(self, version):
        return version % 5 != 4

    def text(self, version):
        if self.is_good(version):
            return table(version, signer=True)
        bad = BAD[version // 5 % len(BAD)]
        return bad if "{" not in bad else "".join(("# ", "\n", bad.split("{signer}")[0]))

    def epoch(self, version):
        return epoch_of(version)
