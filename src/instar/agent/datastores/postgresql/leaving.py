"""`pre_upgrade`: the way out of the old image.

1. Checks again, with the database serving.
2. Saves the configuration to the volume, and has dirty pages written while clients are still served.
3. Notes what there is (`upgrade_info`) while no database can be made or dropped, and stops the server.
4. Sees to it that the data directory was left in good order, and lets go of the volume.

Whatever fails, the database serves again before the error is raised.
"""

import json
import time
from pathlib import Path
from typing import Any, LiteralString

from instar.agent import durable
from instar.agent.datastores.base import Guest, Report
from instar.agent.datastores.postgresql import checks, configuration, desire, inspection
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.desire import Desire
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import Session, databases, session
from instar.wire.agent import UpgradeParams
from instar.wire.errors import GuestError, Vetoed

INFO = "upgrade_info.json"
SAVED = "saved"
_LONG_CHECKPOINT = 1.0

_ENCODING: LiteralString = (
    "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = 'template0'"
)
_TOLD = (
    "data_checksums",
    "max_connections",
    "shared_buffers",
    "shared_preload_libraries",
    "wal_segment_size",
)


def leave(server: Server, params: UpgradeParams, report: Report) -> dict[str, Any]:
    """Carry it out and give `upgrade_info`. Repeatable: when it was done before, gives what it gave then."""
    cluster, state = server.usable(), server.layout.state
    if desire.read(state) is Desire.UPGRADING:
        if (known := _left_before(cluster, state)) is not None:
            return known
        server.bring_up(cluster)
    report("checking", 0)
    if found := checks.blocking(checks.findings(cluster, params)):
        raise Vetoed("The upgrade can't begin", seen="; ".join(each.seen for each in found), findings=found)
    try:
        info = _stop(server, cluster, params, report)
    except BaseException:
        desire.write(state, Desire.RUNNING)
        server.bring_up(cluster)
        raise
    server.guest.release_volume()
    return info


def _left_before(cluster: Cluster, state: Path) -> dict[str, Any] | None:
    """Give what an earlier run noted, if it got as far as a clean stop."""
    if cluster.postmaster() is not None and cluster.is_ready():
        return None
    cluster.stop()
    if not cluster.is_shut_down():
        return None
    info: dict[str, Any] = json.loads((state / INFO).read_text())
    return info


def _stop(server: Server, cluster: Cluster, params: UpgradeParams, report: Report) -> dict[str, Any]:
    state = server.layout.state
    report("saving configuration", 10)
    configuration.save(cluster.data, state / SAVED)
    with session(cluster) as connection:
        info = _about(server.guest, cluster, params, connection)
        report("writing dirty pages", 20)
        _checkpoint(connection)
        report("stopping", 80)
        connection.execute("SET lock_timeout = '10s'")
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE pg_database IN SHARE MODE")
        info["databases"] = databases(connection)
        durable.write(state / INFO, json.dumps(info))
        desire.write(state, Desire.UPGRADING)
        cluster.stop()
        connection.close()
    if not cluster.is_shut_down():
        raise GuestError(
            "The database was not left in good order", seen=cluster.control()["Database cluster state"]
        )
    return info


def _checkpoint(connection: Session) -> None:
    """Have dirty pages written, so that the stop has few; again if that took long enough for new ones."""
    began = time.monotonic()
    connection.execute("CHECKPOINT")
    if time.monotonic() - began > _LONG_CHECKPOINT:
        connection.execute("CHECKPOINT")


def _about(guest: Guest, cluster: Cluster, params: UpgradeParams, connection: Session) -> dict[str, Any]:
    encoding, locale = connection.execute(_ENCODING).fetchone() or ("UTF8", "C")
    return {
        "engine_version": inspection.engine_version(connection),
        "major": int(cluster.data.name),
        "data_directory": f"{cluster.data.parent.name}/{cluster.data.name}",
        "encoding": encoding,
        "locale": locale,
        "settings": {name: inspection.setting(connection, name) for name in _TOLD},
        "extensions": inspection.extensions(cluster, connection),
        "method": params.method,
        "glibc": guest.manifest.glibc,
        "icu": guest.manifest.icu,
        "saved_at": time.time(),
    }
