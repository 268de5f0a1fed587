"""What stands in the way of an upgrade: everything is looked at, and all findings are told at once."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping

from instar.agent import volume
from instar.agent.datastores import probing
from instar.agent.datastores.postgresql import (
    conversion_checks,
    extension_checks,
    inspection,
    looks,
    ordering_note,
    probes,
    tablespaces,
)
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.inspection import Inside
from instar.agent.datastores.postgresql.layout import major_of
from instar.agent.datastores.postgresql.looks import Look
from instar.agent.datastores.postgresql.ordering import Indexes
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import UpgradeCheck, UpgradeFacts, UpgradeParams
from instar.wire.errors import BadRequest, Finding, InstarError, Severity

METHODS = ("link", "clone", "copy")
_FICLONE = 0x40049409
"""The request of ioctl_ficlone(2)."""
SPARE = 256 << 20
"""Bytes that a new data directory takes besides what is copied."""
PROBES_BUDGET = 5.0
"""Seconds for all probes; the rest of what a caller waits for is for the other looks."""
_COUNTED = ("tables", "indexes", "sequences")

_RUNNING = (
    Look(
        "base_backup",
        Severity.WARN,
        "Base backups are running, which the upgrade would break off, in processes",
        "SELECT pid, phase FROM pg_stat_progress_basebackup ORDER BY pid",
        "Wait for their end, or make them anew afterwards.",
    ),
)
_WORTH_KNOWING = (
    Look(
        "unlogged_tables",
        Severity.NOTE,
        "unlogged tables, which are empty after a crash at any time",
        "SELECT oid::regclass FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r' ORDER BY 1",
        "ALTER TABLE ... SET LOGGED where rows are of value.",
    ),
    Look(
        "invalid_indexes",
        Severity.NOTE,
        "indexes that are invalid and stay so",
        "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid ORDER BY 1",
        "REINDEX, or drop them.",
    ),
)


def check(server: Server, params: UpgradeParams) -> UpgradeCheck:
    """Gather every finding, and what the upgrade's cost and risk depend on."""
    if params.method not in METHODS:
        raise BadRequest(f"method must be one of {', '.join(METHODS)}", seen=params.method)
    cluster = server.usable()
    try:
        with session(cluster) as connection:
            if not cluster.is_open():
                return _answer([_unhealthy("it lets no clients in")], UpgradeFacts())
            return _look(server, cluster, params, connection)
    except InstarError as error:
        return _answer([_unhealthy(error.body.sentence())], UpgradeFacts())


def _look(server: Server, cluster: Cluster, params: UpgradeParams, connection: Session) -> UpgradeCheck:
    indexes = _indexes(server, params)
    found = [*_version(connection, params), *looks.take(connection, _RUNNING)]

    def look(there: Session) -> None:
        indexes.look(there)
        found.extend(looks.take_inside(there, _WORTH_KNOWING))
        found.extend(within(server, params, there))

    def refused(database: str, error: InstarError) -> None:
        found.append(_unseen(database, error))

    inside = inspection.inside(cluster, connection, look, refused)
    results = probes.run(cluster, params.probes, PROBES_BUDGET)
    used = volume.used(cluster.data)
    found += [
        *contents(server, params, connection, inside),
        *indexes.findings(),
        *probing.findings(results, params.probes),
        *(_space(cluster, params.method, used) if _is_major(server, params) else ()),
        *(_clones(cluster) if _is_major(server, params) and params.method == "clone" else ()),
    ]
    facts = UpgradeFacts(
        data_bytes=used,
        relations=sum(there.catalog.get(kind, 0) for there in inside.values() for kind in _COUNTED),
        databases=len(inside),
        indexes_at_risk=indexes.largest(),
        probes=results,
    )
    return _answer(found, facts)


def contents(
    server: Server, params: UpgradeParams, connection: Session, inside: Mapping[str, Inside]
) -> list[Finding]:
    """Gather what clients may have made that stands in the way, outside single databases."""
    major = _is_major(server, params)
    places = tablespaces.locations(connection, server.cluster().data)
    found = [*tablespaces.misplaced(server.layout, places, major=major)]
    if _major_of(params) >= server.layout.major:
        found += extension_checks.findings(inside, params)
    return [*found, *looks.take(connection, conversion_checks.EVERYWHERE)] if major else found


def within(server: Server, params: UpgradeParams, connection: Session) -> Iterator[Finding]:
    """Gather what clients may have made in a session's database that stands in the way."""
    if _is_major(server, params):
        wanted = conversion_checks.inside(server.layout.major, _major_of(params))
        yield from looks.take_inside(connection, wanted)


def gatherer(server: Server, params: UpgradeParams, found: list[Finding]) -> Callable[[Session], None]:
    """Give what looks into a session's database, where nothing changes now, and adds to the findings."""

    def look(connection: Session) -> None:
        found.extend(within(server, params, connection))
        if params.text_ordering == "block":
            indexes = _indexes(server, params)
            indexes.look(connection)
            found.extend(indexes.findings())

    return look


def _indexes(server: Server, params: UpgradeParams) -> Indexes:
    return Indexes(server.guest.manifest, params, ordering_note.read(server.cluster().data))


def _answer(found: list[Finding], facts: UpgradeFacts) -> UpgradeCheck:
    return UpgradeCheck(findings=[finding.model_dump(mode="json") for finding in found], facts=facts)


def _major_of(params: UpgradeParams) -> int:
    return major_of(params.target_engine_version)


def _is_major(server: Server, params: UpgradeParams) -> bool:
    return _major_of(params) > server.layout.major


def _unhealthy(seen: str) -> Finding:
    return Finding(
        check="healthy", seen=f"The database does not serve: {seen}", remedy="Restart the instance."
    )


def _unseen(database: str, error: InstarError) -> Finding:
    return Finding(
        check="database",
        seen=f"database {database} can't be looked at: {error.body.seen or error.body.brief}",
        remedy="Remove what stands in the way, or drop the database, then check again.",
    )


def _version(connection: Session, params: UpgradeParams) -> Iterator[Finding]:
    running = inspection.engine_version(connection)
    if not params.rolling_back and _numbers(params.target_engine_version) < _numbers(running):
        yield Finding(
            check="version",
            seen=f"PostgreSQL {running} runs; {params.target_engine_version} is older",
            remedy="Choose a version that is not older.",
        )


def _space(cluster: Cluster, method: str, used: int) -> Iterator[Finding]:
    place = os.statvfs(cluster.data)
    free = place.f_bavail * place.f_frsize
    needed = SPARE + (used if method == "copy" else 0)
    if free < needed:
        yield Finding(
            check="free_space",
            seen=f"{free >> 20} MiB are free on the data volume, method {method} needs {needed >> 20} MiB",
            remedy="Make the volume larger, delete data, or use method link.",
        )


def _clones(cluster: Cluster) -> Iterator[Finding]:
    """See whether the file system can clone files, as `pg_upgrade --clone` does, by cloning one."""
    source = (cluster.data / "PG_VERSION").open("rb")
    with source, tempfile.TemporaryFile(dir=cluster.data.parent) as target:
        try:
            fcntl.ioctl(target, _FICLONE, source.fileno())
        except OSError as error:
            yield Finding(
                check="method",
                seen=f"the volume's file system can't clone files: {error.strerror}",
                remedy="Use method link or copy.",
            )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
