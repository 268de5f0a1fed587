"""Data that lie elsewhere than on the volume: they would go with the root disk that the upgrade replaces."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from instar.agent.datastores import obstacles
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.sessions import Session
from instar.wire.errors import Finding

_LOGS = """
    SELECT LOWER(VARIABLE_NAME), GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES
    WHERE VARIABLE_NAME IN ('LOG_BIN_BASENAME', 'LOG_BIN_INDEX', 'RELAY_LOG_BASENAME', 'RELAY_LOG_INDEX')
    AND GLOBAL_VALUE <> '' ORDER BY 1
"""
_POINTER = ".isl"
"""What InnoDB leaves in the data directory for a table that lies elsewhere: a file that holds its path."""


def findings(daemon: Daemon, session: Session) -> Iterator[Finding]:
    """Find tables, databases and logs of changes that are not on the volume."""
    volume = os.path.realpath(daemon.layout.volume)
    files = [found for found in _led_away(daemon.data) if not _is_within(volume, daemon.data, found[1])]
    if files:
        yield Finding(
            check="data_elsewhere",
            seen="tables lie outside the data volume, and the upgrade would lose them: "
            + obstacles.named([[f"{path.relative_to(daemon.data)} at {leads}"] for path, leads in files]),
            remedy="Copy each into a table without DATA DIRECTORY (CREATE TABLE ... LIKE, INSERT ... SELECT),"
            " and drop the first one.",
        )
    logs = [found for found in session.rows(_LOGS) if not _is_within(volume, daemon.data, found[1])]
    if logs:
        yield Finding(
            check="data_elsewhere",
            seen="logs of changes lie outside the data volume, and the upgrade would lose them: "
            + obstacles.named([[f"{name} = {value}"] for name, value in logs]),
            remedy="Name them without a path (log_bin = changes), and restart the instance.",
        )


def _led_away(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give the links and pointers below a data directory, and where each leads; clients may drop some."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            path = Path(entry.path)
            if entry.is_symlink():
                yield path, os.path.realpath(path)
            elif entry.is_dir():
                yield from _led_away(path)
            elif entry.name.endswith(_POINTER):
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.read_text("utf-8", "surrogateescape").strip()


def _is_within(volume: str, data: Path, place: str) -> bool:
    """Tell whether a path, relative ones being below the data directory, lies on the volume."""
    return Path(os.path.realpath(data / place)).is_relative_to(volume)
