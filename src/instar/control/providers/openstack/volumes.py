"""Volumes: Cinder's, each with the name of its instance.

Cinder keeps no name unique: of two volumes that were made at once, the one made first counts, and whoever
made the other deletes it.
"""

from collections.abc import Callable
from typing import Any

from instar.control.providers.base import Handle, VolumeInfo
from instar.control.providers.openstack import handles, states
from instar.control.providers.openstack.cloud import Cloud, oldest
from instar.control.providers.openstack.settings import OpenStackSettings
from instar.wire.errors import ProviderError

AT_REST = ("available", "in-use")
_LEAVING = ("deleting",)


class Volumes:
    """The volumes of the service account's project."""

    def __init__(self, cloud: Cloud, settings: OpenStackSettings) -> None:
        self._cloud = cloud
        self._placing = {
            "volume_type": settings.volume_type,
            "availability_zone": settings.availability_zone,
        }

    def find(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        volume = oldest(self._called(name))
        return handles.make("volume", volume.id, name) if volume else None

    def ensure(self, name: str, size: int, **source: str) -> VolumeInfo:
        """Find or make a volume, with the content of a `source` that Cinder knows.

        Raises ProviderError, with nothing left of the volume, when there is no room for it.
        """
        volume = oldest(self._called(name)) or self._make(name, size, source)
        return self._told(self._at_rest(volume.id))

    def inspect(self, handle: Handle) -> VolumeInfo | None:
        """Tell what Cinder knows of a volume."""
        volume = self.look(handles.id_of(handle, "volume"))
        return self._told(volume) if volume else None

    def present(self, handle: Handle) -> Any:
        """Give Cinder's record of a volume. Raises ProviderError when it is gone."""
        volume = self.look(handles.id_of(handle, "volume"))
        if volume is None:
            raise ProviderError("The volume is gone", seen=f"Cinder has no volume {handle['id']}")
        return volume

    def look(self, volume_id: str) -> Any | None:
        """Give Cinder's record of a volume, None when there is none or it is being deleted."""
        volume = self._get(volume_id)
        return volume if volume and volume.status not in _LEAVING else None

    def destroy(self, handle: Handle) -> None:
        """Delete a volume and its snapshots. Raises ProviderError while it is attached, or takes its time."""
        volume_id = handles.id_of(handle, "volume")
        volume = self._get(volume_id)
        if volume is None:
            return
        if server := self.server_of(volume):
            raise ProviderError(f"Volume {handle['name']} is attached", seen=f"to server {server}")
        if volume.status not in _LEAVING:
            self._cloud.ask(
                "delete a volume", lambda api: api.block_storage.delete_volume(volume_id, cascade=True)
            )
        gone(self._cloud, f"volume {handle['name']}", lambda: self._get(volume_id))

    def extend(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume; one that is attached grows under its server."""
        volume = self.present(handle)
        if size < volume.size:
            raise ProviderError("A volume can't shrink", seen=f"{volume.size} GiB, asked for {size} GiB")
        if size > volume.size:
            self._cloud.ask("grow a volume", lambda api: api.block_storage.extend_volume(volume, size))
        return self._told(self._at_rest(volume.id))

    def server_of(self, volume: Any) -> str | None:
        """Name the server that has a volume."""
        if not volume.attachments:
            return None
        server_id = volume.attachments[0]["server_id"]
        server = self._cloud.find("find a volume's server", lambda api: api.compute.get_server(server_id))
        return states.name_of(server) if server else server_id

    def becomes(self, volume_id: str, *statuses: str) -> bool:
        """Wait until a volume has one of these statuses, for as long as a call may take."""
        return bool(self._cloud.wait(lambda: _has(self.look(volume_id), statuses)))

    def _called(self, name: str) -> list[Any]:
        listed = self._cloud.ask(
            "look for a volume", lambda api: list(api.block_storage.volumes(details=True, name=name))
        )
        return [each for each in listed if each.name == name and each.status not in _LEAVING]

    def _get(self, volume_id: str) -> Any | None:
        return self._cloud.find("look at a volume", lambda api: api.block_storage.get_volume(volume_id))

    def _make(self, name: str, size: int, source: dict[str, str]) -> Any:
        about = "data of a database instance; made and deleted with it by Instar"
        wanted = {"name": name, "size": size, "description": about, **self._placing, **source}
        wanted = {option: value for option, value in wanted.items() if value is not None}
        made = self._cloud.ask("make a volume", lambda api: api.block_storage.create_volume(**wanted))
        first = oldest(self._called(name)) or made
        if first.id != made.id:
            self.becomes(made.id, "available", "error")
            self._cloud.ask("delete a volume", lambda api: api.block_storage.delete_volume(made))
        return first

    def _at_rest(self, volume_id: str) -> Any:
        """Wait until a volume can be used. Raises ProviderError; one that could not be made is deleted."""
        self.becomes(volume_id, *AT_REST, "error", "error_extending")
        volume = self.look(volume_id)
        if volume is None or volume.status in AT_REST:
            return volume or self._vanished(volume_id)
        if volume.status == "error":
            why = self._cloud.ask("read why", lambda api: _complaint(api, volume_id))
            self._cloud.ask("delete a volume", lambda api: api.block_storage.delete_volume(volume_id))
            raise ProviderError(
                f"Volume {volume.name} could not be made",
                seen=why or "Cinder says that it is in error",
                remedy="see that a back end of Cinder has room for it; cinder-scheduler's log has more",
            )
        raise ProviderError(
            f"Volume {volume.name} is not ready",
            seen=f"Cinder says that it is {volume.status}",
            remedy="wait; if nothing moves, cinder-volume's log has the cause",
            retryable=not volume.status.startswith("error"),
        )

    def _vanished(self, volume_id: str) -> Any:
        raise ProviderError(
            "The volume is gone again", seen=f"Cinder has no volume {volume_id}", retryable=True
        )

    def _told(self, volume: Any) -> VolumeInfo:
        return VolumeInfo(
            handle=handles.make("volume", volume.id, volume.name),
            id=volume.id,
            size=volume.size,
            attached_to=self.server_of(volume),
        )


def gone(cloud: Cloud, what: str, get: Callable[[], Any | None]) -> None:
    """Wait until something is deleted. Raises ProviderError, retryable when it may only take its time."""

    def look() -> bool | None:
        thing = get()
        return True if thing is None else False if thing.status.startswith("error") else None

    seen = cloud.wait(look)
    if not seen:
        raise ProviderError(
            f"{what.capitalize()} is not deleted yet"
            if seen is None
            else f"{what.capitalize()} can't be deleted",
            seen="Cinder is still at work on it" if seen is None else "Cinder says that it is in error",
            remedy="wait"
            if seen is None
            else "cinder-volume's log has the cause; reset its state, then try again",
            retryable=seen is None,
        )


def _has(thing: Any | None, statuses: tuple[str, ...]) -> bool | None:
    """Tell True for one with a status of these, False for none at all, None for one to look at again."""
    return False if thing is None else True if thing.status in statuses else None


def _complaint(api: Any, volume_id: str) -> str:
    """Read what Cinder tells users of what went wrong, the newest first."""
    said = [each.user_message for each in api.block_storage.messages(resource_uuid=volume_id)]
    return said[0] if said else ""
