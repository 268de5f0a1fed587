"""The fake's volumes."""

from dataclasses import dataclass, field, replace
from typing import Any

from instar.control.providers.base import Handle, Snapshot, VolumeInfo
from instar.control.providers.fake.verbs import Verbs, make_handle, name_of, verb
from instar.wire.errors import ProviderError

GIB = 2**30
Files = dict[str, Any]


@dataclass
class FakeVolume:
    """A volume: its files, and those of its snapshots."""

    info: VolumeInfo
    content: Files = field(default_factory=dict)
    snapshots: dict[str, Files] = field(default_factory=dict)


class FakeVolumes(Verbs):
    """Volumes of at most `capacity` GiB altogether; `content` gives their files, which snapshots copy."""

    capacity: int

    def __init__(self) -> None:
        super().__init__()
        self._volumes: dict[str, FakeVolume] = {}

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
    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make a snapshot."""
        volume = self._volume(handle)
        volume.snapshots.setdefault(name, dict(volume.content))
        return Snapshot(make_handle("snapshot", name, volume=volume.info.id), name, instant=True)

    @verb
    def revert_volume(self, handle: Handle, snapshot: Handle) -> None:
        """Put a volume back to a snapshot."""
        volume, content = self._volume(handle), self._snapshot(snapshot)
        volume.content.clear()
        volume.content.update(content)

    @verb
    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume with a snapshot's content."""
        if name in self._volumes:
            return self._volumes[name].info
        content = self._snapshot(snapshot)
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

    def _snapshot(self, handle: Handle) -> Files:
        volume, name = self._volumes.get(handle["volume"]), name_of(handle, "snapshot")
        if volume is None or name not in volume.snapshots:
            raise ProviderError("The snapshot is gone", seen=name)
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
