"""What stands in the way of an upgrade: everything is looked at, and all findings are told at once."""

import os
from collections.abc import Iterator
from typing import Any, LiteralString

from instar.agent import volume
from instar.agent.datastores.postgresql import inspection, tablespaces
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.layout import major_of
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import UpgradeParams
from instar.wire.errors import BadRequest, Finding, InstarError, Severity

METHODS = ("link", "clone", "copy")
SPARE = 256 << 20
"""Bytes that a new data directory takes besides what is copied."""

_PREPARED: LiteralString = "SELECT gid, database FROM pg_prepared_xacts ORDER BY gid"
_NO_CONNECTIONS: LiteralString = (
    "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0' ORDER BY datname"
)
_SLOTS: LiteralString = (
    "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical' ORDER BY slot_name"
)
_SUBSCRIPTIONS: LiteralString = "SELECT subname FROM pg_subscription ORDER BY subname"


def findings(server: Server, params: UpgradeParams) -> list[Finding]:
    """Gather every finding."""
    if params.method not in METHODS:
        raise BadRequest(f"method must be one of {', '.join(METHODS)}", seen=params.method)
    cluster = server.usable()
    try:
        with session(cluster) as connection:
            if not cluster.is_open():
                return [_unhealthy("it lets no clients in")]
            found = [*_version(connection, params), *contents(server, params, connection)]
    except InstarError as error:
        return [_unhealthy(error.body.sentence())]
    if _is_major(server, params):
        found += [*_space(cluster, params.method)]
    return found


def contents(server: Server, params: UpgradeParams, connection: Session) -> list[Finding]:
    """Gather what clients may have made that stands in the way."""
    major = _is_major(server, params)
    found = tablespaces.locations(connection, server.cluster().data)
    findings = [*tablespaces.misplaced(server.layout, found, major=major)]
    return [*findings, *_unconvertible(connection)] if major else findings


def blocking(found: list[Finding]) -> list[Finding]:
    """Give the findings that forbid the upgrade."""
    return [finding for finding in found if finding.severity is Severity.BLOCK]


def _is_major(server: Server, params: UpgradeParams) -> bool:
    return major_of(params.target_engine_version) > server.layout.major


def _unhealthy(seen: str) -> Finding:
    return Finding(
        check="healthy", seen=f"The database does not serve: {seen}", remedy="Restart the instance."
    )


def _version(connection: Session, params: UpgradeParams) -> Iterator[Finding]:
    running = inspection.engine_version(connection)
    if _numbers(params.target_engine_version) < _numbers(running):
        yield Finding(
            check="version",
            seen=f"PostgreSQL {running} runs; {params.target_engine_version} is older",
            remedy="Choose a version that is not older.",
        )


def _unconvertible(connection: Session) -> Iterator[Finding]:
    looks: list[tuple[str, LiteralString, str, str]] = [
        ("prepared_transactions", _PREPARED, "Prepared transactions", "Commit or roll them back."),
        (
            "closed_databases",
            _NO_CONNECTIONS,
            "Databases that allow no connections",
            "ALTER DATABASE ... ALLOW_CONNECTIONS true, or drop them.",
        ),
        (
            "replication_slots",
            _SLOTS,
            "Logical replication slots",
            "Drop them; make them anew after the upgrade.",
        ),
        ("subscriptions", _SUBSCRIPTIONS, "Subscriptions", "Drop them; make them anew after the upgrade."),
    ]
    for check, query, what, remedy in looks:
        if rows := connection.execute(query).fetchall():
            yield Finding(check=check, seen=f"{what}: {_told(rows)}", remedy=remedy)


def _space(cluster: Cluster, method: str) -> Iterator[Finding]:
    place = os.statvfs(cluster.data)
    free = place.f_bavail * place.f_frsize
    needed = SPARE
    if method == "copy":
        needed += volume.used(cluster.data)
    if free < needed:
        yield Finding(
            check="free_space",
            seen=f"{free >> 20} MiB are free on the data volume, method {method} needs {needed >> 20} MiB",
            remedy="Make the volume larger, delete data, or use method link.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _told(rows: list[tuple[Any, ...]]) -> str:
    return ", ".join(" in ".join(map(str, row)) for row in rows)
