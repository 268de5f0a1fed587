"""Probes: queries with expected answers, by which an owner tells whether the database is of use."""

import time
from collections.abc import Iterable

import psycopg

from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import Probe, ProbeResult
from instar.wire.errors import Finding, GuestError, InstarError, Severity

LONGEST = 5.0
"""Seconds that one probe may take."""
TOLD = 200
"""Letters of an answer that are told."""


def run(cluster: Cluster, probes: Iterable[Probe], budget: float | None = None) -> list[ProbeResult]:
    """Put each probe to its database; with a budget, those that it leaves no seconds for have failed."""
    deadline = None if budget is None else time.monotonic() + budget
    return [_run(cluster, probe, deadline) for probe in probes]


def _run(cluster: Cluster, probe: Probe, deadline: float | None) -> ProbeResult:
    began = time.monotonic()
    seconds = LONGEST if deadline is None else min(LONGEST, deadline - began)
    passed = False
    try:
        if seconds <= 0:
            raise GuestError("there was no time left for it")
        with session(cluster, probe.database) as connection:
            seen = _answer(connection, probe.sql, seconds)
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


def _answer(connection: Session, statement: str, seconds: float) -> str:
    """Give the first column of the first row as the server spells it; NULL and no row are empty.

    A prepared statement is one statement: what follows it can't end the read-only transaction.
    """
    connection.execute(f"SET statement_timeout = {int(seconds * 1000)}".encode())
    connection.execute('SET search_path = "$user", public')
    connection.execute("SET default_transaction_read_only = on")
    answer = connection.execute(statement.encode(), prepare=True).pgresult
    if answer is None or answer.status != psycopg.pq.ExecStatus.TUPLES_OK or not answer.ntuples:
        return ""
    return (answer.get_value(0, 0) or b"").decode("utf-8", "replace") if answer.nfields else ""


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
