"""Servers: a root directory and a machine each.

    <servers>/<key>.lock      held by whoever changes the server
    <servers>/<key>/          see `machine/__init__.py`; besides, staged/ holds unpacked images

A call writes what is wanted into `server.json`, with a new boot number where the server has to boot, and has
a machine take on that boot: the one that runs, else a new one. The machine does the rest: it ends what the
boot before left, swaps the roots, boots. So a call is brief, may be repeated, and what a crash interrupted is
finished by the next one.

How long the old processes are given after SIGTERM, before SIGKILL: in a rebuild `REBUILD_PATIENCE`, for the
guest has stopped its database by then; in a reboot `REBOOT_PATIENCE`; in a stop or delete `STOP_PATIENCE`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from instar.control.providers.base import Handle, Progress, ServerInfo, ServerSpec
from instar.control.providers.local import handles, machines, roots, uids
from instar.control.providers.local.boot import Booter
from instar.control.providers.local.images import ImageStore
from instar.control.providers.local.machine import records
from instar.control.providers.local.machine.supervisor import CONSOLE_LIMIT, NEXT, tail
from instar.control.providers.local.registry import Registry
from instar.control.providers.local.server_record import Build, ServerRecord, remember
from instar.control.providers.local.settings import LocalSettings
from instar.control.providers.local.volumes import Volumes
from instar.wire.errors import BadRequest, ProviderError
from instar.wire.states import ServerState

REBUILD_PATIENCE, REBOOT_PATIENCE, STOP_PATIENCE = 2.0, 30.0, 10.0

_HALTED = {
    "begun": (ServerState.BUILDING, "it is being stopped; repeat the call that stops it"),
    "done": (ServerState.STOPPED, "it was stopped; a reboot or rebuild starts it"),
}


class Servers:
    """The servers under one directory."""

    def __init__(
        self, directory: Path, settings: LocalSettings, images: ImageStore, volumes: Volumes
    ) -> None:
        self._directory, self._settings = directory, settings
        self._images, self._volumes = images, volumes
        self._booter = Booter(settings.interpreter)
        self.registry = Registry(directory, "server", ServerRecord)

    def find(self, name: str) -> Handle | None:
        """Find the server called `name`, also one whose record is damaged."""
        return handles.make("server", name) if self.registry.has(handles.key_of(name)) else None

    def ensure(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server, and start its machine when it has none."""
        image = self._images.get(spec.image)
        roots.check_files(spec.files)
        key = handles.key_of(spec.name)
        with self.registry.locked(key):
            record = self._present(key) if self.registry.has(key) else self._begin(spec, key)
            if not record.boot:
                self._attach(key, record, spec.volume)
                self._make_ready(key, record, Build(image=image.ref), spec.files)
            self._revive(key)
        return self.inspect(handles.make("server", spec.name))

    def stage(self, handle: Handle, ref: str) -> None:
        """Unpack an image beside a server's root; takes about a second, in one go."""
        key, image = handles.key(handle, "server"), self._images.get(ref)
        with self.registry.locked(key):
            uid = self._present(key).uid
            roots.stage(self.registry.place(key), image, self._images.tree(ref), uid)

    def rebuild(self, handle: Handle, ref: str, files: dict[str, str], token: str) -> ServerInfo:
        """Give a server a new root; once for each token, however often and however late it is called."""
        if not token:
            raise BadRequest("token: a rebuild needs a name")
        self._images.get(ref)
        roots.check_files(files)
        key = handles.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            if token not in record.rebuilds:
                record.current = self._in_place(key, record)
                record.rebuilds = remember(record.rebuilds, token)
                record.next = Build(token=token)
                record.patience = REBUILD_PATIENCE
            if token == record.next.token:
                if not record.next.ready:
                    self._check_volume(record)
                    self._make_ready(key, record, Build(image=ref, token=token), files)
                self._boot(key, record)
        return self.inspect(handle)

    def reboot(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again; once for each token, however often and however late it is called."""
        key = handles.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            if token not in record.reboots:
                self._check_volume(record)
                record.reboots = remember(record.reboots, token)
                record.boot += 1
                record.halt = ""
                record.patience = REBOOT_PATIENCE
                self.registry.write(key, record)
            self._boot(key, record)
        return self.inspect(handle)

    def stop(self, handle: Handle, token: str) -> ServerInfo:
        """End every process of a server and keep it so; once for each token.

        Raises ProviderError, retryable, when a process of it would not end.
        """
        if not token:
            raise BadRequest("token: a stop needs a name")
        key = handles.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            if token not in record.stops:
                record.stops = remember(record.stops, token)
                record.boot += 1  # whatever is being booted is not wanted any more
                record.halt = "begun"
                self.registry.write(key, record)
            if record.halt == "begun":
                machines.end(self.registry.place(key), record.uid, record.places, STOP_PATIENCE)
                record.halt = "done"
                self.registry.write(key, record)
        return self.inspect(handle)

    def destroy(self, handle: Handle) -> None:
        """Delete a server. Raises ProviderError, retryable, when a process of it would not end."""
        key = handles.key(handle, "server")
        with self.registry.locked(key):
            place = self.registry.place(key)
            if place.exists():
                self._end(key, place)
            self.registry.remove(key)

    def attach(self, handle: Handle, volume: Handle) -> None:
        """Make a volume appear in a server."""
        key = handles.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            self._attach(key, record, volume)
            if (root := self.registry.place(key) / "root").exists():
                roots.link_data(root, record.data, record.uid)

    def detach(self, handle: Handle, volume: Handle) -> None:
        """Make a volume disappear from a server."""
        key = handles.key(handle, "server")
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record is None or record.volume is None or record.volume["key"] != volume["key"]:
                return
            record.volume = record.data = None
            record.places = [str(self.registry.place(key))]
            self.registry.write(key, record)
            if (root := self.registry.place(key) / "root").exists():
                roots.link_data(root, None, record.uid)
            self._volumes.detach(volume, record.name)

    def revert(self, volume: Handle, snapshot: Handle) -> Progress:
        """Put a volume back to a snapshot. Raises ProviderError unless the server that has it is STOPPED."""
        return self._volumes.snapshots.revert(volume, snapshot, lambda: self._stopped(volume))

    @contextlib.contextmanager
    def _stopped(self, volume: Handle) -> Iterator[None]:
        """Hold the server that has a volume, if any, and see that it is stopped."""
        name = self._volumes.registry.found(handles.key(volume, "volume")).attached_to
        if name is None:
            yield
            return
        with self.registry.locked(handles.key_of(name)):
            record = self.registry.read(handles.key_of(name))
            if record and record.halt != "done":
                raise ProviderError(
                    f"Server {name} is not stopped",
                    seen="it has the volume that is to be put back to a snapshot",
                    remedy="stop the server first",
                )
            yield

    def inspect(self, handle: Handle) -> ServerInfo:
        """Tell what the server's machine says, and from which image we made the root that is in place."""
        key = handles.key(handle, "server")
        try:
            record = self.registry.read(key)
            if record is None:
                return ServerInfo(handle, ServerState.MISSING)
            state, reason = _HALTED.get(record.halt) or machines.state(self.registry.place(key), record.boot)
        except FileNotFoundError:
            return ServerInfo(handle, ServerState.MISSING)
        except ProviderError as error:
            return ServerInfo(handle, ServerState.ERROR, reason=error.body.sentence())
        build = self._in_place(key, record)
        return ServerInfo(handle, state, build.image, build.token, reason)

    def console(self, handle: Handle, lines: int) -> str:
        """Give the last lines of the console log."""
        console = self.registry.place(handles.key(handle, "server")) / "console.log"
        said = b"".join(
            tail(path, CONSOLE_LIMIT) for path in (console.with_suffix(".log.1"), console) if path.exists()
        )
        return "\n".join(said.decode(errors="replace").splitlines()[-lines:]) if lines > 0 else ""

    # -- what should run and does not

    def recover(self, key: str) -> None:
        """Boot a server whose machine is gone; one that somebody else is at work on is left to them.

        Raises ProviderError when its record is damaged or it does not boot.
        """
        if self._is_down(key):
            with self.registry.locked_if_free(key) as free:
                if free and self._is_down(key):
                    self._revive(key)

    def _is_down(self, key: str) -> bool:
        record = self.registry.read(key)
        if record is None or record.leaving or record.halt or not record.boot:
            return False
        try:
            return not machines.has_claimed(self.registry.place(key), record.boot)
        except FileNotFoundError:
            return False

    # -- steps; the caller holds the lock

    def _begin(self, spec: ServerSpec, key: str) -> ServerRecord:
        place = self.registry.place(key)
        place.mkdir(0o711, exist_ok=True)
        for name in roots.PRIVATE:
            (place / name).mkdir(0o700, exist_ok=True)
        (place / "console.log").touch(0o600)
        with records.locked(self._directory / "uids.lock"):
            record = ServerRecord(
                name=spec.name,
                key=key,
                uid=uids.pick(place, self._taken(), self._settings.uid_base, self._settings.uid_count),
                ram=spec.flavor.ram,
                places=[str(place)],
                patience=REBUILD_PATIENCE,
                next=Build(image=spec.image),
            )
            self.registry.write(key, record)
        return record

    def _taken(self) -> list[int | None]:
        return [self._uid(key, self.registry.glimpse(key)) for key in self.registry]

    def _uid(self, key: str, record: ServerRecord | None) -> int | None:
        if record:
            return record.uid
        return uids.owner(self.registry.place(key), self._settings.uid_base, self._settings.uid_count)

    def _present(self, key: str) -> ServerRecord:
        record = self.registry.found(key)
        if record.leaving:
            raise ProviderError(
                f"Server {record.name} is being deleted",
                seen=f"a deletion of {self.registry.place(key)} that has not finished",
                remedy="delete it again",
            )
        return record

    def _attach(self, key: str, record: ServerRecord, volume: Handle) -> None:
        if record.volume and record.volume["key"] != handles.key(volume, "volume"):
            raise ProviderError(f"Server {record.name} has a volume", seen=str(record.volume["name"]))
        self._volumes.attach(volume, record.name, record.uid)
        data = self._volumes.path(volume)
        record.volume, record.data = volume, str(data)
        record.places = [str(self.registry.place(key)), str(data.parent)]
        self.registry.write(key, record)

    def _make_ready(self, key: str, record: ServerRecord, build: Build, files: dict[str, str]) -> None:
        """Make the next root; when the record says that it is ready, the machine may put it in place."""
        image = self._images.get(str(build.image))
        record.next = build
        self.registry.write(key, record)
        place, tree = self.registry.place(key), self._images.tree(image.ref)
        roots.make_next(place, image, tree, files, record.data, record.uid)
        record.next.ready = True
        record.boot += 1
        record.halt = ""
        self.registry.write(key, record)

    def _in_place(self, key: str, record: ServerRecord) -> Build:
        """Tell of the root in place: the one that was asked for last, once it left where it was made."""
        is_swapped = record.next.ready and not (self.registry.place(key) / NEXT).exists()
        return record.next if is_swapped else record.current

    def _boot(self, key: str, record: ServerRecord) -> None:
        """See to it that a machine is at work on the boot that is wanted."""
        if record.boot and not record.halt:
            self._booter.boot(self.registry.place(key), record.boot)

    def _revive(self, key: str) -> None:
        """Boot a server again if its machine is gone; a database may have outlived it, and gets its time."""
        record = self._present(key)
        if not record.halt and not machines.has_claimed(self.registry.place(key), record.boot):
            record.patience = REBOOT_PATIENCE
            self.registry.write(key, record)
            self._boot(key, record)

    def _check_volume(self, record: ServerRecord) -> None:
        if record.halt and record.volume:
            self._volumes.check_whole(record.volume)

    def _end(self, key: str, place: Path) -> None:
        """End all processes and let go of the volume, as far as a damaged record lets us know of them."""
        record = self.registry.glimpse(key)
        if record:
            record.leaving = True
            record.boot += 1
            with contextlib.suppress(OSError):  # a full disk must not keep a server from being deleted
                self.registry.write(key, record)
        places = record.places if record else [str(place)]
        machines.end(place, self._uid(key, record), places, STOP_PATIENCE)
        self._volumes.release(key)
