"""`settle`: what a major upgrade leaves for when clients are served again.

The old data directory marks that there is something to do; it is removed last. Without it nothing is done.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

from instar.agent import commands, durable
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import access, tablespaces
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.layout import Layout
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import session
from instar.wire.errors import GuestError

KEEPS_STATISTICS = 18
"""The first major version whose pg_upgrade carries statistics over."""


def settle(server: Server, report: Report) -> dict[str, Any]:
    """Gather statistics that are missing and remove old data directories. Repeatable."""
    layout, cluster = server.layout, server.usable()
    old = [major for major in layout.majors() if major < layout.major]
    if old:
        _analyze(server, cluster, report)
    if doomed := [*map(layout.data, old), *_remains(layout)]:
        _refuse_live(cluster, doomed)
    for data in map(layout.data, old):
        durable.rename(data, data.with_name(f"{data.name}.old"))
    for remains in _remains(layout):
        for part in tablespaces.parts(remains, int(remains.stem)):
            remove(part, report)
        remove(remains, report)
    return {"removed": [str(major) for major in old]}


def _remains(layout: Layout) -> list[Path]:
    """Find the data directories whose removal has begun."""
    return [path for path in layout.clusters.glob("*.old") if path.stem.isdecimal()]


def _analyze(server: Server, cluster: Cluster, report: Report) -> None:
    words: list[str | Path] = [cluster.programs / "vacuumdb", "--all", "--echo", "--analyze-in-stages"]
    words += ["--missing-stats-only"] if server.layout.major >= KEEPS_STATISTICS else []
    words += ["-U", access.ADMINISTRATOR, "-h", cluster.sockets, "-p", str(cluster.port)]
    report("gathering statistics", 10)
    commands.run(words, tick=partial(report, "gathering statistics", 10))


def _refuse_live(cluster: Cluster, doomed: list[Path]) -> None:
    """Raise GuestError when a tablespace that is in use lies in a directory that would be removed."""
    with session(cluster) as connection:
        found = tablespaces.locations(connection, cluster.data)
    for data in doomed:
        if names := tablespaces.lying_in(found, data):
            raise GuestError(
                commands.brief(f"The old data directory was kept: tablespace {', '.join(names)} lies in it"),
                seen=", ".join(f"{name}: {found[name]}" for name in names),
                remedy=tablespaces.REMEDY,
            )


def remove(directory: Path, report: Report) -> None:
    """Remove a directory and all in it, but nothing that a link in it leads to."""
    for count, (path, folders, files) in enumerate(os.walk(directory, topdown=False)):
        report("removing old data files", 80, count)
        for name in (*folders, *files):
            place = Path(path, name)
            if place.is_dir() and not place.is_symlink():
                place.rmdir()
            else:
                place.unlink()
    directory.rmdir()
