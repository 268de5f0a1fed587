"""Data volumes: a directory each, with its snapshots beside it.

    <volumes>/<key>/volume.json    what it is, whom it is attached to, its snapshots
    <volumes>/<key>/data/          what the guest sees
    <volumes>/<key>/snapshots/     whole copies, by reference where the file system can, see `snapshots.py`
    <volumes>/<key>/.copy-*        copies under way, see `copies.py`

A plain directory can't be kept to a size: room is checked when a volume is made or grown, and `free` tells
what is left of its size and of the file system.
"""

from pathlib import Path

from instar.control.providers.base import Handle, VolumeInfo
from instar.control.providers.directories import copies, room, trash, trees
from instar.control.providers.directories.handles import Handles, key_of
from instar.control.providers.directories.registry import Registry
from instar.control.providers.directories.room import GIB
from instar.control.providers.directories.snapshots import Snapshots
from instar.control.providers.directories.volume_record import VolumeRecord
from instar.wire.errors import ProviderError


class Volumes:
    """The volumes under one directory."""

    def __init__(self, directory: Path, handles: Handles) -> None:
        self._directory, self._handles = directory, handles
        self.registry = Registry(directory, "volume", VolumeRecord)
        self.instant = trees.clones(directory)
        self.snapshots = Snapshots(self.registry, handles, instant=self.instant)

    def find(self, name: str) -> Handle | None:
        """Find the volume called `name`, also one whose record is damaged."""
        return self._handles.make("volume", name) if self.registry.has(key_of(name)) else None

    def ensure(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name`."""
        with self.registry.locked(key_of(name)):
            return self._make(name, size, None)

    def inspect(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""
        key = self._handles.key(handle, "volume")
        record = self.registry.read(key)
        return self._info(key, record) if record else None

    def destroy(self, handle: Handle) -> None:
        """Delete a volume with its snapshots. Raises ProviderError while it is attached, as far as known."""
        key = self._handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.glimpse(key)
            if record and record.attached_to:
                raise ProviderError(
                    f"Volume {record.name} is attached",
                    seen=f"to server {record.attached_to}",
                    remedy="detach it, or delete the server, first",
                )
            self.registry.remove(key)

    def extend(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume to `size` GiB. Raises ProviderError when it is larger, or the room is not there."""
        key = self._handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.found(key)
            if size < record.size:
                raise ProviderError("A volume can't shrink", seen=f"{record.size} GiB, asked for {size} GiB")
            room.check(self._directory, (size - record.size) * GIB, "the volume")
            record.size = size
            self.registry.write(key, record)
            return self._info(key, record)

    def clear(self) -> None:
        """Delete on what a process that ended had begun to delete, and what it left of its copies."""
        self.registry.clear()
        for key in self.registry:
            copies.clear(self.registry.place(key))

    # -- attachment

    def path(self, handle: Handle) -> Path:
        """Give the directory that a volume's data lies in."""
        return self.registry.place(self._handles.key(handle, "volume")) / "data"

    def attach(self, handle: Handle, server: str, owner: int | None) -> None:
        """Give a volume to a server. Raises ProviderError when another one has it."""
        key = self._handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.found(key)
            if record.attached_to not in (None, server):
                raise ProviderError(
                    f"Volume {record.name} is in use",
                    seen=f"attached to server {record.attached_to}",
                    remedy="detach it there first",
                )
            self.snapshots.settle(record)
            self._give(key, owner)
            record.attached_to = server
            self.registry.write(key, record)

    def detach(self, handle: Handle, server: str) -> None:
        """Take a volume from a server; succeeds when the server hasn't got it."""
        key = self._handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record and record.attached_to == server:
                record.attached_to = None
                self.registry.write(key, record)

    def release(self, server_key: str) -> None:
        """Take every volume from a server of which the key is all that is known for certain."""
        for key in self.registry:
            record = self.registry.glimpse(key)
            if record and record.attached_to and key_of(record.attached_to) == server_key:
                self.detach(self._handles.make("volume", record.name), record.attached_to)

    def check_whole(self, handle: Handle, owner: int | None) -> None:
        """See to it that a server can be started on the volume: a revert that is under way is given up, and
        what was put back is the server's own, also from when another one had the volume.

        Raises ProviderError when it can't be.
        """
        key = self._handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record and record.revert:
                self.snapshots.settle(record)
                self.registry.write(key, record)
            if record:
                self._give(key, owner)

    def _give(self, key: str, owner: int | None) -> None:
        data = self.registry.place(key) / "data"
        if owner is not None and data.lstat().st_uid != owner:
            trees.give(data, owner)

    def clone(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with a snapshot's content."""
        key = key_of(name)
        with self.registry.locked(key):
            if record := self.registry.read(key):
                return self._info(key, record)
            entry, content = self.snapshots.ready(snapshot)
            return self._make(name, entry.size, content)

    # -- what lies where

    def _make(self, name: str, size: int, content: Path | None) -> VolumeInfo:
        key, place = key_of(name), self.registry.place(key_of(name))
        if record := self.registry.read(key):
            return self._info(key, record)
        room.check(self._directory, size * GIB, "the volume")
        place.mkdir(0o711, exist_ok=True)
        trash.remove(place / "data")
        if content is None:
            (place / "data").mkdir(0o700)
        else:
            _copy(content, place / "data")
        (place / "snapshots").mkdir(0o700, exist_ok=True)
        record = VolumeRecord(name=name, size=size)
        self.registry.write(key, record)
        return self._info(key, record)

    def _info(self, key: str, record: VolumeRecord) -> VolumeInfo:
        used = trees.used(self.registry.place(key) / "data")
        free = room.free(self._directory)
        left = max(0, min(record.size * GIB - used, free))
        handle = self._handles.make("volume", record.name)
        return VolumeInfo(handle, handle["id"], record.size, used, left, record.attached_to, room=free)


def _copy(source: Path, target: Path) -> None:
    """Copy a tree so that `target` is whole from the moment it has its name."""
    partial = target.with_name(f".{target.name}.partial")
    trash.remove(partial)
    try:
        trees.copy(source, partial)
    except OSError:
        trash.remove(partial)
        raise
    partial.rename(target)
