"""Things kept in a directory each, `<directory>/<key>/`: a record in it, a lock `<key>.lock` beside it."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from instar.control.providers.directories import records, trash
from instar.wire.errors import ProviderError

BRIEF = 2.0
_GONE = ".gone"
_log = logging.getLogger(__name__)

R = TypeVar("R", bound=BaseModel)


class Registry(Generic[R]):
    """All things of one kind: `<key>/<kind>.json` is the record, of class `shape`."""

    def __init__(self, directory: Path, kind: str, shape: type[R]) -> None:
        self._directory, self._kind, self._shape = directory, kind, shape

    def place(self, key: str) -> Path:
        """Give the directory of a thing, whether or not it is there."""
        return self._directory / key

    def __iter__(self) -> Iterator[str]:
        """Give the keys of the things that have a record, also those whose record is damaged."""
        return iter(sorted(path.parent.name for path in self._directory.glob(f"*/{self._kind}.json")))

    def has(self, key: str) -> bool:
        """Tell whether a thing has a record, damaged or not."""
        return self._file(key).exists()

    def read(self, key: str) -> R | None:
        """Read a record, None when there is none. Raises ProviderError when it is damaged."""
        try:
            record = records.read(self._file(key))
            return None if record is None else self._shape.model_validate(record)
        except ValueError as error:
            raise ProviderError(
                f"The record of {self._kind} {key} is damaged",
                seen=f"{self._file(key)}: {_fault(error)}",
                remedy=f"put back what it held, or delete the {self._kind}",
            ) from error

    def glimpse(self, key: str) -> R | None:
        """Read a record, None when there is none or it is damaged."""
        try:
            return self.read(key)
        except ProviderError:
            return None

    def found(self, key: str) -> R:
        """Read the record of a thing that should be there. Raises ProviderError when it isn't, or damaged."""
        record = self.read(key)
        if record is None:
            raise ProviderError(f"The {self._kind} is gone", seen=f"no {self._file(key)}")
        return record

    def write(self, key: str, record: R) -> None:
        """Replace a record; the caller holds the lock."""
        records.write(self._file(key), record.model_dump())

    def remove(self, key: str) -> None:
        """Delete a thing with its directory; the caller holds the lock. Succeeds when there is none.

        Files that take longer than `BRIEF` seconds are deleted on while the caller goes on.
        """
        with contextlib.suppress(FileNotFoundError):
            self.put_aside(self.place(key)).join(BRIEF)

    def put_aside(self, path: Path) -> threading.Thread:
        """Take a directory from its place, and delete it in a thread."""
        gone = self._directory / f".{path.name}-{time.time_ns()}{_GONE}"
        path.rename(gone)
        removal = threading.Thread(target=_remove, args=(gone,), daemon=True)
        removal.start()
        return removal

    def clear(self) -> None:
        """Delete on what a process that ended, or failed at it, had begun to delete."""
        for gone in self._directory.glob(f".*{_GONE}"):
            _remove(gone)

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the lock of a thing, waiting for it."""
        with records.locked(self._lock(key)), self._tidied(key):
            yield

    @contextlib.contextmanager
    def locked_if_free(self, key: str) -> Iterator[bool]:
        """Hold the lock of a thing, and tell so, unless somebody else holds it."""
        handle = records.try_lock(self._lock(key), make=True)
        if handle is None:
            yield False
            return
        try:
            with self._tidied(key):
                yield True
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _tidied(self, key: str) -> Iterator[None]:
        """Delete the lock, while it is held, of what is no longer there."""
        try:
            yield
        finally:
            if not self.place(key).exists():
                self._lock(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self.place(key) / f"{self._kind}.json"

    def _lock(self, key: str) -> Path:
        return self._directory / f"{key}.lock"


def _remove(gone: Path) -> None:
    try:
        trash.remove(gone)
    except OSError as error:
        _log.error("deleted files are left, tried again within moments: directory=%s error=%s", gone, error)


def _fault(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
