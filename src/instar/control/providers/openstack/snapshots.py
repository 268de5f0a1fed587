"""Snapshots of volumes: Cinder's, also of a volume that is attached."""

from typing import Any

from instar.control.providers.base import Handle, Snapshot, VolumeInfo
from instar.control.providers.openstack import handles
from instar.control.providers.openstack.cloud import Cloud, oldest
from instar.control.providers.openstack.volumes import Volumes, gone
from instar.wire.errors import ProviderError

_LEAVING = ("deleting", "deleted")


class Snapshots:
    """The snapshots of the service account's volumes; `instant` where the back end copies nothing."""

    def __init__(self, cloud: Cloud, volumes: Volumes, *, instant: bool) -> None:
        self._cloud, self._volumes, self._instant = cloud, volumes, instant

    def find(self, volume: Handle, name: str) -> Handle | None:
        """Find a volume's snapshot."""
        found = oldest(self._called(handles.id_of(volume, "volume"), name))
        return _handle(found) if found else None

    def all(self, volume: Handle) -> list[Snapshot]:
        """List a volume's snapshots, oldest first."""
        found = self._of(handles.id_of(volume, "volume"))
        return [self._told(each) for each in sorted(found, key=lambda each: (each.created_at, each.id))]

    def ensure(self, volume: Handle, name: str) -> Snapshot:
        """Find or make a snapshot. Raises ProviderError, with nothing left of it, when it can't be made."""
        volume_id = str(self._volumes.present(volume).id)
        snapshot = oldest(self._called(volume_id, name)) or self._make(volume_id, name)
        if snapshot.status == "error":
            self._delete(snapshot.id)
            raise ProviderError(
                f"Snapshot {name} could not be made",
                seen="Cinder says that it is in error",
                remedy="see that the volume's back end has room for it; cinder-volume's log has more",
            )
        return self._told(snapshot)

    def clone(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume with a snapshot's content."""
        if made := self._volumes.find(name):
            return self._volumes.ensure(name, self._volumes.present(made).size)
        source = self.ready(snapshot)
        return self._volumes.ensure(name, source.size, snapshot_id=source.id)

    def destroy(self, snapshot: Handle) -> None:
        """Delete a snapshot. Raises ProviderError, retryable, while it is being made or takes its time."""
        snapshot_id = handles.id_of(snapshot, "snapshot")
        found = self._get(snapshot_id)
        if found and found.status not in _LEAVING:
            self._cloud.wait(lambda: None if _is_coming(self._get(snapshot_id)) else True)
            self._delete(snapshot_id)
        gone(self._cloud, f"snapshot {snapshot['name']}", lambda: self._get(snapshot_id))

    def ready(self, snapshot: Handle) -> Any:
        """Give Cinder's record of a snapshot. Raises ProviderError when it is gone or not ready."""
        found = self._get(handles.id_of(snapshot, "snapshot"))
        if found is None or found.status in _LEAVING:
            raise ProviderError("The snapshot is gone", seen=f"Cinder has no snapshot {snapshot['id']}")
        if found.status != "available":
            raise ProviderError(
                "The snapshot is not ready",
                seen=f"Cinder says that it is {found.status}",
                remedy="make it ready first",
                retryable=_is_coming(found),
            )
        return found

    def _of(self, volume_id: str) -> list[Any]:
        listed = self._cloud.ask(
            "list snapshots", lambda api: [*api.block_storage.snapshots(details=True, volume_id=volume_id)]
        )
        return [each for each in listed if each.status not in _LEAVING]

    def _called(self, volume_id: str, name: str) -> list[Any]:
        return [each for each in self._of(volume_id) if each.name == name]

    def _get(self, snapshot_id: str) -> Any | None:
        return self._cloud.find("look at a snapshot", lambda api: api.block_storage.get_snapshot(snapshot_id))

    def _make(self, volume_id: str, name: str) -> Any:
        made = self._cloud.ask(
            "make a snapshot",
            lambda api: api.block_storage.create_snapshot(volume_id=volume_id, name=name, is_forced=True),
        )
        first = oldest(self._called(volume_id, name)) or made
        if first.id != made.id:
            self._cloud.wait(lambda: None if _is_coming(self._get(made.id)) else True)
            self._delete(made.id)
        return first

    def _delete(self, snapshot_id: str) -> None:
        self._cloud.ask("delete a snapshot", lambda api: api.block_storage.delete_snapshot(snapshot_id))

    def _told(self, snapshot: Any) -> Snapshot:
        progress = str(snapshot.progress or "").rstrip("%")
        return Snapshot(
            handle=_handle(snapshot),
            id=snapshot.id,
            instant=self._instant,
            ready=snapshot.status == "available",
            moved=int(progress) if progress.isdigit() else 0,
        )


def _handle(snapshot: Any) -> Handle:
    return handles.make("snapshot", snapshot.id, snapshot.name, volume=snapshot.volume_id)


def _is_coming(snapshot: Any | None) -> bool:
    return snapshot is not None and snapshot.status == "creating"
