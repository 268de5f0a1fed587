"""What is kept of every server, and what its volume asks of it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

from instar.control.providers.base import Handle, Progress
from instar.control.providers.directories.handles import Handles, key_of
from instar.control.providers.directories.registry import Registry
from instar.control.providers.directories.volumes import Volumes
from instar.wire.errors import NotSupported, ProviderError
from instar.wire.states import ServerState

HALTED = {
    "begun": (ServerState.BUILDING, "it is being stopped; repeat the call that stops it"),
    "done": (ServerState.STOPPED, "it was stopped; a reboot or rebuild starts it"),
}


class KeptServer(BaseModel):
    """What every provider keeps of a server.

    `rebuilds`, `reboots` and `stops` are the tokens that were begun, oldest first: none of them begins
    anything again. A server with a `halt` is to stay stopped: its stop was begun, or is done. It is `leaving`
    when its deletion was begun. `data` is the directory of its volume; `flavor` is None for a server that an
    older release made.
    """

    name: str
    key: str
    uid: int | None
    ram: int
    flavor: str | None = None
    volume: Handle | None = None
    data: str | None = None
    rebuilds: list[str] = []
    reboots: list[str] = []
    stops: list[str] = []
    halt: Literal["", "begun", "done"] = ""
    leaving: bool = False


R = TypeVar("R", bound=KeptServer)


class KeptServers(Generic[R]):
    """The records of servers under one directory."""

    def __init__(self, directory: Path, shape: type[R], handles: Handles, volumes: Volumes) -> None:
        self._directory, self._handles, self._volumes = directory, handles, volumes
        self.registry = Registry(directory, "server", shape)

    def find(self, name: str) -> Handle | None:
        """Find the server called `name`, also one whose record is damaged."""
        return self._handles.make("server", name) if self.registry.has(key_of(name)) else None

    def revert(self, volume: Handle, snapshot: Handle) -> Progress:
        """Put a volume back to a snapshot. Raises ProviderError unless the server that has it is STOPPED."""
        return self._volumes.snapshots.revert(volume, snapshot, lambda: self._stopped(volume))

    @contextlib.contextmanager
    def _stopped(self, volume: Handle) -> Iterator[None]:
        """Hold the server that has a volume, if any, and see that it is stopped."""
        name = self._volumes.registry.found(self._handles.key(volume, "volume")).attached_to
        if name is None:
            yield
            return
        with self.registry.locked(key_of(name)):
            record = self.registry.read(key_of(name))
            if record and (record.halt != "done" or self._runs(key_of(name))):
                raise ProviderError(
                    f"Server {name} is not stopped",
                    seen="it has the volume that is to be put back to a snapshot",
                    remedy="stop the server first",
                )
            yield

    def _runs(self, key: str) -> bool:
        """Tell whether anything of a server runs, whatever its record says, as far as that can be seen."""
        return False

    def hand_over(self, old: Handle, new: Handle, volume: Handle) -> Progress:
        """Refuse, where a server's volume is settled when it is made."""
        raise NotSupported("This provider can't hand a volume from one server to another")

    def _present(self, key: str) -> R:
        record = self.registry.found(key)
        if record.leaving:
            raise ProviderError(
                f"Server {record.name} is being deleted",
                seen=f"a deletion of {self.registry.place(key)} that has not finished",
                remedy="delete it again",
            )
        return record

    def _runnable(self, key: str, purpose: str) -> R:
        """Give the record of a server that is not stopped. Raises ProviderError."""
        record = self._present(key)
        if record.halt:
            raise ProviderError(
                f"Server {record.name} can't be {purpose}", seen="it is stopped", remedy="start it first"
            )
        return record

    def _check_volume(self, record: R) -> None:
        """See to it that a server that was stopped can be started on its volume."""
        if record.halt and record.volume:
            self._volumes.check_whole(record.volume, record.uid)

    def _check_attachment(self, record: R, volume: Handle) -> None:
        if record.volume and record.volume["key"] != self._handles.key(volume, "volume"):
            raise ProviderError(f"Server {record.name} has a volume", seen=str(record.volume["name"]))

    def _clear(self) -> None:
        """Delete on what processes that ended had begun to delete, and what they left of copies."""
        self.registry.clear()
        self._volumes.clear()
