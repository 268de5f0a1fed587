"""Whose a server is, and whether its user can reach it."""

from pathlib import Path

from instar.control.providers.local.machine.supervisor import NEXT
from instar.wire.errors import ProviderError


def owner(server: Path, base: int, count: int) -> int | None:
    """Tell a server's uid from its files, for when its record does not; None when there are none of it."""
    for root in (server / "root", server / NEXT, *(server / "staged").glob("*")):
        if root.exists() and base <= (uid := root.lstat().st_uid) < base + count:
            return uid
    return None


def check_reachable(servers: Path) -> None:
    """Raise ProviderError when a server under a uid of its own could not reach its directory."""
    for directory in (servers, *servers.absolute().parents):
        if not directory.stat().st_mode & 0o001:
            raise ProviderError(
                f"Servers can't reach their files: only its owner may pass {directory}",
                seen=f"mode {directory.stat().st_mode & 0o777:03o}; a server has a uid of its own",
                remedy=f"chmod o+x {directory}, or keep the state elsewhere",
            )
