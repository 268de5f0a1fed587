"""Images brought into the engine: each once, under a name that says its digest and is given last.

What is sent is counted into a digest on its way, and the name is given only when that is right: an import
that was cut off, or of an image that was changed, is never taken for the image. One that is deleted from the
store is removed from the engine once no container uses it.
"""

import contextlib
import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instar.control.providers.base import Image, Progress
from instar.control.providers.directories import records
from instar.control.providers.directories.images import ImageStore, damaged
from instar.control.providers.podman.engine import Engine
from instar.wire.errors import InstarError, ProviderError

REPOSITORY = "localhost/instar"
CONTENT = "rootfs.tar"
DISKS = f"{REPOSITORY}-disks-"
"""What the names of root disks begin with that were kept for a container to follow."""
IMPORTED_BY = "instar.imported-by"
"""The label that says which installation brought an image into the engine, or kept a root disk there."""
STALLED = 300.0
"""Seconds without a byte moved after which the process that imports is taken for frozen: as long as unpacking
takes, the engine tells nothing."""
TIMEOUT = 900
"""Seconds that the engine is given to unpack what it was sent."""
PRUNE_EVERY = 900.0
"""Seconds between two looks for images that nobody needs."""
_CHUNK = 1 << 20
_BLOCK = 512
_END = bytes(2 * _BLOCK)


def name_of(ref: str) -> str:
    """Give the name under which the engine has an image."""
    return f"{REPOSITORY}:{ref.removeprefix('sha256:')}"


def fault(image: Path) -> str:
    """Say what is wrong with an image's content at first sight: a file that was cut off lacks its end."""
    try:
        with (image / CONTENT).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_END)))
            is_whole = size % _BLOCK == 0 and file.read() == _END
    except FileNotFoundError:
        return f"there is no {CONTENT}"
    return "" if is_whole else f"{CONTENT} has no end; it is {size} bytes long"


