"""`settle`: what a major upgrade leaves for when clients are served again.

The old data directory marks that there is something to do; it is removed last. Without it nothing is done.
"""

import shutil
from pathlib import Path
from typing import Any

from instar.agent import commands, durable
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import access
from instar.agent.datastores.postgresql.server import Server

KEEPS_STATISTICS = 18
"""The first major version whose pg_upgrade carries statistics over."""
TIMEOUT = 24 * 3600.0


def settle(server: Server, report: Report) -> dict[str, Any]:
    """Gather statistics that are missing and remove old data directories. Repeatable."""
    layout, cluster = server.layout, server.usable()
    old = [major for major in layout.majors() if major < layout.major]
    for remains in layout.clusters.glob("*.old"):
        shutil.rmtree(remains)
    if not old:
        return {"removed": []}
    report("gathering statistics", 10)
    words: list[str | Path] = [cluster.programs / "vacuumdb", "--all", "--analyze-in-stages"]
    words += ["--missing-stats-only"] if layout.major >= KEEPS_STATISTICS else []
    words += ["-U", access.ADMINISTRATOR, "-h", cluster.sockets, "-p", str(cluster.port)]
    commands.run(words, timeout=TIMEOUT)
    report("removing old data files", 80)
    return {"removed": [_remove(layout.data(major)) for major in old]}


def _remove(data: Path) -> str:
    """Remove a data directory; a crash in the middle leaves nothing that looks like one."""
    doomed = data.with_name(f"{data.name}.old")
    durable.rename(data, doomed)
    shutil.rmtree(doomed)
    return data.name
