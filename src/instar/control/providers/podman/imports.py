"""Images brought into the engine: each once, under a name that says its digest and is given last.

What is sent is counted into a digest on its way, and the name is given only when that is right: an import
that was cut off, or of an image that was changed, is never taken for the image.
"""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instar.control.providers.base import Image, Progress
from instar.control.providers.directories import records
from instar.control.providers.directories.images import ImageStore, damaged
from instar.control.providers.podman.engine import Engine
from instar.wire.errors import InstarError

REPOSITORY = "localhost/instar"
CONTENT = "rootfs.tar"
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

    Until it has its name, an image has one that only this installation uses.
    """

    def __init__(self, engine: Engine, images: ImageStore, directory: Path, installation: str) -> None:
        self._engine, self._images, self._directory = engine, images, directory
        self._partial = f"{REPOSITORY}-partial-{installation}"
        self._threads: dict[str, threading.Thread] = {}
        self._errors: dict[str, Exception] = {}

    def advance(self, image: Image, patience: float) -> Progress:
        """Bring an image into the engine, or look how far that is; returns after `patience` seconds at most.

        Raises what the import ended with, once: the next call begins it anew.
        """
        ref = image.ref
        if self._is_there(ref):
            return Progress(done=True)
        lock = self._directory / f"{ref.removeprefix('sha256:')}.import"
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
        return Progress(False, _moved(lock), "the image is being brought into the container engine")

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
        partial = f"{self._partial}-{ref.removeprefix('sha256:')}"

        def send(api: Any) -> str:
            counted = hashlib.sha256()
            with (self._images.place(ref) / CONTENT).open("rb") as file:
                api.import_image(src=_read(file, counted, handle), repository=partial, stream_src=True)
            return f"sha256:{counted.hexdigest()}"

        def give_name(api: Any) -> None:
            api.tag(f"{partial}:latest", *name_of(ref).split(":"))

        self._forget(partial)  # what a process that died left under it
        seen = self._engine.ask("take an image", send)
        try:
            if seen != ref:
                raise damaged(ref, f"the digest of its content is {seen}")
            self._engine.ask("name an image", give_name)
        finally:
            self._forget(partial)

    def _forget(self, repository: str) -> None:
        """Take a name from an image, which goes with its last one."""
        self._engine.find("forget a name", lambda api: api.remove_image(f"{repository}:latest"))


def _read(file: Any, counted: Any, handle: int) -> Iterator[bytes]:
    """Read a file in parts, counting them into a digest and telling others how many bytes were read."""
    moved = 0
    while part := file.read(_CHUNK):
        counted.update(part)
        yield part
        moved += len(part)
        os.pwrite(handle, b"%d" % moved, 0)


def _moved(lock: Path) -> int:
    try:
        return int(lock.read_text() or 0)
    except FileNotFoundError:
        return 0
