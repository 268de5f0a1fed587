"""Data volumes: a directory each, with its snapshots beside it.

    <volumes>/<key>/volume.json    what it is, whom it is attached to, its snapshots
    <volumes>/<key>/data/          what the guest sees
    <volumes>/<key>/snapshots/     whole copies, by reference where the file system can

A plain directory can't be kept to a size: room is checked when a volume is made or grown, and `free` tells
what is left of its size and of the file system.
"""

import shutil
from pathlib import Path

from pydantic import BaseModel

from instar.control.providers.base import Handle, Snapshot, VolumeInfo
from instar.control.providers.local import handles, trees
from instar.control.providers.local.machine import trash
from instar.control.providers.local.registry import Registry
from instar.wire.errors import ProviderError

GIB = 2**30


class VolumeRecord(BaseModel):
    """What `volume.json` holds: sizes are in GiB, those of snapshots are their volume's at that moment."""

    name: str
    size: int
    attached_to: str | None = None
    snapshots: dict[str, int] = {}


class Volumes:
    """The volumes under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.registry = Registry(directory, "volume", VolumeRecord)
        self.instant = trees.clones(directory)

    def find(self, name: str) -> Handle | None:
        """Find the volume called `name`, also one whose record is damaged."""
        return handles.make("volume", name) if self.registry.has(handles.key_of(name)) else None

    def ensure(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name`."""
        with self.registry.locked(handles.key_of(name)):
            return self._make(name, size, None)

    def inspect(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""
        key = handles.key(handle, "volume")
        record = self.registry.read(key)
        return self._info(key, record) if record else None

    def destroy(self, handle: Handle) -> None:
        """Delete a volume with its snapshots. Raises ProviderError while it is attached, as far as known."""
        key = handles.key(handle, "volume")
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
        key = handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.found(key)
            if size < record.size:
                raise ProviderError("A volume can't shrink", seen=f"{record.size} GiB, asked for {size} GiB")
            self._check_room((size - record.size) * GIB)
            record.size = size
            self.registry.write(key, record)
            return self._info(key, record)

    # -- attachment

    def path(self, handle: Handle) -> Path:
        """Give the directory that a volume's data lies in."""
        return self.registry.place(handles.key(handle, "volume")) / "data"

    def attach(self, handle: Handle, server: str, owner: int | None) -> None:
        """Give a volume to a server. Raises ProviderError when another one has it."""
        key = handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.found(key)
            if record.attached_to not in (None, server):
                raise ProviderError(
                    f"Volume {record.name} is in use",
                    seen=f"attached to server {record.attached_to}",
                    remedy="detach it there first",
                )
            data = self.registry.place(key) / "data"
            if owner is not None and data.lstat().st_uid != owner:
                trees.give(data, owner)
            record.attached_to = server
            self.registry.write(key, record)

    def detach(self, handle: Handle, server: str) -> None:
        """Take a volume from a server; succeeds when the server hasn't got it."""
        key = handles.key(handle, "volume")
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record and record.attached_to == server:
                record.attached_to = None
                self.registry.write(key, record)

    def release(self, server_key: str) -> None:
        """Take every volume from a server of which the key is all that is known for certain."""
        for key in self.registry:
            record = self.registry.glimpse(key)
            if record and record.attached_to and handles.key_of(record.attached_to) == server_key:
                self.detach(handles.make("volume", record.name), record.attached_to)

    # -- snapshots

    def snapshot(self, handle: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`."""
        key = handles.key(handle, "volume")
        snapshot = handles.make("snapshot", name, volume=key)
        with self.registry.locked(key):
            record = self.registry.found(key)
            place = self._snapshot(snapshot)
            if not place.exists():
                self._check_room(0 if self.instant else trees.used(self.registry.place(key) / "data"))
                _copy(self.registry.place(key) / "data", place)
                record.snapshots[snapshot["key"]] = record.size
                self.registry.write(key, record)
        return Snapshot(snapshot, snapshot["id"], self.instant)

    def revert(self, handle: Handle, snapshot: Handle) -> None:
        """Put a volume back to one of its snapshots; the snapshot stays."""
        key = handles.key(handle, "volume")
        with self.registry.locked(key):
            self.registry.found(key)
            restored = self.registry.place(key) / "restored"
            trash.remove(restored)
            _copy(self._existing(snapshot), restored)
            trees.exchange(restored, self.registry.place(key) / "data")
            trash.remove(restored)

    def clone(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with a snapshot's content."""
        key = handles.key_of(name)
        with self.registry.locked(key):
            if record := self.registry.read(key):
                return self._info(key, record)
            source = self.registry.found(_volume(snapshot))
            content = self._existing(snapshot)
            return self._make(name, source.snapshots.get(snapshot["key"], source.size), content)

    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot."""
        place, volume = self._snapshot(snapshot), _volume(snapshot)
        with self.registry.locked(volume):
            if record := self.registry.read(volume):
                record.snapshots.pop(snapshot["key"], None)
                self.registry.write(volume, record)
            trash.remove(place)

    # -- what lies where

    def _make(self, name: str, size: int, content: Path | None) -> VolumeInfo:
        key, place = handles.key_of(name), self.registry.place(handles.key_of(name))
        if record := self.registry.read(key):
            return self._info(key, record)
        self._check_room(size * GIB)
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
        left = min(record.size * GIB - used, shutil.disk_usage(self._directory).free)
        handle = handles.make("volume", record.name)
        return VolumeInfo(handle, handle["id"], record.size, used, max(0, left), record.attached_to)

    def _check_room(self, asked: int) -> None:
        free = shutil.disk_usage(self._directory).free
        if asked > free:
            raise ProviderError(
                f"There is no room for the volume in {self._directory}",
                seen=f"{asked / GIB:.1f} GiB asked for, {free / GIB:.1f} GiB free",
                remedy="free space there, or ask for a smaller volume",
            )

    def _snapshot(self, snapshot: Handle) -> Path:
        return self.registry.place(_volume(snapshot)) / "snapshots" / handles.key(snapshot, "snapshot")

    def _existing(self, snapshot: Handle) -> Path:
        place = self._snapshot(snapshot)
        if not place.exists():
            raise ProviderError("The snapshot is gone", seen=f"no {place}")
        return place


def _volume(snapshot: Handle) -> str:
    return handles.key(snapshot | {"kind": "volume", "key": snapshot.get("volume")}, "volume")


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
