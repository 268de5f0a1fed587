"""Servers: a record of what is wanted, and containers that come and go.

    <servers>/<key>.lock           held by whoever changes the server
    <servers>/<key>/server.json    see `server_record.py`
    <servers>/<key>/console-<n>    what container number n printed, kept when it went

A call writes down what is wanted and brings it about; `succession.py` tells how. What a crash interrupted
is finished by the next call or by `recover`, from the record and what the engine runs.

How long processes are given after SIGTERM, before SIGKILL: in a reboot `REBOOT_PATIENCE`; in a stop or delete
`STOP_PATIENCE`; in a rebuild `succession.PATIENCE`.
"""

import contextlib
from pathlib import Path

from instar.control.providers.base import FlavorSpec, Handle, Progress, ServerInfo, ServerSpec
from instar.control.providers.directories import records
from instar.control.providers.directories.files import check_files
from instar.control.providers.directories.handles import Handles, key_of
from instar.control.providers.directories.images import ImageStore
from instar.control.providers.directories.recovery import Recovery
from instar.control.providers.directories.servers import HALTED, KeptServers
from instar.control.providers.directories.tokens import remember
from instar.control.providers.directories.uids import pick
from instar.control.providers.directories.volumes import Volumes
from instar.control.providers.podman.containers import Containers, Seen
from instar.control.providers.podman.imports import Imports
from instar.control.providers.podman.server_record import Build, ServerRecord
from instar.control.providers.podman.settings import PodmanSettings
from instar.control.providers.podman.succession import Succession, runs_otherwise, wanted
from instar.wire.errors import BadRequest, NotSupported, ProviderError
from instar.wire.states import ServerState

HANDLES = Handles("podman")
REBOOT_PATIENCE, STOP_PATIENCE = 30.0, 10.0
BRIEF, LONG = 0.5, 10.0
"""Seconds that a call waits for an image on its way: one that only stages it, and one that needs it."""
_NONE = "none"


