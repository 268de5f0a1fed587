"""Where an instance of MySQL's family keeps things on its server and its volume."""

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
    """Paths below the server's root and on its volume."""

    root: Path
    volume: Path

    @classmethod
    def of(cls, guest: Guest) -> "Layout":
        """Work out a server's layout."""
        return cls(Path(guest.root), Path(guest.volume))

    # -- on the volume ----------------------------------------------------------------------------------

    @property
    def engine(self) -> Path:
        """Directory of all that the engine keeps."""
        return self.volume / "mysql"

    @property
    def data(self) -> Path:
        """The data directory; it bears this name only when it is whole."""
        return self.engine / "data"

    @property
    def building(self) -> Path:
        """Where the data directory is made before it gets its name."""
        return self.engine / "data.new"

    @property
    def scratch(self) -> Path:
        """For the server's temporary files: sorts and tables too large for memory."""
        return self.engine / "tmp"

    @property
    def files(self) -> Path:
        """The one directory that SQL statements may read files from and write files to."""
        return self.engine / "files"

    @property
    def state(self) -> Path:
        """Directory on the volume for what crosses from image to image."""
        return self.volume / "instar"

    def exists(self) -> bool:
        """Tell whether there is a data directory."""
        return self.data.is_dir()

    # -- on the root disk -------------------------------------------------------------------------------

    @property
    def configuration(self) -> Path:
        """Directory of the option files, the administrator's and ours."""
        return self.root / "etc/mysql"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.root / "var/log/mysql/error.log"

    def run(self) -> Path:
        """Make and give the private directory of the socket and the administrator's password.

        Only this uid may enter. It is below the root's `run`, or, where that path is too long for a socket,
        below the machine's temporary directory, named after the root.
        """
        path = self.root / "run/mysqld"
        if len(os.fsencode(path / "mysqld.sock")) > LONGEST_SOCKET_PATH:
            name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
            path = Path(tempfile.gettempdir()) / f"instar-{name}"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(path)
        return path


def _check_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise GuestError(
            f"The socket directory {path} is not this agent's own",
            seen=f"it belongs to uid {found.st_uid}",
            remedy="Remove it, or use a root directory with a shorter path.",
        )
    path.chmod(0o700)
