"""Snapshots of volumes, and the way back to them.

A copy is made beside its place and put there in one step, under the volume's lock and only if it is wanted
still: `volume.json` says which copy that is.
"""

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from instar.control.providers.base import Handle, Progress, Snapshot
from instar.control.providers.directories import copies, records, room, trash, trees
from instar.control.providers.directories.copies import Copies, Job
from instar.control.providers.directories.handles import Handles, key_of
from instar.control.providers.directories.registry import BRIEF, Registry
from instar.control.providers.directories.volume_record import RevertRecord, SnapshotRecord, VolumeRecord
from instar.wire.errors import ProviderError

Stopped = Callable[[], AbstractContextManager[None]]
"""Holds the volume's server still while something is done. Raises ProviderError unless it is STOPPED."""


class Snapshots:
    """The snapshots of a registry's volumes; `instant` where the file system copies by reference."""

    def __init__(self, registry: Registry[VolumeRecord], handles: Handles, *, instant: bool) -> None:
        self._registry, self._handles, self._instant = registry, handles, instant
        self._copies = Copies()

    # -- looking

    def list(self, volume: Handle) -> list[Snapshot]:
        """List a volume's snapshots, also those that are not ready."""
        key = self._handles.key(volume, "volume")
        record = self._registry.read(key)
        return [self._told(key, entry) for entry in record.snapshots.values()] if record else []

    def find(self, volume: Handle, name: str) -> Handle | None:
        """Find a volume's snapshot called `name`, also one that is not ready."""
        return next((each.handle for each in self.list(volume) if each.handle["name"] == name), None)

    def ready(self, snapshot: Handle) -> tuple[SnapshotRecord, Path]:
        """Give a snapshot's record and files. Raises ProviderError when it is gone, or not ready."""
        key, volume = self._handles.key(snapshot, "snapshot"), self._handles.volume_of(snapshot)
        entry, place = self._registry.found(volume).snapshots.get(key), self._place(volume, key)
        if entry is None or self._is_gone(volume, entry):
            raise ProviderError("The snapshot is gone", seen=f"no {place}")
        if not entry.ready:
            raise ProviderError(
                f"Snapshot {entry.name} is not ready",
                seen="its copying has not ended",
                remedy="repeat the call that makes it until it is ready",
            )
        return entry, place

    # -- making and deleting

    def ensure(self, volume: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`, or go on with making it; repeat until it is ready."""
        key, own = self._handles.key(volume, "volume"), key_of(name)
        entry, moved = self._begin(key, name), 0
        if not entry.ready:
            moved = self._advance(key, own, entry.number)
            entry = self._registry.found(key).snapshots.get(own, entry)
        return self._told(key, entry, moved)

    def destroy(self, snapshot: Handle) -> None:
        """Delete a snapshot; the making of one that is not ready ends by itself."""
        volume, key = self._handles.volume_of(snapshot), self._handles.key(snapshot, "snapshot")
        with self._registry.locked(volume):
            if (place := self._place(volume, key)).exists():
                self._registry.put_aside(place).join(BRIEF)
            if record := self._registry.read(volume):
                record.snapshots.pop(key, None)
                self._registry.write(volume, record)
        copies.clear(self._registry.place(volume))

    def _begin(self, key: str, name: str) -> SnapshotRecord:
        with self._registry.locked(key):
            record = self._registry.found(key)
            entry = record.snapshots.get(key_of(name))
            if entry is None or self._is_gone(key, entry):
                copies.clear(self._registry.place(key))
                self._check_room(key)
                entry = SnapshotRecord(name=name, size=record.size, number=_number())
                record.snapshots[key_of(name)] = entry
                self._registry.write(key, record)
            return entry

    def _advance(self, key: str, own: str, number: str) -> int:
        def wanted() -> SnapshotRecord | None:
            record = self._registry.glimpse(key)
            entry = record.snapshots.get(own) if record else None
            return entry if entry and entry.number == number and not entry.ready else None

        def commit(partial: Path) -> None:
            with self._registry.locked(key):
                if entry := wanted():
                    place = self._place(key, own)
                    trash.remove(place)
                    partial.rename(place)
                    records.sync_directory(place.parent)
                    self._replace(key, own, entry.model_copy(update={"ready": True}))

        job = Job(self._data(key), lambda: wanted() is not None, commit)
        try:
            sight = self._copies.advance(self._registry.place(key), number, job)
        except OSError:
            with self._registry.locked(key):
                if wanted():
                    self._replace(key, own, None)
            raise
        if sight.stalled:
            with self._registry.locked(key):
                if entry := wanted():
                    self._replace(key, own, entry.model_copy(update={"number": _number()}))
        return sight.moved

    def _replace(self, key: str, own: str, entry: SnapshotRecord | None) -> None:
        record = self._registry.found(key)
        record.snapshots.pop(own)
        if entry:
            record.snapshots[own] = entry
        self._registry.write(key, record)

    # -- going back

    def revert(self, volume: Handle, snapshot: Handle, stopped: Stopped) -> Progress:
        """Put a volume back to one of its snapshots, or go on with that; repeat until done."""
        key = self._handles.key(volume, "volume")
        if self._handles.volume_of(snapshot) != key:
            raise ProviderError("The snapshot is another volume's", seen=str(snapshot.get("name")))
        _, source = self.ready(snapshot)
        with stopped(), self._registry.locked(key):
            begun = self._begin_revert(key, self._handles.key(snapshot, "snapshot"), source)

        def is_wanted() -> bool:
            record = self._registry.glimpse(key)
            return bool(record and record.revert and record.revert.number == begun.number)

        def commit(partial: Path) -> None:
            with stopped(), self._registry.locked(key):
                if is_wanted():
                    self._put_in_place(key, partial)

        def prepare(partial: Path) -> None:
            if begun.emptied:
                self._make_room(key, partial, is_wanted)

        job = Job(source, is_wanted, commit, prepare)
        try:
            sight = self._copies.advance(self._registry.place(key), begun.number, job)
        except OSError:
            self._begin_anew(key, begun)
            raise
        if sight.stalled:
            self._take_over(key, begun)
        under_way = self._registry.found(key).revert
        return Progress(under_way is None, sight.moved, "the snapshot is being copied" if under_way else "")

    def settle(self, record: VolumeRecord) -> None:
        """Give up a revert that is under way. Raises ProviderError when the data are not whole without it."""
        if record.revert and record.revert.emptied:
            raise ProviderError(
                f"Volume {record.name} is being put back to a snapshot",
                seen="its data had to be deleted first, for want of room",
                remedy="repeat the revert until it is done",
            )
        record.revert = None

    def _begin_revert(self, key: str, snapshot: str, source: Path) -> RevertRecord:
        record = self._registry.found(key)
        if record.revert is None or record.revert.snapshot != snapshot:
            copies.clear(self._registry.place(key))
            emptied = bool(record.revert and record.revert.emptied) or self._must_empty(key, source)
            record.revert = RevertRecord(snapshot=snapshot, number=_number(), emptied=emptied)
            self._registry.write(key, record)
        return record.revert

    def _must_empty(self, key: str, source: Path) -> bool:
        needed, there = trees.used(source), room.free(source)
        if self._instant or needed <= there:
            return False
        place = self._registry.place(key)
        room.check(place, needed - trees.used(self._data(key)), "putting the volume back to its snapshot")
        return True

    def _make_room(self, key: str, partial: Path, is_wanted: Callable[[], bool]) -> None:
        """Put an empty directory in the place of the data, and wait until these are deleted.

        Nothing is deleted at the data's own path, where another process may have put back the snapshot.
        """
        with self._registry.locked(key):
            if not is_wanted():
                return
            partial.mkdir(0o700)
            self._exchange(key, partial)
            removal = self._registry.put_aside(partial)
        removal.join()
        self._registry.clear()  # also what another process put aside, and was frozen before it was deleted

    def _put_in_place(self, key: str, partial: Path) -> None:
        record = self._registry.found(key)
        self._exchange(key, partial)
        record.revert = None
        self._registry.write(key, record)
        self._registry.put_aside(partial)

    def _exchange(self, key: str, partial: Path) -> None:
        data = self._data(key)
        if (owner := data.lstat().st_uid) != partial.lstat().st_uid:
            trees.give(partial, owner)
        trees.exchange(partial, data)
        records.sync_directory(data.parent)

    def _begin_anew(self, key: str, begun: RevertRecord) -> None:
        """Have the next call ask again whether there is room beside the data, unless these are gone."""
        with self._registry.locked(key):
            record = self._registry.glimpse(key)
            if record and record.revert == begun and not begun.emptied:
                record.revert = None
                self._registry.write(key, record)

    def _take_over(self, key: str, begun: RevertRecord) -> None:
        with self._registry.locked(key):
            record = self._registry.found(key)
            if record.revert == begun:
                record.revert = begun.model_copy(update={"number": _number()})
                self._registry.write(key, record)

    # -- what lies where

    def _told(self, volume: str, entry: SnapshotRecord, moved: int = 0) -> Snapshot:
        handle = self._handles.make("snapshot", entry.name, volume=volume)
        return Snapshot(handle, handle["id"], self._instant, entry.ready, 0 if entry.ready else moved)

    def _check_room(self, key: str) -> None:
        if not self._instant:
            room.check(self._registry.place(key), trees.used(self._data(key)), "a snapshot of the volume")

    def _is_gone(self, volume: str, entry: SnapshotRecord) -> bool:
        """Tell whether a snapshot that was ready has lost its files, as when its deletion was interrupted."""
        return entry.ready and not self._place(volume, key_of(entry.name)).exists()

    def _data(self, key: str) -> Path:
        return self._registry.place(key) / "data"

    def _place(self, volume: str, key: str) -> Path:
        return self._registry.place(volume) / "snapshots" / key


def _number() -> str:
    return uuid.uuid4().hex[:12]
