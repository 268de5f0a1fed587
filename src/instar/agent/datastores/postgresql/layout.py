"""Where a PostgreSQL instance keeps things on its server and its volume."""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from instar.agent.datastores.base import Guest
from instar.wire.errors import GuestError

LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class Layout:
    """Paths below the server's root and on its volume; `major` is what this image's engine runs."""

    root: Path
    volume: Path
    major: int
    port: int

    @classmethod
    def of(cls, guest: Guest) -> "Layout":
        """Work out a server's layout. Raises GuestError when the manifest's version is not PostgreSQL's."""
        return cls(Path(guest.root), Path(guest.volume), major_of(guest.manifest.engine_version), guest.port)

    def programs(self, major: int) -> Path:
        """Directory of one major version's programs."""
        return self.root / f"usr/lib/postgresql/{major}/bin"

    @property
    def clusters(self) -> Path:
        """Directory of all data directories, each named after its major version."""
        return self.volume / "postgresql"

    def data(self, major: int) -> Path:
        """Data directory of one major version; it bears this name only when it is whole."""
        return self.clusters / str(major)

    def building(self, major: int) -> Path:
        """Where a data directory is made before it gets its name."""
        return self.clusters / f"{major}.new"

    def majors(self) -> list[int]:
        """Major versions that have a whole data directory, ascending."""
        found = self.clusters.glob("*/PG_VERSION")
        return sorted(int(path.parent.name) for path in found if path.parent.name.isdecimal())

    @property
    def state(self) -> Path:
        """Directory on the volume for what crosses from image to image."""
        return self.volume / "instar"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.root / "var/log/postgresql/postgresql.log"

    def sockets(self) -> Path:
        """Make and give the private directory of the server's socket; only this uid may enter.

        It is below the root's `run`, or, where that path is too long for a socket, below the machine's
        temporary directory, named after the root.
        """
        path = self.root / "run/postgresql"
        if len(os.fsencode(path / f".s.PGSQL.{self.port}")) > LONGEST_SOCKET_PATH:
            name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
            path = Path(tempfile.gettempdir()) / f"instar-{name}"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(path)
        return path


def major_of(version: str) -> int:
    """Give the major version of one like `17.10`. Raises GuestError when there is none."""
    major = version.split(".")[0]
    if not major.isdecimal():
        raise GuestError(
            f"{version!r} is not a version of PostgreSQL",
            remedy="Correct engine_version in the image's manifest; it looks like 17.10.",
        )
    return int(major)


def _check_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise GuestError(
            f"The socket directory {path} is not this agent's own",
            seen=f"it belongs to uid {found.st_uid}",
            remedy="Remove it, or use a root directory with a shorter path.",
        )
    path.chmod(0o700)
