"""How probes are put: as a role that may read, in a read-only transaction."""

import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import LiteralString

import psycopg
from psycopg import sql

from instar.agent.datastores import probing
from instar.agent.datastores.postgresql import access, users
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import Probe, ProbeResult

_OPTIONS = "-c default_transaction_read_only=on -c lock_timeout=0 -c statement_timeout={}"
_CLOSED: LiteralString = """
    SELECT datname FROM pg_database
    WHERE datname = ANY (%s) AND NOT has_database_privilege(%s, oid, 'CONNECT')
"""
_admitting = threading.Lock()
"""Two sessions that grant on one database at the same time would get into each other's way."""


def run(
    cluster: Cluster,
    probes: Collection[Probe],
    budget: float | None = None,
    tick: Callable[[int], None] = lambda _: None,
) -> list[ProbeResult]:
    """Put each probe to its database; with a budget, those that it leaves no seconds for have failed.

    `tick` is called before each with how many have been put. Raises GuestError when there is no role to put
    them as.
    """
    if probes:
        _admit(cluster, {probe.database for probe in probes})
    return probing.run(probes, partial(_put, cluster), budget, tick)


def _admit(cluster: Cluster, databases: Collection[str]) -> None:
    """See to it that there is a role to put probes as, and that it may enter their databases."""
    with _admitting, session(cluster) as connection:
        users.make_prober(connection)
        for (name,) in connection.execute(_CLOSED, [list(databases), access.PROBER]).fetchall():
            names = sql.Identifier(name), sql.Identifier(access.PROBER)
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(*names))


def _put(cluster: Cluster, probe: Probe, seconds: float) -> str:
    options = _OPTIONS.format(max(1, int(seconds * 1000)))
    with session(cluster, probe.database, access.PROBER, options) as connection:
        connection.execute('SET search_path = "$user", public')
        return _answer(connection, probe.sql)


def _answer(connection: Session, statement: str) -> str:
    """Give the first column of the first row as the server spells it; NULL and no row are empty.

    A statement sent so is one statement: what follows it can't end the read-only transaction. Rows after the
    first are not waited for; the session ends here.
    """
    wire = connection.pgconn
    wire.send_query_params(statement.encode(), None)
    wire.set_single_row_mode()
    answer = wire.get_result()
    try:
        if answer is not None and answer.status == psycopg.pq.ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(answer)
        if answer is None or not answer.ntuples or not answer.nfields:
            return ""
        return (answer.get_value(0, 0) or b"").decode("utf-8", "replace")
    finally:
        connection.close()
