"""Reverting a volume: Cinder reverts only one that is detached, and only to its newest snapshot.

So it is taken from its stopped server, reverted, and given back. How far that is stands in the volume's
metadata, for its server forgets it meanwhile:

    instar_revert    PHASE SNAPSHOT SERVER; the server is - for a volume that had none

    taking     it is to be detached, and then Cinder to be asked for the revert; to ask twice does no harm
    reverting  Cinder was asked: once the volume is at rest it is given back, and then the mark goes
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from instar.control.providers.base import Handle, Progress
from instar.control.providers.openstack import handles
from instar.control.providers.openstack.cloud import Cloud
from instar.control.providers.openstack.servers import Servers
from instar.control.providers.openstack.snapshots import Snapshots
from instar.control.providers.openstack.volumes import Volumes
from instar.wire.errors import ProviderError

MARK = "instar_revert"
TAKING, REVERTING = "taking", "reverting"
_NOBODY = "-"


@dataclass(frozen=True)
class Revert:
    """A revert under way."""

    phase: str
    snapshot: str
    server: str


class Reverting:
    """Puts volumes back to snapshots."""

    def __init__(self, cloud: Cloud, volumes: Volumes, snapshots: Snapshots, servers: Servers) -> None:
        self._cloud, self._volumes, self._snapshots, self._servers = cloud, volumes, snapshots, servers

    def revert(self, handle: Handle, snapshot: Handle) -> Progress:
        """Go on with a revert for as long as a call may take; a new one is begun when none is under way."""
        volume, snapshot_id = self._volumes.present(handle), handles.id_of(snapshot, "snapshot")
        revert = _read(volume)
        if revert is None or revert.snapshot != snapshot_id:
            self._begin(volume, handle, snapshot, revert)
        if self._cloud.wait(lambda: self._is_done(handle)):
            return Progress(done=True)
        status = self._volumes.present(handle).status
        return Progress(False, _moved(_read(volume)), f"Cinder says that the volume is {status}")

    def _begin(self, volume: Any, handle: Handle, snapshot: Handle, before: Revert | None) -> None:
        wanted = self._snapshots.ready(snapshot)
        newest = self._snapshots.all(handle)[-1]
        if newest.id != wanted.id:
            raise ProviderError(
                "A volume goes back to its newest snapshot only",
                seen=f"snapshot {newest.handle['name']} is newer than {wanted.name}",
                remedy="delete the newer ones first",
            )
        attached = volume.attachments[0]["server_id"] if volume.attachments else None
        server = attached or (before.server if before else _NOBODY)
        if server != _NOBODY and not self._servers.is_kept_stopped(server):
            raise ProviderError(
                f"Server {self._volumes.server_of(volume) or server} is not stopped", remedy="stop it first"
            )
        self._mark(volume, Revert(TAKING, wanted.id, server))

    def _is_done(self, handle: Handle) -> bool | None:
        """Take the next step, if its time has come."""
        volume = self._volumes.present(handle)
        revert = _read(volume)
        if revert is None:
            return True
        match revert.phase, volume.status:
            case (_, "error"):
                self._mark(volume, dataclasses.replace(revert, phase=TAKING))
                raise ProviderError(
                    f"Volume {volume.name} could not be put back to its snapshot",
                    seen="Cinder says that the volume is in error",
                    remedy="mend what cinder-volume's log tells of, reset the volume's state, and try again",
                )
            case ("taking", "in-use"):
                self._servers.take(volume.attachments[0]["server_id"], volume.id)
            case ("taking", "available"):
                self._ask(volume, revert)
            case ("taking", "reverting"):
                self._mark(volume, dataclasses.replace(revert, phase=REVERTING))
            case ("reverting", "available"):
                return self._give_back(volume, revert)
            case ("reverting", "in-use"):
                return self._end(volume)
        return None

    def _ask(self, volume: Any, revert: Revert) -> None:
        snapshot = revert.snapshot
        self._cloud.ask(
            "put a volume back to a snapshot",
            lambda api: api.block_storage.revert_volume_to_snapshot(volume, snapshot),
        )
        self._mark(volume, dataclasses.replace(revert, phase=REVERTING))

    def _give_back(self, volume: Any, revert: Revert) -> bool | None:
        if revert.server == _NOBODY or not self._servers.give(revert.server, volume.id):
            return self._end(volume)
        return None

    def _end(self, volume: Any) -> bool:
        self._cloud.ask(
            "unmark a volume", lambda api: api.block_storage.delete_volume_metadata(volume, keys=[MARK])
        )
        return True

    def _mark(self, volume: Any, revert: Revert) -> None:
        text = " ".join((revert.phase, revert.snapshot, revert.server))
        self._cloud.ask(
            "mark a volume", lambda api: api.block_storage.set_volume_metadata(volume, **{MARK: text})
        )


def _read(volume: Any) -> Revert | None:
    text = (volume.metadata or {}).get(MARK)
    return Revert(*text.split()) if text else None


def _moved(revert: Revert | None) -> int:
    return 1 if revert and revert.phase == TAKING else 2
