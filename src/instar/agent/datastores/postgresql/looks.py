"""One look into a system catalogue: a query, and what it means when it finds something."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import LiteralString

from instar.agent.datastores import obstacles
from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.errors import Finding, Severity


@dataclass(frozen=True)
class Look:
    """A query whose rows stand in the way of something, or are worth knowing."""

    check: str
    severity: Severity
    what: str
    query: LiteralString
    remedy: str = ""


def take(connection: Session, looks: Iterable[Look]) -> Iterator[Finding]:
    """Tell what a session finds; what lies inside one database is told with that database's name."""
    for look in looks:
        if rows := connection.execute(look.query).fetchall():
            yield Finding(
                check=look.check,
                severity=look.severity,
                seen=f"{look.what}: {obstacles.named(rows)}",
                remedy=look.remedy,
            )


def take_inside(connection: Session, looks: Iterable[Look]) -> Iterator[Finding]:
    """Tell what a session finds in its own database, naming that."""
    for finding in take(connection, looks):
        yield finding.model_copy(update={"seen": f"in database {connection.info.dbname}, {finding.seen}"})
