"""One look at the database: a query, and what it means when it finds something."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pymysql
from pymysql.constants import ER

from instar.agent.datastores import obstacles
from instar.agent.datastores.mysql_family.sessions import Session, told
from instar.wire.errors import Finding, Severity

LONGEST = 2.0
"""Seconds that one look may take: some open every table."""


@dataclass(frozen=True)
class Look:
    """A query whose rows stand in the way of something, or are worth knowing."""

    check: str
    severity: Severity
    what: str
    query: str
    remedy: str = ""
    column: int | None = None
    """The one column that is told, where the others say nothing."""


def take(session: Session, looks: Iterable[Look]) -> Iterator[Finding]:
    """Tell what a session finds; a look that takes too long is told of, and did not find anything."""
    session.execute("SET SESSION max_statement_time = %s", [LONGEST])
    try:
        for look in looks:
            if finding := _take(session, look):
                yield finding
    finally:
        session.execute("SET SESSION max_statement_time = 0")


def _take(session: Session, look: Look) -> Finding | None:
    try:
        rows = session.rows(look.query)
    except pymysql.MySQLError as error:
        if told(error)[0] == ER.UNKNOWN_SYSTEM_VARIABLE:  # of a member of the family that has no such thing
            return None
        if told(error)[0] != ER.STATEMENT_TIMEOUT:
            raise
        return Finding(
            check=look.check,
            severity=Severity.NOTE,
            seen=f"whether there are {look.what} was not seen within {LONGEST:g} s",
            remedy="Look by hand where it matters.",
        )
    if not rows:
        return None
    if look.column is not None:
        rows = [(row[look.column],) for row in rows]
    seen = f"{look.what}: {obstacles.named(rows)}"
    return Finding(check=look.check, severity=look.severity, seen=seen, remedy=look.remedy)
