"""Copies of volumes: each made by a thread of the process that began it, which may die or be frozen.

    .copy-<number>         what has been copied so far
    .copy-<number>.lock    held (flock) by the thread that copies; says how many bytes that are

Which copy is wanted, by its number, stands in the volume's record. A copy that is not wanted any more, as
when another process took over from one that was frozen, stops and removes what it made.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from instar.control.providers.directories import records, trash, trees
from instar.wire.errors import InstarError

BRIEF = 0.5
"""Seconds that a call waits for a copy, most of which are made by then."""
STALLED = 15.0
"""Seconds without a byte moved after which the process that copies is taken for frozen."""
_LOOK = 0.25
_PREFIX = ".copy-"


@dataclass(frozen=True)
class Job:
    """How a copy is made: `prepare` first, `source` copied, `commit` puts the whole copy in its place.

    Both are told where the copy is made, which is nothing yet for `prepare`. `wanted` is asked several times
    a second; they have to ask for themselves, under the volume's lock, before they touch anything else.
    """

    source: Path
    wanted: Callable[[], bool]
    commit: Callable[[Path], None]
    prepare: Callable[[Path], None] = lambda _: None


@dataclass(frozen=True)
class Sight:
    """What was seen of a copy: the bytes moved, and whether it stands still in another process's hands."""

    moved: int
    stalled: bool = False


class Copies:
    """The copies that this process makes, and what it has seen of those of others."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._errors: dict[str, Exception] = {}
        self._seen: dict[str, tuple[int, float]] = {}

    def advance(self, directory: Path, number: str, job: Job) -> Sight:
        """Begin a copy unless somebody is at work on it, and look how far it is; returns within moments.

        Raises what the copying ended with, once: the next call begins it anew.
        """
        lock = directory / f"{_PREFIX}{number}.lock"
        if number not in self._errors and (handle := records.try_lock(lock, make=True)) is not None:
            thread = threading.Thread(target=self._make, args=(number, lock, handle, job), daemon=True)
            self._threads[number] = thread
            thread.start()
        if (own := self._threads.get(number)) is not None:
            own.join(BRIEF)
        if (error := self._errors.pop(number, None)) is not None:
            raise error
        return self._sight(number, lock, is_ours=own is not None)

    def _sight(self, number: str, lock: Path, *, is_ours: bool) -> Sight:
        moved, now = _read(lock), time.monotonic()
        if moved != self._seen.get(number, (-1, 0.0))[0]:
            self._seen[number] = moved, now
        return Sight(moved, not is_ours and now - self._seen[number][1] > STALLED)

    def _make(self, number: str, lock: Path, handle: int, job: Job) -> None:
        """Copy; an error is told when nothing is left of the copy, which may have filled the disk."""
        partial, failure = lock.with_suffix(""), None
        try:
            trash.remove(partial)
            job.prepare(partial)
            trees.copy(job.source, partial, _Report(handle, job.wanted))
            job.commit(partial)
        except _UnwantedError:
            pass
        except (OSError, InstarError) as error:
            failure = error
        finally:
            with contextlib.suppress(OSError):
                trash.remove(partial)
                lock.unlink(missing_ok=True)
            if failure is not None:
                self._errors[number] = failure
            self._threads.pop(number, None)
            self._seen.pop(number, None)
            os.close(handle)


class _UnwantedError(Exception):
    """The copy is not wanted any more."""


class _Report:
    """Told of each part that was copied; says so to others, and stops a copy that nobody wants."""

    def __init__(self, handle: int, wanted: Callable[[], bool]) -> None:
        self._handle, self._wanted = handle, wanted
        self._moved, self._looked = 0, time.monotonic()

    def __call__(self, moved: int) -> None:
        self._moved += moved
        os.pwrite(self._handle, b"%020d" % self._moved, 0)  # as long as what another process left there
        if time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            if not self._wanted():
                raise _UnwantedError


def _read(lock: Path) -> int:
    try:
        return int(lock.read_text() or 0)
    except FileNotFoundError:
        return 0


def clear(directory: Path) -> None:
    """Remove what processes that died left of their copies."""
    for lock in directory.glob(f"{_PREFIX}*.lock"):
        if (handle := records.try_lock(lock)) is not None:
            trash.remove(lock.with_suffix(""))
            lock.unlink(missing_ok=True)
            os.close(handle)
