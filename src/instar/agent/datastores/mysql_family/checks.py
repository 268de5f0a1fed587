"""What stands in the way of an upgrade: everything is looked at, and all findings are told at once."""

import os
from collections.abc import Iterator
from pathlib import Path

from instar.agent import volume
from instar.agent.datastores import probing
from instar.agent.datastores.mysql_family import (
    astray,
    inspection,
    looks,
    option_checks,
    probes,
    table_checks,
)
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.dialect import series
from instar.agent.datastores.mysql_family.looks import Look
from instar.agent.datastores.mysql_family.server import Server
from instar.agent.datastores.mysql_family.sessions import Session, session
from instar.wire.agent import UpgradeCheck, UpgradeFacts, UpgradeParams
from instar.wire.errors import Finding, InstarError, Severity

SPARE = 64 << 20
"""Bytes that another series takes at first: new undo tablespaces, system tables made anew."""
PROBES_BUDGET = 5.0
"""Seconds for all probes; the rest of what a caller waits for is for the other looks."""
_INDEXES = "SELECT COUNT(*) FROM information_schema.INNODB_SYS_INDEXES"

_ALWAYS = (
    Look(
        "galera",
        Severity.BLOCK,
        "this server is part of a Galera cluster, with the provider",
        "SELECT @@wsrep_provider WHERE @@wsrep_on",
        "Take it out of the cluster (wsrep_on = OFF) first: a cluster is upgraded node by node.",
    ),
    Look(
        "recovery",
        Severity.BLOCK,
        "InnoDB leaves data files as they are (innodb_force_recovery, innodb_read_only)",
        "SELECT @@innodb_force_recovery, @@innodb_read_only"
        " WHERE @@innodb_force_recovery > 0 OR @@innodb_read_only",
        "Save what can be read, mend what made them necessary, and take both out of the option files.",
    ),
    Look(
        "xa_transactions",
        Severity.BLOCK,
        "prepared XA transactions, which hold locks and old versions of rows",
        "XA RECOVER FORMAT = 'SQL'",
        "End each of them by XA COMMIT or XA ROLLBACK.",
        column=3,
    ),
    Look(
        "long_transactions",
        Severity.WARN,
        "transactions older than a minute, which the upgrade would break off, by session",
        "SELECT trx_mysql_thread_id, trx_started FROM information_schema.INNODB_TRX"
        " WHERE trx_mysql_thread_id > 0 AND trx_started < NOW() - INTERVAL 1 MINUTE ORDER BY 1",
        "Wait for their end.",
    ),
    Look(
        "replicas",
        Severity.WARN,
        "replicas read from this server, from",
        "SELECT HOST FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%' ORDER BY 1",
        "Upgrade replicas before their primary: an older one may not understand a newer one's binary log.",
    ),
    Look(
        "replica",
        Severity.NOTE,
        "this server is a replica, which stands still until clients are let in again; its primaries are",
        "SHOW ALL SLAVES STATUS",
        "Keep its binary logs on the primary that long.",
        column=3,
    ),
    Look(
        "memory_tables",
        Severity.NOTE,
        "MEMORY tables, which are empty after every start",
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES WHERE ENGINE = 'MEMORY'"
        " AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY 1",
        "Fill them again afterwards.",
    ),
)
_OLD_VERSIONS = Look(
    "old_versions",
    Severity.WARN,
    "old versions of rows, in a number that takes long to purge, which the stop waits for with clients out",
    "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
    " WHERE VARIABLE_NAME = 'INNODB_HISTORY_LIST_LENGTH' AND CAST(VARIABLE_VALUE AS UNSIGNED) > 1000000",
    "End long transactions, and wait until Innodb_history_list_length falls.",
)


def check(server: Server, params: UpgradeParams) -> UpgradeCheck:
    """Gather every finding, and what the upgrade's cost and risk depend on."""
    daemon = server.usable()
    try:
        with session(daemon) as connection:
            if not daemon.is_open():
                return _answer([_unhealthy("it lets no clients in")], UpgradeFacts())
            return _look(daemon, params, connection)
    except InstarError as error:
        return _answer([_unhealthy(error.body.sentence())], UpgradeFacts())


def _look(daemon: Daemon, params: UpgradeParams, connection: Session) -> UpgradeCheck:
    found = [
        *_version(daemon, connection, params),
        *contents(daemon, params, connection),
        *option_checks.worth_knowing(daemon, connection, params),
        *table_checks.findings(connection),
    ]
    catalog = inspection.catalog(connection)
    tables = sum(count for name, count in catalog.items() if name.endswith(("/tables", "/sequences")))
    results = probes.run(daemon, params.probes, PROBES_BUDGET)
    found += probing.findings(results, params.probes)
    if is_another_series(daemon, params):
        found += [*_space(daemon.data), *_collations(daemon, params)]
        found += looks.take(connection, [_OLD_VERSIONS])
    facts = UpgradeFacts(
        data_bytes=volume.used(daemon.data),
        relations=tables + int(connection.value(_INDEXES) or 0),
        databases=len({name.rpartition("/")[0] for name in catalog if not name.startswith("privileges/")}),
        probes=results,
    )
    return _answer(found, facts)


def contents(daemon: Daemon, params: UpgradeParams, connection: Session) -> list[Finding]:
    """Gather what clients may have made that stands in the way, and options that the target refuses."""
    return [
        *option_checks.refused(daemon, params),
        *looks.take(connection, _ALWAYS),
        *table_checks.plugins(connection, params),
        *astray.findings(daemon, connection),
    ]


def is_another_series(daemon: Daemon, params: UpgradeParams) -> bool:
    """Tell whether the files go on to another series, as from 10.11 to 11.8; on a way back they do not."""
    return not params.rolling_back and series(params.target_engine_version) != series(daemon.version)


def _answer(found: list[Finding], facts: UpgradeFacts) -> UpgradeCheck:
    return UpgradeCheck(findings=[finding.model_dump(mode="json") for finding in found], facts=facts)


def _unhealthy(seen: str) -> Finding:
    return Finding(
        check="healthy", seen=f"The database does not serve: {seen}", remedy="Restart the instance."
    )


def _version(daemon: Daemon, connection: Session, params: UpgradeParams) -> Iterator[Finding]:
    running, target = inspection.engine_version(connection), params.target_engine_version
    if not params.rolling_back and _numbers(target) < _numbers(running):
        yield Finding(
            check="version",
            seen=f"{daemon.dialect.title} {running} runs; {target} is older",
            remedy="Choose a version that is not older.",
        )


def _space(data: Path) -> Iterator[Finding]:
    place = os.statvfs(data)
    free = place.f_bavail * place.f_frsize
    if free < SPARE:
        yield Finding(
            check="free_space",
            seen=f"{free >> 20} MiB are free on the data volume, another series needs {SPARE >> 20} MiB",
            remedy="Make the volume larger, or delete data.",
        )


def _collations(daemon: Daemon, params: UpgradeParams) -> Iterator[Finding]:
    since = daemon.dialect.new_collations
    if since and series(daemon.version) < since <= series(params.target_engine_version):
        yield Finding(
            check="text_ordering",
            severity=Severity.NOTE,
            seen="character sets have other default collations in the target (utf8mb4_uca1400_ai_ci for"
            " utf8mb4); databases, tables and indexes that there are keep theirs, and none is rebuilt",
            remedy="Set collation_server where new databases are to be as before.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in inspection.plain(version).split(".") if part.isdecimal())
