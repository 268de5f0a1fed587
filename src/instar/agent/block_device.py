"""Disks of this machine: found by the id that they bear, and looked at before anything is written to them."""

import os
from dataclasses import dataclass
from pathlib import Path

from instar.agent import commands
from instar.wire.errors import GuestError

SYSTEM = Path("/sys/block")
SHORTEST_ID = 20
"""What a virtio disk can show of a volume's id; SCSI disks show all of it."""

_BEGINNING = 8 << 20
_PART = 1 << 20
_NOTE_FROM_END = 1 << 20
_NOTE_SIZE = 4096


@dataclass(frozen=True)
class BlockDevice:
    """A disk by its device node, such as /dev/vdb."""

    node: Path

    @property
    def number(self) -> int:
        """Device number, as files on its file system tell it."""
        return self.node.stat().st_rdev

    @property
    def size(self) -> int:
        """Size in bytes, as of now."""
        with self.node.open("rb") as disk:
            return disk.seek(0, os.SEEK_END)

    def signatures(self) -> list[str]:
        """Name the kinds of all file systems, partition tables and the like that lie on it."""
        options = ["--no-act", "--noheadings", "--output", "TYPE"]
        return commands.run(["/usr/sbin/wipefs", *options, self.node]).split()

    def begins_with_zeros(self) -> bool:
        """Tell whether nothing but zeros is in its first MiB."""
        with self.node.open("rb") as disk:
            return not any(any(disk.read(_PART)) for _ in range(0, _BEGINNING, _PART))

    # -- a note near its end, where neither `mkfs` nor what looks for other systems' marks writes

    def note(self, text: str) -> None:
        """Write the note; it has reached the disk when this returns."""
        self._write_note(_padded(text))

    def bears(self, text: str) -> bool:
        """Tell whether this is its note."""
        with self.node.open("rb") as disk:
            disk.seek(self._note_offset())
            return disk.read(_NOTE_SIZE) == _padded(text)

    def unnote(self, text: str) -> None:
        """Take this note away, and nothing else that may lie there."""
        if self.bears(text):
            self._write_note(bytes(_NOTE_SIZE))

    def _write_note(self, content: bytes) -> None:
        with self.node.open("r+b") as disk:
            disk.seek(self._note_offset())
            disk.write(content)
            disk.flush()
            os.fsync(disk.fileno())

    def _note_offset(self) -> int:
        return max(0, self.size - _NOTE_FROM_END) // _NOTE_SIZE * _NOTE_SIZE


def find(volume_id: str, system: Path = SYSTEM, nodes: Path = Path("/dev")) -> BlockDevice | None:
    """Find the disk that bears a volume's id. Raises GuestError when several do."""
    found = sorted(each.name for each in system.iterdir() if _is_of(volume_id, _serial(each)))
    if len(found) > 1:
        raise GuestError(
            f"More than one disk bears the id of volume {volume_id}",
            seen=", ".join(found),
            remedy="Detach the disk that is not the volume, and try again.",
            retryable=True,
        )
    return BlockDevice(nodes / found[0]) if found else None


def serials(system: Path = SYSTEM) -> list[str]:
    """Tell the disks of this machine that bear an id, for people."""
    disks = sorted((each.name, _serial(each)) for each in system.iterdir())
    return [f"{name} ({serial})" for name, serial in disks if serial]


def _is_of(volume_id: str, serial: str) -> bool:
    return len(serial) >= SHORTEST_ID and volume_id.startswith(serial)


def _serial(disk: Path) -> str:
    """Give a virtio disk's serial, or a SCSI disk's: that page begins with four other bytes."""
    for name, skipped in (("serial", 0), ("device/vpd_pg80", 4)):
        try:
            return (disk / name).read_bytes()[skipped:].decode("ascii", "replace").strip("\0 \n")
        except OSError:
            continue
    return ""


def _padded(text: str) -> bytes:
    return text.encode().ljust(_NOTE_SIZE, b"\0")
