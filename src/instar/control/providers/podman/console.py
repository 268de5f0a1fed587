"""What servers print: the engine keeps it for each container, and we keep it when one goes."""

from pathlib import Path

from instar.control.providers.podman.containers import Containers
from instar.control.providers.podman.server_record import Build

KEPT = 2000
"""Lines that are kept of a container that goes; the engine bounds how long they are in all."""


class Console:
    """The consoles of servers, each in the directory of its server."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def keep(self, place: Path, key: str, number: int) -> None:
        """Keep what a container printed that is about to go, instead of what the one before it did."""
        said = self._containers.words(key, number, KEPT)
        for older in place.glob("console-*"):
            older.unlink(missing_ok=True)
        (place / f"console-{number}").write_bytes(said)

    def read(self, place: Path, build: Build, lines: int) -> str:
        """Give the last lines, from before the last rebuild as well."""
        before = [path.read_bytes() for path in place.glob("console-*")]
        said = b"".join([*before, self._containers.words(place.name, build.number, lines)])
        return "\n".join(said.decode(errors="replace").splitlines()[-lines:])