class Servers(KeptServers[ServerRecord]):
    """The servers under one directory."""

    def __init__(
        self,
        directory: Path,
        settings: PodmanSettings,
        images: ImageStore,
        volumes: Volumes,
        imports: Imports,
        containers: Containers,
    ) -> None:
        super().__init__(directory, ServerRecord, HANDLES, volumes)
        self._settings, self._images = settings, images
        self._imports, self._containers = imports, containers
        self._succession = Succession(self.registry, containers)
        self._recovery = Recovery(self._clear)

    def ensure(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server; repeat while its image is on its way into the engine."""
        if spec.volume is None:
            raise NotSupported("A container gets its volume when it is made, not later")
        image = self._images.get(spec.image)
        check_files(spec.files)
        key, handle = key_of(spec.name), HANDLES.make("server", spec.name)
        progress = self._imports.advance(image, LONG)
        if not progress.done:
            return ServerInfo(handle, ServerState.BUILDING, reason=progress.reason)
        with self.registry.locked(key):
            record = self._present(key) if self.registry.has(key) else self._begin(spec, key)
            if record.current is None and not self._succession.is_made(record):
                self._attach(record, spec.volume)
                self._succession.make_next(record, image, "", spec.files)
            self._succession.revive(record, self._containers.all(key))
        return self.inspect(handle)

    def stage(self, handle: Handle, ref: str) -> Progress:
        """Bring an image into the engine, and make a container of it beside what runs."""
        key, image = HANDLES.key(handle, "server"), self._images.get(ref)
        progress = self._imports.advance(image, BRIEF)
        if progress.done:
            with self.registry.locked(key):
                self._succession.prepare(self._present(key), image)
        return progress

    def rebuild(self, handle: Handle, ref: str, files: dict[str, str], token: str) -> ServerInfo:
        """Put another container in a server's place; once for each token, however often and late it comes."""
        if not token:
            raise BadRequest("token: a rebuild needs a name")
        image = self._images.get(ref)
        check_files(files)
        key = HANDLES.key(handle, "server")
        progress = self._imports.advance(image, LONG)
        if not progress.done:
            return ServerInfo(handle, ServerState.BUILDING, reason=progress.reason)
        with self.registry.locked(key):
            record = self._present(key)
            if token not in record.rebuilds:
                self._succession.settle(record)
                record.rebuilds = remember(record.rebuilds, token)
                self.registry.write(key, record)
            if token == record.rebuilds[-1]:
                if token not in (each.token for each in (record.current, record.next) if each):
                    self._check_volume(record)
                    self._succession.make_next(record, image, token, files)
                self._succession.revive(record, self._containers.all(key))
        return self.inspect(handle)

    def reboot(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again; once for each token, however often and however late it is called."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            if token not in record.reboots:
                self._check_volume(record)
                record.reboots = remember(record.reboots, token)
                record.ends = self._boot_of(record) or _NONE
                record.halt = ""
                self.registry.write(key, record)
            if record.ends and not record.halt:
                if record.current and self._boot_of(record) == record.ends:
                    self._containers.end(key, REBOOT_PATIENCE)
                self._succession.revive(record, self._containers.all(key))
                record.ends = ""
                self.registry.write(key, record)
        return self.inspect(handle)

    def stop(self, handle: Handle, token: str) -> ServerInfo:
        """End every process of a server and keep it so; once for each token.

        Raises ProviderError, retryable, when a process of it would not end.
        """
        if not token:
            raise BadRequest("token: a stop needs a name")
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            if token not in record.stops:
                record.stops = remember(record.stops, token)
                record.halt, record.ends = "begun", ""
                self.registry.write(key, record)
            if record.halt == "begun":
                self._containers.end(key, STOP_PATIENCE)
                record.halt = "done"
                self.registry.write(key, record)
        return self.inspect(handle)

    def resize(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Put a container of another size in a server's place, on the root disk that the server has."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self._runnable(key, "resized")
            if record.next:  # what was begun before comes first
                self._succession.revive(record, self._containers.all(key))
            record.flavor, record.ram, record.vcpus = flavor.id, flavor.ram, flavor.vcpus
            self.registry.write(key, record)
            self._succession.make_resized(record, REBOOT_PATIENCE)
            self._succession.revive(record, self._containers.all(key))
        return self.inspect(handle)

    def destroy(self, handle: Handle) -> None:
        """Delete a server. Raises ProviderError, retryable, when a process of it would not end."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            if record := self.registry.glimpse(key):
                record.leaving = True
                with contextlib.suppress(OSError):  # a full disk must not keep a server from being deleted
                    self.registry.write(key, record)
            self._containers.end(key, STOP_PATIENCE)
            self._succession.clear(key, keep=set())
            self._volumes.release(key)
            self.registry.remove(key)

    def attach(self, handle: Handle, volume: Handle) -> None:
        """Give a volume to a server; a container that was made without it has to be rebuilt to see it."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            self._attach(self._present(key), volume)

    def detach(self, handle: Handle, volume: Handle) -> None:
        """Take a volume from a server. Raises ProviderError while the server runs."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record is None or record.volume is None or record.volume["key"] != volume["key"]:
                return
            if self._runs(key):
                raise ProviderError(
                    f"Server {record.name} uses its volume", seen="it runs", remedy="stop the server first"
                )
            record.volume = record.data = None
            self.registry.write(key, record)
            self._volumes.detach(volume, record.name)

    def inspect(self, handle: Handle) -> ServerInfo:
        """Tell what the engine runs, and which image we made that from."""
        key = HANDLES.key(handle, "server")
        try:
            record = self.registry.read(key)
        except ProviderError as error:
            return ServerInfo(handle, ServerState.ERROR, reason=error.body.sentence())
        if record is None:
            return ServerInfo(handle, ServerState.MISSING)
        seen = self._containers.all(key)
        build = self._succession.in_place(record, seen)
        if build is None:
            return ServerInfo(handle, ServerState.BUILDING, reason="repeat the call that makes it")
        state, reason = _halted(record.halt, seen) or _state(build, seen)
        return ServerInfo(handle, state, build.image, build.token, reason, build.flavor)

    def console(self, handle: Handle, lines: int) -> str:
        """Give the last lines that the container in place printed, and the one before it."""
        key = HANDLES.key(handle, "server")
        record = self.registry.read(key)
        build = self._succession.in_place(record, self._containers.all(key)) if record and lines > 0 else None
        return self._succession.console.read(self.registry.place(key), build, lines) if build else ""

    # -- what should run and does not

    def recover(self) -> None:
        """Start what is down and should not be, and delete what was left of deletions and copies."""
        seen = self._containers.all()
        self._recovery.run(self.registry, lambda key: self._recover(key, seen))

    def _recover(self, key: str, seen: list[Seen]) -> None:
        """Start a server that is down; one that somebody else is at work on is left to them."""
        if self._needs_care(key, seen):
            with self.registry.locked_if_free(key) as free:
                if free and self._needs_care(key, self._containers.all(key)):
                    record = self._present(key)
                    self._succession.clear(key, keep=wanted(record))
                    self._succession.revive(record, self._containers.all(key))

    def _needs_care(self, key: str, seen: list[Seen]) -> bool:
        """Tell whether something runs that should not or the other way round, or is left from a crash."""
        record = self.registry.read(key)
        if record is None or record.leaving or (record.current is None and record.next is None):
            return False
        own = [each for each in seen if each.key == key]
        if {each.number for each in own} - wanted(record):
            return True
        if record.halt:
            return record.halt == "done" and not all(each.is_at_rest for each in own)
        return record.current is None or bool(record.next) or runs_otherwise(record.current, own)

    def _clear(self) -> None:
        super()._clear()
        self._imports.prune()

    # -- steps; the caller holds the lock

    def _begin(self, spec: ServerSpec, key: str) -> ServerRecord:
        place = self.registry.place(key)
        place.mkdir(0o700, exist_ok=True)
        with records.locked(self._directory / "uids.lock"):
            taken = [record.uid for other in self.registry if (record := self.registry.glimpse(other))]
            record = ServerRecord(
                name=spec.name,
                key=key,
                uid=pick(place, taken, self._settings.uid_base, self._settings.uid_count),
                ram=spec.flavor.ram,
                flavor=spec.flavor.id,
                vcpus=spec.flavor.vcpus,
                address=spec.port.address,
                hostname=spec.port.hostname,
            )
            self.registry.write(key, record)
        return record

    def _attach(self, record: ServerRecord, volume: Handle) -> None:
        self._check_attachment(record, volume)
        self._volumes.attach(volume, record.name, record.uid)
        record.volume, record.data = volume, str(self._volumes.path(volume))
        self.registry.write(record.key, record)

    def _runs(self, key: str) -> bool:
        return not all(each.is_at_rest for each in self._containers.all(key))

    def _boot_of(self, record: ServerRecord) -> str | None:
        return self._containers.boot_of(record.key, record.current.number) if record.current else None


def _halted(halt: str, seen: list[Seen]) -> tuple[ServerState, str] | None:
    if halt == "done" and not all(each.is_at_rest for each in seen):
        return ServerState.BUILDING, "it was stopped, and runs; a worker ends it within moments"
    return HALTED.get(halt)


def _state(build: Build, seen: list[Seen]) -> tuple[ServerState, str]:
    found = next((each for each in seen if each.number == build.number), None)
    if found is None:
        return ServerState.ERROR, "its container is gone from the engine; a rebuild makes another"
    if found.is_up:
        return ServerState.ACTIVE, ""
    if not found.is_at_rest:
        return ServerState.BUILDING, f"its container is {found.state}"
    return ServerState.STOPPED, f"its container is {found.state}; a worker starts it again within moments"
