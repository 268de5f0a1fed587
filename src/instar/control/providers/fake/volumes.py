"""The fake's volumes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from instar.control.providers.base import Abilities, Handle, Progress, Snapshot, VolumeInfo
from instar.control.providers.fake.verbs import Verbs, make_handle, name_of, verb
from instar.wire.errors import ProviderError

GIB = 2**30
Files = dict[str, Any]


@dataclass
class FakeSnapshot:
    """A snapshot: the files, what the guest keeps apart from them, and how many calls it still takes."""

    content: Files
    kept: Any
    polls: int = 0


@dataclass
class FakeVolume:
    """A volume: its files, its snapshots, and how many calls a revert that was begun still takes."""

    info: VolumeInfo
    content: Files = field(default_factory=dict)
    snapshots: dict[str, FakeSnapshot] = field(default_factory=dict)
    reverting: int | None = None


class FakeVolumes(Verbs):
    """Volumes of at most `capacity` GiB altogether; `content` gives their files, which snapshots copy.

    `on_snapshot` gives what fake guests keep for a volume (by name), `on_revert` gets it back.
    """

    capacity: int
    abilities: Abilities

    def __init__(self) -> None:
        super().__init__()
        self._volumes: dict[str, FakeVolume] = {}
        self.on_snapshot: Callable[[str], Any] = lambda name: None
        self.on_revert: Callable[[str, Any], None] = lambda name, kept: None

    def content(self, volume: Handle) -> Files:
        """Give a volume's files, to read and to change."""
        return self._volume(volume).content

    @verb
    def find_volume(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        return make_handle("volume", name) if name in self._volumes else None

    @verb
    def ensure_volume(self, name: str, size: int) -> VolumeInfo:
        """Find or make a volume; all of them together are at most `capacity` GiB."""
        return self._make_volume(name, size, {}).info

    @verb
    def inspect_volume(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume."""
        volume = self._volumes.get(name_of(handle, "volume"))
        return volume.info if volume else None

    @verb
    def destroy_volume(self, handle: Handle) -> None:
        """Delete a volume and its snapshots; refused while it is attached."""
        name = name_of(handle, "volume")
        if name in self._volumes and (server := self._volumes[name].info.attached_to):
            raise ProviderError(f"Volume {name} is attached", seen=f"to server {server}")
        self._volumes.pop(name, None)

    @verb
    def extend_volume(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume."""
        volume = self._volume(handle)
        if size < volume.info.size:
            raise ProviderError("A volume can't shrink", seen=f"{volume.info.size} GiB, asked for {size} GiB")
        self._check_room(size - volume.info.size)
        return self._change(volume, size=size, free=size * GIB)

    @verb
    def find_snapshot(self, volume: Handle, name: str) -> Handle | None:
        """Find a volume's snapshot."""
        found = self._volumes.get(name_of(volume, "volume"))
        return (
            make_handle("snapshot", name, volume=found.info.id) if found and name in found.snapshots else None
        )

    @verb
    def snapshots(self, volume: Handle) -> list[Snapshot]:
        """List a volume's snapshots."""
        found = self._volumes.get(name_of(volume, "volume"))
        return [self._told(found, name) for name in found.snapshots] if found else []

    @verb
    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make a snapshot: at once, or ready after as many calls as `slow` was dialled to."""
        volume = self._volume(handle)
        if name not in volume.snapshots:
            polls = self.dials.polls.get("snapshot_volume", 1)
            volume.snapshots[name] = FakeSnapshot(
                dict(volume.content), self.on_snapshot(volume.info.id), polls
            )
        snapshot = volume.snapshots[name]
        snapshot.polls = max(0, snapshot.polls - 1)
        return self._told(volume, name)

    @verb
    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume with a snapshot's content."""
        if name in self._volumes:
            return self._volumes[name].info
        content = self._snapshot(snapshot).content
        return self._make_volume(name, self._volumes[snapshot["volume"]].info.size, content).info

    @verb
    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot."""
        if volume := self._volumes.get(snapshot["volume"]):
            volume.snapshots.pop(name_of(snapshot, "snapshot"), None)

    def _volume(self, handle: Handle) -> FakeVolume:
        volume = self._volumes.get(name_of(handle, "volume"))
        if volume is None:
            raise ProviderError("The volume is gone", seen=str(handle["name"]))
        return volume

    def _revert(self, handle: Handle, snapshot: Handle) -> Progress:
        volume, kept = self._volume(handle), self._snapshot(snapshot)
        if volume.reverting is None:
            volume.reverting = self.dials.polls.get("revert_volume", 1)
        volume.reverting -= 1
        if volume.reverting > 0:
            return Progress(False, GIB // volume.reverting, "the snapshot is being copied")
        volume.reverting = None
        volume.content.clear()
        volume.content.update(kept.content)
        self.on_revert(volume.info.id, kept.kept)
        return Progress(done=True)

    def _told(self, volume: FakeVolume, name: str) -> Snapshot:
        polls, handle = volume.snapshots[name].polls, make_handle("snapshot", name, volume=volume.info.id)
        return Snapshot(
            handle, name, self.abilities.instant_snapshots, not polls, GIB // polls if polls else 0
        )

    def _snapshot(self, handle: Handle) -> FakeSnapshot:
        volume, name = self._volumes.get(handle["volume"]), name_of(handle, "snapshot")
        if volume is None or name not in volume.snapshots:
            raise ProviderError("The snapshot is gone", seen=name)
        if volume.snapshots[name].polls:
            raise ProviderError("The snapshot is not ready", seen=name, remedy="make it ready first")
        return volume.snapshots[name]

    def _make_volume(self, name: str, size: int, content: Files) -> FakeVolume:
        if name not in self._volumes:
            self._check_room(size)
            info = VolumeInfo(make_handle("volume", name), name, size, used=0, free=size * GIB)
            self._volumes[name] = FakeVolume(info, dict(content))
        return self._volumes[name]

    def _check_room(self, size: int) -> None:
        used = sum(volume.info.size for volume in self._volumes.values())
        if used + size > self.capacity:
            raise ProviderError(
                "There is no room for the volume", seen=f"{used} of {self.capacity} GiB are used"
            )

    def _change(self, volume: FakeVolume, **changes: Any) -> VolumeInfo:
        volume.info = replace(volume.info, **changes)
        return volume.info
