"""Data volumes: a directory each, with its snapshots beside it.

    <volumes>/<key>/volume.json    what it is, whom it is attached to, its snapshots
    <volumes>/<key>/data/          what the guest sees
    <volumes>/<key>/snapshots/     whole copies, by reference where the file system can

A plain directory can't be kept to a size: room is checked when a volume is made or grown, and `free` tells
what is left of its size and of the file system.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instar.control.providers.base import Handle, Snapshot, VolumeInfo
from instar.control.providers.local import handles, trees
from instar.control.providers.local.machine import records, trash
from instar.wire.errors import ProviderError

GIB = 2**30


class Volumes:
    """The volumes under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.instant = trees.clones(directory)

    def find(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        return handles.make("volume", name) if self._read(handles.key_of(name)) else None

    def ensure(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name`."""
        with self._locked(handles.key_of(name)):
            return self._make(name, size, None)

    def inspect(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""
        key = handles.key(handle, "volume")
        record = self._read(key)
        return self._info(key, record) if record else None

    def destroy(self, handle: Handle) -> None:
        """Delete a volume with its snapshots. Raises ProviderError while it is attached."""
        key = handles.key(handle, "volume")
        with self._locked(key):
            record = self._read(key)
            if record and record["attached_to"]:
                raise ProviderError(
                    f"Volume {record['name']} is attached",
                    seen=f"to server {record['attached_to']}",
                    remedy="detach it, or delete the server, first",
                )
            (self._place(key) / "volume.json").unlink(missing_ok=True)
            trash.remove(self._place(key))

    def extend(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume to `size` GiB. Raises ProviderError when it is larger, or the room is not there."""
        key = handles.key(handle, "volume")
        with self._locked(key):
            record = self._found(key)
            if size < record["size"]:
                raise ProviderError(
                    "A volume can't shrink", seen=f"{record['size']} GiB, asked for {size} GiB"
                )
            self._check_room((size - record["size"]) * GIB)
            self._write(key, record | {"size": size})
            return self._info(key, self._found(key))

    # -- attachment

    def path(self, handle: Handle) -> Path:
        """Give the directory that a volume's data lies in."""
        return self._place(handles.key(handle, "volume")) / "data"

    def attach(self, handle: Handle, server: str, owner: int | None) -> None:
        """Give a volume to a server. Raises ProviderError when another one has it."""
        key = handles.key(handle, "volume")
        with self._locked(key):
            record = self._found(key)
            if record["attached_to"] not in (None, server):
                raise ProviderError(
                    f"Volume {record['name']} is in use",
                    seen=f"attached to server {record['attached_to']}",
                    remedy="detach it there first",
                )
            data = self._place(key) / "data"
            if owner is not None and data.stat().st_uid != owner:
                trees.give(data, owner)
            self._write(key, record | {"attached_to": server})

    def detach(self, handle: Handle, server: str) -> None:
        """Take a volume from a server; succeeds when the server hasn't got it."""
        key = handles.key(handle, "volume")
        with self._locked(key):
            record = self._read(key)
            if record and record["attached_to"] == server:
                self._write(key, record | {"attached_to": None})

    # -- snapshots

    def snapshot(self, handle: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`."""
        key = handles.key(handle, "volume")
        snapshot = handles.make("snapshot", name, volume=key)
        with self._locked(key):
            record = self._found(key)
            place = self._snapshot(snapshot)
            if not place.exists():
                self._check_room(0 if self.instant else trees.used(self._place(key) / "data"))
                _copy(self._place(key) / "data", place)
                record["snapshots"][snapshot["key"]] = record["size"]
                self._write(key, record)
        return Snapshot(snapshot, snapshot["id"], self.instant)

    def revert(self, handle: Handle, snapshot: Handle) -> None:
        """Put a volume back to one of its snapshots; the snapshot stays."""
        key = handles.key(handle, "volume")
        with self._locked(key):
            self._found(key)
            restored = self._place(key) / "restored"
            trash.remove(restored)
            _copy(self._existing(snapshot), restored)
            trees.exchange(restored, self._place(key) / "data")
            trash.remove(restored)

    def clone(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with a snapshot's content."""
        key = handles.key_of(name)
        with self._locked(key):
            if record := self._read(key):
                return self._info(key, record)
            source = self._found(_volume(snapshot))
            content = self._existing(snapshot)
            return self._make(name, source["snapshots"].get(snapshot["key"], source["size"]), content)

    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot."""
        place, volume = self._snapshot(snapshot), _volume(snapshot)
        with self._locked(volume):
            if record := self._read(volume):
                record["snapshots"].pop(snapshot["key"], None)
                self._write(volume, record)
            trash.remove(place)

    # -- what lies where

    def _make(self, name: str, size: int, content: Path | None) -> VolumeInfo:
        key, place = handles.key_of(name), self._place(handles.key_of(name))
        if record := self._read(key):
            return self._info(key, record)
        self._check_room(size * GIB)
        place.mkdir(0o711, exist_ok=True)
        trash.remove(place / "data")
        if content is None:
            (place / "data").mkdir(0o700)
        else:
            _copy(content, place / "data")
        (place / "snapshots").mkdir(0o700, exist_ok=True)
        record = {"name": name, "size": size, "attached_to": None, "snapshots": {}}
        self._write(key, record)
        return self._info(key, record)

    def _info(self, key: str, record: dict[str, Any]) -> VolumeInfo:
        used = trees.used(self._place(key) / "data")
        left = min(record["size"] * GIB - used, shutil.disk_usage(self._directory).free)
        handle = handles.make("volume", record["name"])
        return VolumeInfo(handle, handle["id"], record["size"], used, max(0, left), record["attached_to"])

    def _check_room(self, asked: int) -> None:
        free = shutil.disk_usage(self._directory).free
        if asked > free:
            raise ProviderError(
                f"There is no room for the volume in {self._directory}",
                seen=f"{asked / GIB:.1f} GiB asked for, {free / GIB:.1f} GiB free",
                remedy="free space there, or ask for a smaller volume",
            )

    def _place(self, key: str) -> Path:
        return self._directory / key

    def _snapshot(self, snapshot: Handle) -> Path:
        return self._place(_volume(snapshot)) / "snapshots" / handles.key(snapshot, "snapshot")

    def _existing(self, snapshot: Handle) -> Path:
        place = self._snapshot(snapshot)
        if not place.exists():
            raise ProviderError("The snapshot is gone", seen=f"no {place}")
        return place

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        lock = self._directory / f"{key}.lock"
        with records.locked(lock):
            try:
                yield
            finally:
                if not self._place(key).exists():
                    lock.unlink()

    def _read(self, key: str) -> dict[str, Any] | None:
        return records.read(self._place(key) / "volume.json")

    def _found(self, key: str) -> dict[str, Any]:
        record = self._read(key)
        if record is None:
            raise ProviderError("The volume is gone", seen=f"no {self._place(key)}/volume.json")
        return record

    def _write(self, key: str, record: dict[str, Any]) -> None:
        records.write(self._place(key) / "volume.json", record)


def _volume(snapshot: Handle) -> str:
    return handles.key(snapshot | {"kind": "volume", "key": snapshot.get("volume")}, "volume")


def _copy(source: Path, target: Path) -> None:
    """Copy a tree so that `target` is whole from the moment it has its name."""
    partial = target.with_name(f".{target.name}.partial")
    trash.remove(partial)
    trees.copy(source, partial)
    partial.rename(target)
