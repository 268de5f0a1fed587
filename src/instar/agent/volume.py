"""The data volume: taken before the database uses it, let go of before the server is replaced."""

import os
from pathlib import Path

from instar.wire.errors import GuestError

KINDS = ("directory",)
"""`directory`: the provider has put the volume in place, mounted or linked, before the agent starts."""


def take(path: Path, kind: str) -> None:
    """See to it that the volume is at `path` and can be written to. Raises GuestError. Repeatable."""
    if kind not in KINDS:
        raise GuestError(
            f"Volume kind {kind!r} is not known",
            remedy=f"Set volume_kind in guestagent.conf to {', '.join(KINDS)}.",
        )
    if not path.is_dir():
        raise GuestError(
            "The data volume is not there",
            seen=f"no directory at {path}",
            remedy="Attach the volume to the server and try again.",
            retryable=True,
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise GuestError(
            "The data volume can't be written to",
            seen=f"{path} belongs to uid {path.stat().st_uid}, the agent runs as uid {os.getuid()}",
            remedy="Give the volume to the agent's user, or mount it for writing, and try again.",
            retryable=True,
        )


def release(path: Path, kind: str) -> None:
    """Let go of the volume. Repeatable. A directory is let go of by its provider."""


def used(path: Path) -> int:
    """Tell how many bytes the files on the volume take up; a file with two names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(f"{directory}/{name}")
            except FileNotFoundError:
                continue
            if found.st_nlink > 1:
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
    return total
