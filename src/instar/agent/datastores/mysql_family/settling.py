"""`settle`: an upgrade leaves nothing for when clients are served; statistics cross with the data files."""

from typing import Any

from instar.agent.datastores.base import Report
from instar.agent.datastores.mysql_family.server import Server


def settle(server: Server, report: Report) -> dict[str, Any]:
    """Remove markers of versions before, which a newer program does not read any more. Repeatable."""
    report("looking for what is left", 50)
    daemon = server.usable()
    markers = [daemon.data / name for name in daemon.dialect.version_markers]
    current = next((marker for marker in markers if marker.is_file()), None)
    left = [marker for marker in markers if marker != current and marker.is_file()]
    for marker in left:
        marker.unlink(missing_ok=True)
    return {"removed": [marker.name for marker in left]}