class Imports:
    """The imports that this process makes; `directory` has a lock for each, which other processes heed.

    Until it has its name, an image has one that only this import uses.
    """

    def __init__(self, engine: Engine, images: ImageStore, directory: Path, installation: str) -> None:
        self._engine, self._images, self._directory = engine, images, directory
        self._installation, self._partial = installation, f"{REPOSITORY}-partial-{installation}-"
        self._threads: dict[str, threading.Thread] = {}
        self._errors: dict[str, Exception] = {}
        self._seen: dict[str, tuple[int, float]] = {}
        self._pruned = -PRUNE_EVERY

    def advance(self, image: Image, patience: float) -> Progress:
        """Bring an image into the engine, or look how far that is; returns after `patience` seconds at most.

        Raises what the import ended with, once: the next call begins it anew.
        """
        ref = image.ref
        if self._is_there(ref):
            return Progress(done=True)
        lock = self._lock(ref.removeprefix("sha256:"))
        if ref not in self._errors and (handle := records.try_lock(lock, make=True)) is not None:
            thread = threading.Thread(target=self._import, args=(ref, lock, handle), daemon=True)
            self._threads[ref] = thread
            thread.start()
        if thread_of_ours := self._threads.get(ref):
            thread_of_ours.join(patience)
        if error := self._errors.pop(ref, None):
            raise error
        if self._is_there(ref):
            return Progress(done=True)
        moved = self._look(ref, lock, is_ours=thread_of_ours is not None)
        return Progress(False, moved, "the image is being brought into the container engine")

    def prune(self) -> None:
        """Remove images from the engine that we brought, that left the store, and that no container uses.

        Does nothing unless the last time was a while ago: the engine takes its time to list images.
        """
        if time.monotonic() - self._pruned < PRUNE_EVERY:
            return
        self._pruned = time.monotonic()
        mine = {"label": f"{IMPORTED_BY}={self._installation}"}
        images = self._engine.ask("list its images", lambda api: api.images(filters=mine))
        containers = self._engine.ask("list its containers", lambda api: api.containers(all=True))
        used = {_bare(each["ImageID"]) for each in containers}
        for each in images:
            names = each.get("RepoTags") or []
            if _bare(each["Id"]) not in used and not any(self._is_needed(name) for name in names):
                for name in names or [each["Id"]]:
                    self._forget(name)

    def _is_needed(self, name: str) -> bool:
        """Tell whether an image's name is that of one in the store, of one on its way, or none of ours.

        A root disk that was kept is needed for as long as a container uses it.
        """
        repository, _, tag = name.rpartition(":")
        if repository == REPOSITORY:
            return self._images.place(f"sha256:{tag}").exists()
        if repository.startswith(self._partial):
            return records.is_locked(self._lock(repository.removeprefix(self._partial)))
        return not repository.startswith(DISKS)

    def _lock(self, number: str) -> Path:
        return self._directory / f"{number}.import"

    def _look(self, ref: str, lock: Path, *, is_ours: bool) -> int:
        """Look how far an import is, and have the next call take it over from a process that is frozen."""
        moved, now = _moved(lock), time.monotonic()
        if is_ours or moved != self._seen.get(ref, (-1, 0.0))[0]:
            self._seen[ref] = moved, now
        elif now - self._seen[ref][1] > STALLED:
            del self._seen[ref]
            lock.unlink(missing_ok=True)
        return moved

    def _is_there(self, ref: str) -> bool:
        found = self._engine.find("find an image", lambda api: api.inspect_image(name_of(ref)))
        return found is not None

    def _import(self, ref: str, lock: Path, handle: int) -> None:
        try:
            if not self._is_there(ref):
                self._send(ref, handle)
        except (OSError, InstarError) as error:
            self._errors[ref] = error
        finally:
            self._threads.pop(ref, None)
            lock.unlink(missing_ok=True)
            os.close(handle)

    def _send(self, ref: str, handle: int) -> None:
        partial = f"{self._partial}{ref.removeprefix('sha256:')}:{uuid.uuid4().hex[:12]}"

        def send(api: Any) -> str:
            counted, api.timeout = hashlib.sha256(), TIMEOUT
            with (self._images.place(ref) / CONTENT).open("rb") as file:
                said = api.import_image(
                    src=_read(file, counted, handle),
                    repository=partial,
                    changes=[f"LABEL {IMPORTED_BY}={self._installation}"],
                    stream_src=True,
                )
            _check(said)
            return f"sha256:{counted.hexdigest()}"

        def give_name(api: Any) -> None:
            api.tag(partial, *name_of(ref).split(":"))

        seen = self._engine.ask("take an image", send)
        try:
            if seen != ref:
                raise damaged(ref, f"the digest of its content is {seen}")
            if not self._is_there(ref):
                self._engine.ask("name an image", give_name)
        finally:
            self._forget(partial)

    def _forget(self, name: str) -> None:
        """Take a name from an image, which goes with its last one unless a container uses it."""
        self._engine.find("forget an image", lambda api: api.remove_image(name))


def _check(said: str) -> None:
    """Raise ProviderError when the engine says at the end of an import that it failed."""
    for line in said.splitlines():
        with contextlib.suppress(ValueError, AttributeError):
            if fault := json.loads(line).get("error"):
                raise ProviderError("The container engine could not take an image", seen=fault)


def _bare(number: str) -> str:
    return number.removeprefix("sha256:")


def _read(file: Any, counted: Any, handle: int) -> Iterator[bytes]:
    """Read a file in parts, counting them into a digest and telling others how many bytes were read."""
    moved = 0
    while part := file.read(_CHUNK):
        counted.update(part)
        yield part
        moved += len(part)
        os.pwrite(handle, b"%020d" % moved, 0)  # as long as what another process left there


def _moved(lock: Path) -> int:
    try:
        return int(lock.read_text() or 0)
    except FileNotFoundError:
        return 0
