"""How one container takes the place of another, and what keeps that safe from a crash at any point.

A container is made beside the one that runs, with everything in it, and written down as `next`. Only then is
the old one ended and the new one started: a start that fails starts the old one again. The next one is in
place from the moment it runs, whether or not that was written down. The caller holds the server's lock.
"""

import contextlib

from instar.control.providers.base import Image
from instar.control.providers.directories.registry import Registry
from instar.control.providers.podman.console import Console
from instar.control.providers.podman.containers import Containers, Seen, up
from instar.control.providers.podman.server_record import Build, ServerRecord
from instar.wire.errors import ProviderError

PATIENCE = 2.0
"""Seconds that the old container's processes are given: the guest has stopped its database by then."""


class Succession:
    """The containers that come after one another in a server."""

    def __init__(self, registry: Registry[ServerRecord], containers: Containers) -> None:
        self._registry, self._containers = registry, containers
        self.console = Console(containers)

    def prepare(self, record: ServerRecord, image: Image) -> Build:
        """Find or make a container of an image that has no files yet, beside what runs."""
        volume = str(record.volume["key"]) if record.volume else ""
        staged, numbers = record.staged, {each.number for each in self._containers.all(record.key)}
        if staged and staged.ready and staged.number in numbers:
            if (staged.image, staged.volume, staged.flavor) == (image.ref, volume, record.flavor):
                return staged
            self._containers.remove(record.key, staged.number)
        record.last += 1
        record.staged = Build(number=record.last, image=image.ref, volume=volume, flavor=record.flavor)
        self._registry.write(record.key, record)
        self._containers.make(record, record.staged, image)
        record.staged.ready = True
        self._registry.write(record.key, record)
        return record.staged

    def make_resized(self, record: ServerRecord, patience: float) -> None:
        """Make the container that is to take the place of one of another size, on the same root disk.

        The one before is ended for it, so that its root disk is whole. Does nothing when it has the size.
        """
        old = record.current
        if old is None or old.flavor == record.flavor:
            return
        self._containers.end(record.key, patience)
        if record.staged:
            self._containers.remove(record.key, record.staged.number)
        record.last += 1
        disk = self._containers.keep_disk(record.key, old.number, record.last)
        changed = {"number": record.last, "disk": disk, "flavor": record.flavor, "ready": False}
        record.staged = old.model_copy(update=changed)
        self._registry.write(record.key, record)
        self._containers.remake(record, record.staged)
        record.next = record.staged.model_copy(update={"ready": True, "from_rest": False})
        record.staged = None
        self._registry.write(record.key, record)

    def make_next(self, record: ServerRecord, image: Image, token: str, files: dict[str, str]) -> None:
        """Make the container that is to take the place of the current one, with all files in it."""
        build = self.prepare(record, image)
        self._containers.inject(record, build, image, files)
        record.next = build.model_copy(update={"token": token, "from_rest": bool(record.halt)})
        record.staged = None
        record.halt = ""
        self._registry.write(record.key, record)

    def is_made(self, record: ServerRecord) -> bool:
        """Tell whether the first container is there, waiting to be started."""
        numbers = {each.number for each in self._containers.all(record.key)}
        return record.next is not None and record.next.number in numbers

    def settle(self, record: ServerRecord) -> None:
        """Give up or acknowledge the rebuild before, which a crash may have left half-done.

        A server that was stopped before a rebuild that is given up is stopped again.
        """
        seen = self._containers.all(record.key)
        record.current = self.in_place(record, seen)
        if record.next and record.next != record.current and record.next.from_rest:
            record.halt = "done" if all(each.is_at_rest for each in seen) else "begun"
        record.next = None

    def revive(self, record: ServerRecord, seen: list[Seen]) -> None:
        """See to it that what should run does, and nothing else."""
        if record.halt:
            if record.halt == "done" and not all(each.is_at_rest for each in seen):
                self._containers.end(record.key, PATIENCE)
        elif record.next:
            self._switch(record, record.next, seen)
        elif record.current and runs_otherwise(record.current, seen):
            self._containers.end(record.key, PATIENCE, but=record.current.number)
            self._start(record, record.current, seen)

    def clear(self, key: str, keep: set[int]) -> None:
        """Remove a server's containers but those with the numbers to `keep`."""
        for each in self._containers.all(key):
            if each.number not in keep:
                self._containers.remove(key, each.number)

    def in_place(self, record: ServerRecord, seen: list[Seen]) -> Build | None:
        """Tell which container is in place: the next one from the moment it runs."""
        is_switched = record.next and record.next.number in up(seen, record.key)
        return record.next if is_switched else record.current

    def _switch(self, record: ServerRecord, following: Build, seen: list[Seen]) -> None:
        """Put the next container in place of the current one, which goes on when the next does not start."""
        key, old = record.key, record.current
        if following.number not in up(seen, key):
            self._containers.end(key, PATIENCE, but=following.number)
            try:
                self._start(record, following, seen)
            except ProviderError:
                self._turn_back(record, following)
                raise
        record.current, record.next = following, None
        self._registry.write(key, record)
        with contextlib.suppress(ProviderError, OSError):  # `recover` removes what is left, or tells
            if old:
                self.console.keep(self._registry.place(key), key, old.number)
            self.clear(key, keep=wanted(record))

    def _turn_back(self, record: ServerRecord, following: Build) -> None:
        """Forget the next container, and have the current one go on unless the server was stopped before.

        The next one is removed first: the engine may have started it, though it did not say so in time.
        """
        if record.current is None:
            return
        record.next = None
        record.halt = "done" if following.from_rest else ""
        self._registry.write(record.key, record)
        self._containers.remove(record.key, following.number)
        if not record.halt:
            self._containers.start(record.key, record.current.number)

    def _start(self, record: ServerRecord, build: Build, seen: list[Seen]) -> None:
        if build.number not in {each.number for each in seen}:
            raise ProviderError(
                f"The container of server {record.name} is gone",
                seen=f"the engine has no {self._containers.name(record.key, build.number)}",
                remedy="rebuild the server, which makes another; its volume is untouched",
            )
        if build.volume != (record.volume["key"] if record.volume else ""):
            raise ProviderError(
                f"Server {record.name} was given another volume",
                seen=f"its container {build.number} was made for another one",
                remedy="rebuild the server",
            )
        self._containers.start(record.key, build.number)


def wanted(record: ServerRecord) -> set[int]:
    """Give the numbers of the containers that a server needs."""
    return {each.number for each in (record.current, record.next, record.staged) if each}


def runs_otherwise(build: Build, seen: list[Seen]) -> bool:
    """Tell whether a server's container is down, or another one of it is not at rest."""
    active = {each.number for each in seen if not each.is_at_rest}
    return active != {build.number} or not any(each.is_up for each in seen)
