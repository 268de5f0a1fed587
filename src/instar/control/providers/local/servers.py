"""Servers: a root directory and a machine each.

    <servers>/<key>.lock      held by whoever changes the server
    <servers>/<key>/          see `machine/__init__.py`; besides, staged/ holds unpacked images

A call writes what is wanted into `server.json`, with a new boot number where the server has to boot, and has
a machine take on that boot: the one that runs, else a new one. The machine does the rest: it ends what the
boot before left, swaps the roots, boots. So a call is brief, may be repeated, and what a crash interrupted is
finished by the next one.

How long the old processes are given after SIGTERM, before SIGKILL: in a rebuild `REBUILD_PATIENCE`, for the
guest has stopped its database by then; in a reboot `REBOOT_PATIENCE`; in a delete `DESTROY_PATIENCE`.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instar.control.providers.base import Handle, ServerInfo, ServerSpec
from instar.control.providers.local import handles, roots
from instar.control.providers.local.boot import Booter, has_claimed
from instar.control.providers.local.images import ImageStore
from instar.control.providers.local.machine import cgroup, records, takeover, trash
from instar.control.providers.local.machine.lock import RUNNING, MachineLock
from instar.control.providers.local.settings import LocalSettings
from instar.control.providers.local.volumes import Volumes
from instar.wire.errors import BadRequest, ProviderError
from instar.wire.states import ServerState

REBUILD_PATIENCE, REBOOT_PATIENCE, DESTROY_PATIENCE = 2.0, 30.0, 10.0


class Servers:
    """The servers under one directory."""

    def __init__(
        self, directory: Path, settings: LocalSettings, images: ImageStore, volumes: Volumes
    ) -> None:
        self._directory, self._settings = directory, settings
        self._images, self._volumes = images, volumes
        self._booter = Booter(settings.interpreter)

    def find(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        return handles.make("server", name) if self._read(handles.key_of(name)) else None

    def ensure(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server, and start its machine when it has none."""
        image = self._images.get(spec.image)
        key = handles.key_of(spec.name)
        with self._locked(key):
            record = self._read(key) or self._begin(spec, key)
            if not record["boot"]:
                self._attach(key, record, spec.volume)
                self._make_ready(key, record, image.ref, spec.files)
            self._revive(key)
        return self.inspect(handles.make("server", spec.name))

    def stage(self, handle: Handle, ref: str) -> None:
        """Unpack an image beside a server's root; takes about a second, in one go."""
        key, image = handles.key(handle, "server"), self._images.get(ref)
        with self._locked(key):
            uid = self._found(key)["uid"]
            roots.stage(self._place(key), image, self._images.tree(ref), uid)

    def rebuild(self, handle: Handle, ref: str, files: dict[str, str], token: str) -> ServerInfo:
        """Give a server a new root; once for each token, however often it is called."""
        if not token:
            raise BadRequest("token: a rebuild needs a name")
        key = handles.key(handle, "server")
        with self._locked(key):
            record = self._found(key)
            if record["next"]["token"] != token:
                record["token"] = self._carried_out(key, record)
                record["next"] = {"token": token, "image": ref, "ready": False}
                record["patience"] = REBUILD_PATIENCE
            if not record["next"]["ready"]:
                self._make_ready(key, record, ref, files)
            self._boot(key)
        return self.inspect(handle)

    def reboot(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again; once for each token."""
        key = handles.key(handle, "server")
        with self._locked(key):
            record = self._found(key)
            if record["reboot"] != token:
                record |= {"reboot": token, "boot": record["boot"] + 1, "patience": REBOOT_PATIENCE}
                self._write(key, record)
            self._boot(key)
        return self.inspect(handle)

    def destroy(self, handle: Handle) -> None:
        """Delete a server. Raises ProviderError, retryable, when a process of it would not end."""
        key = handles.key(handle, "server")
        with self._locked(key):
            place, gone = self._place(key), self._directory / f".{key}.gone"
            if record := self._read(key):
                self._write(key, record | {"boot": record["boot"] + 1})
                self._end(key, record)
                if record["volume"]:
                    self._volumes.detach(record["volume"], record["name"])
            trash.remove(gone)
            with contextlib.suppress(FileNotFoundError):
                place.rename(gone)
            trash.remove(gone)
            (self._directory / f"{key}.lock").unlink(missing_ok=True)

    def attach(self, handle: Handle, volume: Handle) -> None:
        """Make a volume appear in a server."""
        key = handles.key(handle, "server")
        with self._locked(key):
            record = self._found(key)
            self._attach(key, record, volume)
            if (root := self._place(key) / "root").exists():
                roots.link_data(root, record["data"], record["uid"])

    def detach(self, handle: Handle, volume: Handle) -> None:
        """Make a volume disappear from a server."""
        key = handles.key(handle, "server")
        with self._locked(key):
            record = self._read(key)
            if record is None or record["volume"] is None or record["volume"]["key"] != volume["key"]:
                return
            self._write(key, record | {"volume": None, "data": None, "places": [str(self._place(key))]})
            if (root := self._place(key) / "root").exists():
                roots.link_data(root, None, record["uid"])
            self._volumes.detach(volume, record["name"])

    def inspect(self, handle: Handle) -> ServerInfo:
        """Tell what the server's machine says, and its root directory."""
        key = handles.key(handle, "server")
        record = self._read(key)
        if record is None:
            return ServerInfo(handle, ServerState.MISSING)
        try:
            state, reason = self._state(key, record)
        except FileNotFoundError:
            return ServerInfo(handle, ServerState.MISSING)
        image = roots.image_of(self._place(key) / "root")
        return ServerInfo(handle, state, image, self._carried_out(key, record), reason)

    def console(self, handle: Handle, lines: int) -> str:
        """Give the last lines of the console log."""
        console = self._place(handles.key(handle, "server")) / "console.log"
        text = "".join(
            path.read_text(errors="replace")
            for path in (console.with_suffix(".log.1"), console)
            if path.exists()
        )
        return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""

    def recover(self) -> None:
        """Boot every server whose machine is gone, and finish deletes that were interrupted."""
        for gone in self._directory.glob(".*.gone"):
            trash.remove(gone)
        for path in self._directory.glob("*/server.json"):
            key = path.parent.name
            with self._locked(key):
                if self._read(key):
                    self._revive(key)

    # -- steps

    def _begin(self, spec: ServerSpec, key: str) -> dict[str, Any]:
        place = self._place(key)
        place.mkdir(0o711, exist_ok=True)
        for name in ("staged", "trash"):
            (place / name).mkdir(0o700, exist_ok=True)
        (place / "console.log").touch(0o600)
        record = {
            "name": spec.name,
            "key": key,
            "uid": None,
            "ram": spec.flavor.ram,
            "volume": None,
            "data": None,
            "places": [str(place)],
            "boot": 0,
            "patience": REBUILD_PATIENCE,
            "token": "",
            "reboot": "",
            "next": {"token": "", "image": spec.image, "ready": False},
        }
        with records.locked(self._directory / "uids.lock"):
            self._write(key, record | {"uid": self._free_uid(key)})
        return self._found(key)

    def _free_uid(self, key: str) -> int | None:
        """Pick a uid, when we are root: by the directory, so that two control planes pick different ones."""
        if os.getuid() != 0:
            return None
        self._check_reachable()
        taken = {
            found["uid"] for path in self._directory.glob("*/server.json") if (found := records.read(path))
        }
        base, count = self._settings.uid_base, self._settings.uid_count
        begin = zlib.crc32(str(self._place(key).absolute()).encode())
        return next(uid for step in range(count) if (uid := base + (begin + step) % count) not in taken)

    def _check_reachable(self) -> None:
        for directory in (self._directory, *self._directory.absolute().parents):
            if not directory.stat().st_mode & 0o001:
                raise ProviderError(
                    f"Servers can't reach their files: only its owner may pass {directory}",
                    seen=f"mode {directory.stat().st_mode & 0o777:03o}; a server has a uid of its own",
                    remedy=f"chmod o+x {directory}, or keep the state elsewhere",
                )

    def _attach(self, key: str, record: dict[str, Any], volume: Handle) -> None:
        if record["volume"] and record["volume"]["key"] != handles.key(volume, "volume"):
            raise ProviderError(f"Server {record['name']} has a volume", seen=str(record["volume"]["name"]))
        self._volumes.attach(volume, record["name"], record["uid"])
        data = self._volumes.path(volume)
        places = [str(self._place(key)), str(data.parent)]
        record |= {"volume": volume, "data": str(data), "places": places}
        self._write(key, record)

    def _make_ready(self, key: str, record: dict[str, Any], ref: str, files: dict[str, str]) -> None:
        """Make the next root; when the record says that it is ready, the machine may put it in place."""
        place, image = self._place(key), self._images.get(ref)
        self._write(key, record)
        staged = roots.stage(place, image, self._images.tree(ref), record["uid"])
        roots.make_next(place, staged, image, files, record)
        record["next"]["ready"] = True
        self._write(key, record | {"boot": record["boot"] + 1})

    def _boot(self, key: str) -> None:
        """See to it that a machine is at work on the boot that is wanted."""
        if boot := self._found(key)["boot"]:
            self._booter.boot(self._place(key), boot)

    def _revive(self, key: str) -> None:
        """Boot a server again if its machine is gone; a database may have outlived it, and gets its time."""
        record = self._found(key)
        if not has_claimed(self._place(key), record["boot"]):
            self._write(key, record | {"patience": REBOOT_PATIENCE})
            self._boot(key)

    def _end(self, key: str, record: dict[str, Any]) -> None:
        with contextlib.closing(MachineLock(self._place(key))) as lock:
            takeover.stop_machine(lock, DESTROY_PATIENCE, lambda: True)
        left = takeover.sweep(record["uid"], str(self._place(key)), record["places"], DESTROY_PATIENCE)
        cgroup.remove(cgroup.name(record))
        if left:
            raise ProviderError(
                f"Processes of server {record['name']} would not end", seen=str(sorted(left)), retryable=True
            )

    # -- what is there

    def _state(self, key: str, record: dict[str, Any]) -> tuple[ServerState, str]:
        machine = records.read(self._place(key) / "machine.json") or {"boot": None}
        with contextlib.closing(MachineLock(self._place(key))) as lock:
            running, claimed = lock.holder(RUNNING), lock.holder(record["boot"])
        is_latest = machine["boot"] == record["boot"]
        if is_latest and running == machine["pid"] and machine["phase"] == "running":
            return ServerState.ACTIVE, ""
        if claimed is not None:
            return ServerState.BUILDING, "the machine is booting"
        if is_latest and machine["phase"] == "failed":
            return ServerState.ERROR, machine["reason"]
        if not record["boot"]:
            return ServerState.BUILDING, "its root directory is not ready; repeat the call that makes it"
        return ServerState.STOPPED, "its machine is gone; it boots again when a worker starts"

    def _carried_out(self, key: str, record: dict[str, Any]) -> str:
        is_done = record["next"]["ready"] and not (self._place(key) / "next").exists()
        return str(record["next"]["token"] if is_done else record["token"])

    def _place(self, key: str) -> Path:
        return self._directory / key

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        lock = self._directory / f"{key}.lock"
        with records.locked(lock):
            try:
                yield
            finally:
                if not self._place(key).exists():
                    lock.unlink(missing_ok=True)

    def _read(self, key: str) -> dict[str, Any] | None:
        return records.read(self._place(key) / "server.json")

    def _found(self, key: str) -> dict[str, Any]:
        record = self._read(key)
        if record is None:
            raise ProviderError("The server is gone", seen=f"no {self._place(key)}/server.json")
        return record

    def _write(self, key: str, record: dict[str, Any]) -> None:
        records.write(self._place(key) / "server.json", record)
