"""What tells one member of MySQL's family from another, as data; the story itself is the family's."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from instar.wire.errors import GuestError

Series = tuple[int, int]
"""Two numbers name a series: data files move freely within one."""

_SERIES = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class Dialect:
    """One member of the family; paths are relative to the server's root."""

    name: str
    title: str
    server: str
    install: tuple[str, ...]
    """The program that makes a data directory, and its own options."""
    upgrade: str | None
    """The program that brings system tables up to date; None where the server does it itself."""
    check: str
    main_file: str
    """The option file that the server reads, below `etc/mysql`; it includes the others."""
    own_folder: str
    """Where that one includes Instar's files from, below `etc/mysql`."""
    groups: tuple[str, ...]
    """Groups of option files that the server reads; `{series}` stands for one such as 10.11."""
    version_markers: tuple[str, ...]
    """Files of a data directory that tell which version its system tables were last brought up to."""
    accounts: str
    """A query that gives name and host of every account that is no role."""
    identified: str
    """How a statement gives an account a password by its hash."""
    unguarded: tuple[str, str] = ("", "")
    """Statements before and after accounts are given passwords by their hashes, which plug-ins may forbid."""
    data_directories: tuple[str, ...] = ()
    """Options for directories of data that could otherwise lie elsewhere than the data directory."""
    time_zones: tuple[str, str] = ("", "")
    """The program that spells the image's time zones as statements, and the one that puts statements."""
    building: Mapping[str, str] = field(default_factory=dict)
    """Options for making a data directory, which may be lost until it is whole."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """Options of a server that lets nobody in: whatever else could write is off."""
    session: Mapping[str, str | int] = field(default_factory=dict)
    """Variables of each of the agent's sessions."""
    removed: Mapping[str, str] = field(default_factory=dict)
    """Options that some version takes no more, and why, or what does their work."""
    new_collations: Series | None = None
    """The first series whose character sets have other default collations than those before."""

    def groups_of(self, version: str) -> tuple[str, ...]:
        """Name the groups of option files that a version reads."""
        return tuple(group.format(series=".".join(map(str, series(version)))) for group in self.groups)

    def basedir(self, root: Path) -> Path:
        """Tell where the programs are installed: their messages and plug-ins are found from there."""
        return (root / self.server).resolve().parents[1]


def series(version: str) -> Series:
    """Give the series of a version such as `10.11.19-MariaDB-log`. Raises GuestError when there is none."""
    found = _SERIES.match(version)
    if found is None:
        raise GuestError(
            f"{version!r} is not a version of this database",
            remedy="Correct engine_version in the image's manifest; it looks like 10.11.19.",
        )
    return int(found[1]), int(found[2])


def password_hash(password: str) -> str:
    """Hash a password as `mysql_native_password` keeps it, so that no statement has to hold it."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return f"*{hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()}"
