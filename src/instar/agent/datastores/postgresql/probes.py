"""Probes: queries with expected answers, by which an owner tells whether the database is of use."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import LiteralString

import psycopg
from psycopg import sql

from instar.agent.datastores.postgresql import access, users
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import Probe, ProbeResult
from instar.wire.errors import Finding, GuestError, InstarError, Severity

LONGEST = 5.0
"""Seconds that one probe may take."""
TOLD = 200
"""Letters of an answer that are told."""

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
    deadline = None if budget is None else time.monotonic() + budget
    if probes:
        _admit(cluster, {probe.database for probe in probes})
    results: list[ProbeResult] = []
    for probe in probes:
        tick(len(results))
        results.append(_run(cluster, probe, deadline))
    return results


def _admit(cluster: Cluster, databases: Collection[str]) -> None:
    """See to it that there is a role to put probes as, and that it may enter their databases."""
    with _admitting, session(cluster) as connection:
        users.make_prober(connection)
        for (name,) in connection.execute(_CLOSED, [list(databases), access.PROBER]).fetchall():
            names = sql.Identifier(name), sql.Identifier(access.PROBER)
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(*names))


def _run(cluster: Cluster, probe: Probe, deadline: float | None) -> ProbeResult:
    began = time.monotonic()
    seconds = LONGEST if deadline is None else min(LONGEST, deadline - began)
    passed = False
    try:
        if seconds <= 0:
            raise GuestError("there was no time left for it")
        options = _OPTIONS.format(max(1, int(seconds * 1000)))
        with session(cluster, probe.database, access.PROBER, options) as connection:
            connection.execute('SET search_path = "$user", public')
            seen = _answer(connection, probe.sql)
        passed = seen == probe.expected
    except InstarError as error:
        seen = error.body.brief
    return ProbeResult(
        name=probe.name,
        passed=passed,
        seen=seen[:TOLD],
        policy=probe.policy,
        seconds=round(time.monotonic() - began, 3),
    )


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


def findings(results: Iterable[ProbeResult], probes: Iterable[Probe]) -> list[Finding]:
    """Tell of the probes that did not pass, as each one's policy wants it."""
    expected = {probe.name: probe.expected for probe in probes}
    return [
        Finding(
            check="probe",
            severity=Severity(result.policy),
            seen=f"probe {result.name}: expected {expected[result.name][:TOLD]!r}, seen {result.seen!r}",
            remedy="Mend what the probe looks at, or change the probe.",
        )
        for result in results
        if not result.passed
    ]
