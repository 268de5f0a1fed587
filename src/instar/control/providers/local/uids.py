"""User ids of servers: one each, when we are root."""

import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from instar.control.providers.local.machine.supervisor import NEXT
from instar.wire.errors import ProviderError


def pick(server: Path, taken: Iterable[int | None], base: int, count: int) -> int | None:
    """Pick a free uid by the directory, so that two control planes pick different ones; None unless root.

    Raises ProviderError when a server under a uid of its own could not reach its directory.
    """
    if os.getuid() != 0:
        return None
    _check_reachable(server.parent)
    used, begin = set(taken), zlib.crc32(str(server.absolute()).encode())
    return next(uid for step in range(count) if (uid := base + (begin + step) % count) not in used)


def owner(server: Path, base: int, count: int) -> int | None:
    """Tell a server's uid from its files, for when its record does not; None when there are none of it."""
    for root in (server / "root", server / NEXT, *(server / "staged").glob("*")):
        if root.exists() and base <= (uid := root.lstat().st_uid) < base + count:
            return uid
    return None


def _check_reachable(servers: Path) -> None:
    for directory in (servers, *servers.absolute().parents):
        if not directory.stat().st_mode & 0o001:
            raise ProviderError(
                f"Servers can't reach their files: only its owner may pass {directory}",
                seen=f"mode {directory.stat().st_mode & 0o777:03o}; a server has a uid of its own",
                remedy=f"chmod o+x {directory}, or keep the state elsewhere",
            )
