"""A volume that is a disk: found by its id, formatted if it is new and blank, mounted, grown, let go of.

Taking and releasing it need root; see `privilege.py`. Nothing is guessed: a disk that bears another id is not
touched, and one that holds anything but an ext4 file system is refused.

A disk bears a note while it is formatted, taken away before it is mounted for the first time: formatting
that a crash interrupted is begun again, since no data can be there.
"""

import os
import time
from pathlib import Path

from instar.agent import block_device, commands, processes
from instar.agent.block_device import SHORTEST_ID, BlockDevice
from instar.wire.errors import GuestError

LABEL = "instar-data"
OPTIONS = "noatime,nodev,nosuid,errors=remount-ro"
_LONG = 3600.0
_LOOK_AGAIN = 0.2
_GRACE = 10.0
"""Seconds that processes have to leave a volume that is let go of."""


class Disk:
    """A volume that is a disk of this machine."""

    def __init__(
        self, path: Path, volume_id: str, released: Path, *, system: Path = block_device.SYSTEM
    ) -> None:
        if len(volume_id) < SHORTEST_ID:
            raise GuestError(
                "[agent] volume_id must be the volume's whole id",
                seen=volume_id,
                remedy="Have the control plane inject guestagent.conf again.",
            )
        self._path, self._id, self._released, self._system = path, volume_id, released, system
        self._size = 0

    def take(self, *, new: bool, patience: float) -> None:
        """Mount it, when it has appeared; a blank one is formatted first if it is to be `new`."""
        device = self._wait(patience)
        if _mounted(self._path) is None:
            self._make_ready(device, new=new)
            _mount(device, self._path)
            self._size = 0
        self._refuse_other(device)
        if self._size != device.size:
            commands.run(["/usr/sbin/resize2fs", device.node], timeout=_LONG)
            self._size = device.size
        self._released.unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Tell whether this machine has a disk that bears its id."""
        return block_device.find(self._id, self._system) is not None

    def check(self) -> None:
        """See to it that it is mounted, and no other one in its place."""
        if _mounted(self._path) is None:
            raise GuestError(
                "The data volume is not mounted",
                seen=f"nothing is mounted at {self._path}",
                remedy="Attach the volume to the server; the agent mounts it within a minute.",
                retryable=True,
            )
        self._refuse_other(self._wait(0.0))

    def release(self) -> None:
        """Unmount it: everything is on the disk then, and no process holds it."""
        if self._path.is_dir() and _mounted(self._path) is not None:
            commands.run(["/usr/bin/sync", "--file-system", self._path], timeout=_LONG)
            self._unmount()
        self._released.parent.mkdir(parents=True, exist_ok=True)
        self._released.touch()

    @property
    def is_released(self) -> bool:
        """Tell whether it was let go of."""
        return self._released.exists()

    def _wait(self, patience: float) -> BlockDevice:
        deadline = time.monotonic() + patience
        while (device := block_device.find(self._id, self._system)) is None:
            if time.monotonic() >= deadline:
                raise GuestError(
                    "The data volume is not there",
                    seen=f"no disk bears the id {self._id}; "
                    f"disks with an id: {', '.join(block_device.serials(self._system)) or 'none'}",
                    remedy="Attach the volume to the server and try again.",
                    retryable=True,
                )
            time.sleep(_LOOK_AGAIN)
        return device

    def _refuse_other(self, device: BlockDevice) -> None:
        if _mounted(self._path) != device.number:
            raise GuestError(
                "Another file system is where the data volume should be",
                seen=f"what is mounted at {self._path} is not on {device.node}",
                remedy="Reboot the server.",
            )

    def _make_ready(self, device: BlockDevice, *, new: bool) -> None:
        note = f"Instar is formatting volume {self._id}."
        if device.bears(note) or (blank := _is_blank(device)):
            if not new:
                raise GuestError(
                    "The data volume is blank",
                    seen=f"there is no file system on {device.node}",
                    remedy="It is formatted when an instance is made; else attach the one with its data.",
                )
            device.note(note)
            _format(device, self._path)
        elif not blank and (seen := device.signatures()) != ["ext4"]:
            raise GuestError(
                f"The data volume {self._id} is neither blank nor one of Instar's",
                seen=f"on {device.node}: {', '.join(seen) or 'data, and no file system that is known'}",
                remedy="Attach the right volume, or wipe this one if nothing on it is of use.",
            )
        device.unnote(note)

    def _unmount(self) -> None:
        deadline = time.monotonic() + _GRACE
        while True:
            try:
                commands.run(["/usr/bin/umount", self._path], timeout=_LONG)
                return
            except commands.Failed as failed:
                if time.monotonic() >= deadline:
                    raise GuestError(
                        "The data volume can't be let go of",
                        seen=", ".join(processes.holding(self._path)) or failed.body.seen,
                        remedy="End what uses the volume, and try again.",
                        retryable=True,
                    ) from failed
            time.sleep(_LOOK_AGAIN)


def _mounted(path: Path) -> int | None:
    """Tell the device number of what is mounted at a path; None when that is part of what is above."""
    try:
        here, above = path.stat().st_dev, path.parent.stat().st_dev
    except FileNotFoundError:
        return None
    return None if here == above else here


def _is_blank(device: BlockDevice) -> bool:
    return not device.signatures() and device.begins_with_zeros()


def _format(device: BlockDevice, path: Path) -> None:
    """Make a file system that belongs to whoever the mount point belongs to."""
    owner = path.stat()
    options = f"root_owner={owner.st_uid}:{owner.st_gid},nodiscard"
    commands.run(
        ["/usr/sbin/mkfs.ext4", "-q", "-F", "-m", "0", "-L", LABEL, "-E", options, device.node],
        timeout=_LONG,
    )


def _mount(device: BlockDevice, path: Path) -> None:
    """Mount it after its journal was replayed; what a check can't mend unasked is an error."""
    repaired = 1
    commands.run(
        ["/usr/bin/sh", "-c", f'/usr/sbin/e2fsck -p "$0" || [ "$?" -le {repaired} ]', os.fspath(device.node)],
        timeout=_LONG,
        remedy="Repair the file system with e2fsck, or put the volume back to its snapshot.",
    )
    commands.run(["/usr/bin/mount", "-t", "ext4", "-o", OPTIONS, device.node, path], timeout=_LONG)
