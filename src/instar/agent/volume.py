"""The data volume: taken before the database uses it, let go of before the server is replaced."""

import os
from pathlib import Path
from typing import Protocol

from instar.agent.disk import Disk
from instar.wire.errors import GuestError

PATIENCE = 30.0
"""Seconds that a volume may take to appear."""
KINDS = ("directory", "disk")
"""`directory`: the provider has put the volume in place, mounted or linked, before the agent starts.
`disk`: the volume is a disk of this machine, known by its id, and the agent mounts it."""


class Volume(Protocol):
    """What a kind of volume does; each is repeatable and raises GuestError."""

    def take(self, *, new: bool, patience: float) -> None:
        """Put the volume in place. One that holds nothing yet is made ready only when it is to be `new`."""

    def check(self) -> None:
        """See to it that the volume is in place, at once and without changing anything."""

    def is_there(self) -> bool:
        """Tell whether there is a volume that could be taken, at once and without changing anything."""

    def release(self) -> None:
        """Let go of the volume; nothing of it is held any more."""

    @property
    def is_released(self) -> bool:
        """Tell whether it was let go of, and nobody has asked for it since this boot."""


class Directory:
    """A volume that its provider has put in place; the provider lets go of it, too."""

    is_released = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, *, new: bool, patience: float) -> None:
        """See to it that it is there."""
        self.check()

    def is_there(self) -> bool:
        """Tell whether its provider has put it in place."""
        return self._path.is_dir()

    def check(self) -> None:
        """See to it that it is there."""
        if not self.is_there():
            raise GuestError(
                "The data volume is not there",
                seen=f"no directory at {self._path}",
                remedy="Attach the volume to the server and try again.",
                retryable=True,
            )

    def release(self) -> None:
        """Leave it to its provider."""


def make(kind: str, path: Path, volume_id: str, notes: Path) -> Volume:
    """Give a volume of a kind; `notes` is a directory that lasts as long as a boot. Raises GuestError."""
    if kind == "disk":
        return Disk(path, volume_id, notes / "volume_released")
    if kind == "directory":
        return Directory(path)
    raise GuestError(
        f"Volume kind {kind!r} is not known",
        remedy=f"Set volume_kind in guestagent.conf to {' or '.join(KINDS)}.",
    )


def check_access(path: Path) -> None:
    """See to it that this process may write to what is in place. Raises GuestError."""
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise GuestError(
            "The data volume can't be written to",
            seen=f"{path} belongs to uid {path.stat().st_uid}, the agent runs as uid {os.getuid()}",
            remedy="Give the volume to the agent's user, or mount it for writing, and try again.",
            retryable=True,
        )


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
