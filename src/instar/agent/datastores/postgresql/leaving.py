"""`pre_upgrade`: the way out of the old image.

1. Checks again, with the database serving.
2. Saves the configuration to the volume, and has dirty pages written while clients are still served.
3. Keeps clients out and ends their sessions: from here on nothing changes any more, and downtime counts.
4. Checks once more what they may have made, notes what there is (`upgrade_info`), and stops the server.
5. Sees to it that the data directory was left in good order, and lets go of the volume.

Whatever fails, the database lets clients in again before the error is raised.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

from instar.agent.datastores import departure, desire, obstacles
from instar.agent.datastores.base import Guest, Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import checks, configuration, gate, inspection, ordering_note
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.configuration import SAVED
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import Session, execute, session
from instar.wire.agent import UpgradeParams
from instar.wire.errors import Finding, GuestError

_LONG_CHECKPOINT = 1.0

_ENCODING: LiteralString = (
    "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = 'template0'"
)
_CHECKPOINTER: LiteralString = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
_TOLD = (
    "data_checksums",
    "max_connections",
    "shared_buffers",
    "shared_preload_libraries",
    "wal_segment_size",
)


def leave(server: Server, params: UpgradeParams, report: Report) -> dict[str, Any]:
    """Carry it out and give `upgrade_info`. Repeatable: when it was done before, gives what it gave then."""
    server.guest.take_volume()
    cluster, state = server.usable(), server.layout.state
    if desire.read(state) is Desire.UPGRADING:
        if (known := _left_before(cluster, state)) is not None:
            server.guest.release_volume()
            return known
        server.serve()
    report("checking", 0)
    checked = checks.check(server, params)
    obstacles.veto([Finding.model_validate(each) for each in checked.findings])
    try:
        info = _stop(server, cluster, params, report)
        server.guest.release_volume()
    except BaseException:
        if not cluster.is_ready():
            cluster.clear_remains()  # a stop that hangs would hang the start; the log brings all back
        server.serve()
        raise
    return info


def _left_before(cluster: Cluster, state: Path) -> dict[str, Any] | None:
    """Give what an earlier run noted, if it got as far as a clean stop."""
    if cluster.postmaster() is not None and cluster.is_ready():
        return None
    cluster.stop()
    if not cluster.is_shut_down():
        return None
    return departure.noted(state)


def _stop(server: Server, cluster: Cluster, params: UpgradeParams, report: Report) -> dict[str, Any]:
    state = server.layout.state
    report("saving configuration", 10)
    configuration.save(cluster.data, state / SAVED)
    with session(cluster) as connection:
        _checkpoint(connection, partial(report, "writing dirty pages"))
        report("keeping clients out", 70)
        gate.close(cluster, connection)
        found: list[Finding] = []
        inside = inspection.inside(cluster, connection, checks.gatherer(server, params, found))
        obstacles.veto([*checks.contents(server, params, connection, inside), *found])
        configuration.save(cluster.data, state / SAVED)
        info = _about(server.guest, cluster, params, connection, inside)
        ordering_note.ensure(cluster.data, ordering_note.of(server.guest.manifest))
        departure.note(state, info)
        desire.write(state, Desire.UPGRADING)
    report("stopping", 80)
    cluster.stop(partial(report, "stopping", 80))
    if not cluster.is_shut_down():
        raise GuestError(
            "The database was not left in good order", seen=cluster.control()["Database cluster state"]
        )
    return info


def _checkpoint(connection: Session, report: Callable[[float, float], None]) -> None:
    """Have dirty pages written, so that the stop has few; again if that took long enough for new ones.

    The server counts what a hurried checkpoint wrote only at its end, hence the look at its process.
    """
    row = connection.execute(_CHECKPOINTER).fetchone()
    began = time.monotonic()
    for percent in (20, 50):
        report(percent, 0)
        execute(connection, "CHECKPOINT", partial(report, percent), worker=row[0] if row else None)
        if time.monotonic() - began < _LONG_CHECKPOINT:
            return


def _about(
    guest: Guest,
    cluster: Cluster,
    params: UpgradeParams,
    connection: Session,
    inside: Mapping[str, inspection.Inside],
) -> dict[str, Any]:
    encoding, locale = connection.execute(_ENCODING).fetchone() or ("UTF8", "C")
    return {
        "engine_version": inspection.engine_version(connection),
        "major": int(cluster.data.name),
        "data_directory": f"{cluster.data.parent.name}/{cluster.data.name}",
        "encoding": encoding,
        "locale": locale,
        "settings": {name: inspection.setting(connection, name) for name in _TOLD},
        "databases": list(inside),
        "read_back": inspection.read_back(connection, inside).model_dump(),
        "method": params.method,
        "glibc": guest.manifest.glibc,
        "icu": guest.manifest.icu,
        "saved_at": time.time(),
    }
