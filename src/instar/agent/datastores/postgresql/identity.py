"""PostgreSQL's programs want the user that they run as to have a name.

A server's uid may have no entry in the machine's user database. Those programs that insist are then run in a
user namespace of their own, where the same uid appears as that of `nobody`; what they make belongs to the
real one.
"""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path

NOBODY = pwd.getpwnam("nobody").pw_uid


def named(argv: Sequence[str | Path]) -> list[str | Path]:
    """Give the command that runs a program under a uid that has a name."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", *argv]
    return list(argv)
