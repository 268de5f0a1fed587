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
import os
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
from instar.control.providers.local import machines, roots, uids
from instar.control.providers.local.boot import Booter
from instar.control.providers.local.machine.supervisor import CONSOLE_LIMIT, NEXT, tail
from instar.control.providers.local.server_record import Build, ServerRecord
from instar.control.providers.local.settings import LocalSettings
from instar.wire.errors import BadRequest, ProviderError
from instar.wire.states import ServerState

HANDLES = Handles("local")
REBUILD_PATIENCE, REBOOT_PATIENCE, STOP_PATIENCE = 2.0, 30.0, 10.0


class Servers(KeptServers[ServerRecord]):
    """The servers under one directory."""

    def __init__(
        self, directory: Path, settings: LocalSettings, images: ImageStore, volumes: Volumes
    ) -> None:
        super().__init__(directory, ServerRecord, HANDLES, volumes)
        self._settings, self._images = settings, images
        self._booter = Booter(settings.interpreter)
        self._recovery = Recovery(self._clear)

    def ensure(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server, and start its machine when it has none."""
        image = self._images.get(spec.image)
        check_files(spec.files)
        key = key_of(spec.name)
        with self.registry.locked(key):
            record = self._present(key) if self.registry.has(key) else self._begin(spec, key)
            if not record.boot:
                if spec.volume is not None:
                    self._attach(key, record, spec.volume)
                self._make_ready(key, record, Build(image=image.ref), spec.files)
            self._revive(key)
        return self.inspect(HANDLES.make("server", spec.name))

    def stage(self, handle: Handle, ref: str) -> Progress:
        """Unpack an image beside a server's root; takes about a second, in one go."""
        key, image = HANDLES.key(handle, "server"), self._images.get(ref)
        with self.registry.locked(key):
            uid = self._present(key).uid
            roots.stage(self.registry.place(key), image, self._tree(ref), uid)
        return Progress(done=True)

    def rebuild(self, handle: Handle, ref: str, files: dict[str, str], token: str) -> ServerInfo:
        """Give a server a new root; once for each token, however often and however late it is called."""
        if not token:
            raise BadRequest("token: a rebuild needs a name")
        self._images.get(ref)
        check_files(files)
        key = HANDLES.key(handle, "server")
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
        key = HANDLES.key(handle, "server")
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
        key = HANDLES.key(handle, "server")
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

    def resize(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Have a server boot with another limit on its memory; one that has it is left alone."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self._runnable(key, "resized")
            if (record.flavor, record.ram) != (flavor.id, flavor.ram):
                record.flavor, record.ram = flavor.id, flavor.ram
                record.boot += 1
                record.patience = REBOOT_PATIENCE
                self.registry.write(key, record)
            self._boot(key, record)
        return self.inspect(handle)

    def destroy(self, handle: Handle) -> None:
        """Delete a server. Raises ProviderError, retryable, when a process of it would not end."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            place = self.registry.place(key)
            if place.exists():
                self._end(key, place)
            self.registry.remove(key)

    def attach(self, handle: Handle, volume: Handle) -> None:
        """Make a volume appear in a server."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self._present(key)
            self._attach(key, record, volume)
            if (root := self.registry.place(key) / "root").exists():
                roots.link_data(root, record.data, record.uid)

    def detach(self, handle: Handle, volume: Handle) -> None:
        """Make a volume disappear from a server."""
        key = HANDLES.key(handle, "server")
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record is not None:
                self._detach(key, record, volume)

    def hand_over(self, old: Handle, new: Handle, volume: Handle) -> Progress:
        """Take a volume from a server that is stopped, or gone, and make it appear in another.

        An address is anybody's here who listens on it: the old server's end has set it free.
        """
        key = HANDLES.key(old, "server")
        self._present(HANDLES.key(new, "server"))
        with self.registry.locked(key):
            record = self.registry.read(key)
            if record is not None:
                if record.halt != "done":
                    raise ProviderError(f"Server {record.name} is not stopped", remedy="stop it first")
                self._detach(key, record, volume)
        self.attach(new, volume)
        return Progress(done=True)

    def inspect(self, handle: Handle) -> ServerInfo:
        """Tell what the server's machine says, and from which image we made the root that is in place."""
        key = HANDLES.key(handle, "server")
        try:
            record = self.registry.read(key)
            if record is None:
                return ServerInfo(handle, ServerState.MISSING)
            state, reason = HALTED.get(record.halt) or machines.state(self.registry.place(key), record.boot)
        except FileNotFoundError:
            return ServerInfo(handle, ServerState.MISSING)
        except ProviderError as error:
            return ServerInfo(handle, ServerState.ERROR, reason=error.body.sentence())
        build = self._in_place(key, record)
        return ServerInfo(handle, state, build.image, build.token, reason, record.flavor)

    def console(self, handle: Handle, lines: int) -> str:
        """Give the last lines of the console log."""
        console = self.registry.place(HANDLES.key(handle, "server")) / "console.log"
        said = b"".join(
            tail(path, CONSOLE_LIMIT) for path in (console.with_suffix(".log.1"), console) if path.exists()
        )
        return "\n".join(said.decode(errors="replace").splitlines()[-lines:]) if lines > 0 else ""

    # -- what should run and does not

    def recover(self) -> None:
        """Boot every server whose machine is gone, and delete what was left of deletions and copies."""
        self._recovery.run(self.registry, self._recover)

    def _recover(self, key: str) -> None:
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
                uid=self._pick_uid(place),
                ram=spec.flavor.ram,
                flavor=spec.flavor.id,
                places=[str(place)],
                patience=REBUILD_PATIENCE,
                next=Build(image=spec.image),
            )
            self.registry.write(key, record)
        return record

    def _pick_uid(self, place: Path) -> int | None:
        """Pick a uid, None unless we are root. Raises ProviderError as `check_reachable` does."""
        if os.getuid() != 0:
            return None
        uids.check_reachable(self._directory)
        return pick(place, self._taken(), self._settings.uid_base, self._settings.uid_count)

    def _taken(self) -> list[int | None]:
        return [self._uid(key, self.registry.glimpse(key)) for key in self.registry]

    def _uid(self, key: str, record: ServerRecord | None) -> int | None:
        if record:
            return record.uid
        return uids.owner(self.registry.place(key), self._settings.uid_base, self._settings.uid_count)

    def _attach(self, key: str, record: ServerRecord, volume: Handle) -> None:
        self._check_attachment(record, volume)
        self._volumes.attach(volume, record.name, record.uid)
        data = self._volumes.path(volume)
        record.volume, record.data = volume, str(data)
        record.places = [str(self.registry.place(key)), str(data.parent)]
        self.registry.write(key, record)

    def _detach(self, key: str, record: ServerRecord, volume: Handle) -> None:
        """Take a volume away, in the order that can be gone on with after a crash anywhere."""
        if record.volume is not None and record.volume["key"] == HANDLES.key(volume, "volume"):
            record.volume = record.data = None
            record.places = [str(self.registry.place(key))]
            self.registry.write(key, record)
        if record.volume is None:
            if (root := self.registry.place(key) / "root").exists():
                roots.link_data(root, None, record.uid)
            self._volumes.detach(volume, record.name)

    def _make_ready(self, key: str, record: ServerRecord, build: Build, files: dict[str, str]) -> None:
        """Make the next root; when the record says that it is ready, the machine may put it in place."""
        image = self._images.get(str(build.image))
        record.next = build
        self.registry.write(key, record)
        place, tree = self.registry.place(key), self._tree(image.ref)
        roots.make_next(place, image, tree, files, record.data, record.uid)
        record.next.ready = True
        record.boot += 1
        record.halt = ""
        self.registry.write(key, record)

    def _tree(self, ref: str) -> Path:
        return self._images.place(ref) / "tree"

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
