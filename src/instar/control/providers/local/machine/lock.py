"""Who runs a server: record locks, which the kernel drops with their process and tells the holder of.

No pid is stored anywhere, so none can be stale.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

RUNNING = 0
"""The byte that the running machine holds; byte N is held by the machine that was started for boot N."""

_FLOCK = struct.Struct("hhqqi")  # struct flock: l_type, l_whence, l_start, l_len, l_pid


class MachineLock:
    """The lock file of one server's machine.

    A process that holds a byte loses it when it closes any descriptor of this file: open it once.
    """

    def __init__(self, server: Path) -> None:
        self._handle = os.open(server / "machine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Let go of everything that is held."""
        os.close(self._handle)

    def take(self, byte: int) -> bool:
        """Hold a byte until this process ends; False when another process has it."""
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def holder(self, byte: int = RUNNING) -> int | None:
        """Give the id of the other process that holds a byte, None when it is free."""
        query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        kind, *_, pid = _FLOCK.unpack(fcntl.fcntl(self._handle, fcntl.F_GETLK, query))
        return None if kind == fcntl.F_UNLCK else pid
