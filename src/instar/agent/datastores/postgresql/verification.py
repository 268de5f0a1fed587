"""amcheck looks into indexes that were rebuilt: whether each is in order, and smaller ones hold every row.

Where it is not installed, it is in a schema of ours for as long as a transaction lasts that is taken back.
"""

import time
from collections.abc import Iterator, Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.ordering import Index
from instar.agent.datastores.postgresql.sessions import Session, execute, session
from instar.wire.errors import Finding, Severity

BUDGET = 10.0
"""Seconds for all of them, smallest first: clients wait."""
EVERY_ROW = 64 << 20
"""Bytes of an index up to which every row is looked for in it."""
_SCHEMA = "instar_verification"
_INSTALLED: LiteralString = (
    "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'amcheck'"
)
_OFFERED: LiteralString = "SELECT FROM pg_available_extensions WHERE name = 'amcheck'"


class _OutOfTime(Exception):
    """The seconds are used up."""


def verify(cluster: Cluster, indexes: Sequence[Index], report: Report) -> list[Finding]:
    """Look into the b-trees among them; tell of those that are wrong or were not looked into. Repeatable."""
    trees = sorted((index for index in indexes if index.method == "btree"), key=lambda index: index.bytes)
    deadline = time.monotonic() + BUDGET
    seen: set[Index] = set()
    found: list[Finding] = []
    for database in dict.fromkeys(index.database for index in trees):
        with session(cluster, database) as connection:
            here = [index for index in trees if index.database == database]
            found += _look(connection, here, seen, deadline, report)
    return [*found, *_unseen(len(trees) - len(seen), len(trees))]


def _look(
    connection: Session, indexes: Sequence[Index], seen: set[Index], deadline: float, report: Report
) -> Iterator[Finding]:
    with connection.transaction(force_rollback=True):
        schema = _schema(connection)
        for index in indexes if schema else ():
            try:
                with connection.transaction():
                    _check(connection, schema, index, deadline, report)
            except _OutOfTime:
                return
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                yield Finding(
                    check="text_ordering",
                    seen=f"index {index} is wrong after its rebuild: {error.diag.message_primary}",
                    remedy="Go back onto the old image; a resume lets clients in all the same.",
                )
            seen.add(index)


def _schema(connection: Session) -> str:
    """Give the schema that amcheck is in, if it has to be installed; empty when the image lacks it."""
    if installed := connection.execute(_INSTALLED).fetchone():
        return str(installed[0])
    if connection.execute(_OFFERED).fetchone() is None:
        return ""
    name = sql.Identifier(_SCHEMA)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    connection.execute(sql.SQL("CREATE EXTENSION amcheck SCHEMA {}").format(name))
    return _SCHEMA


def _check(connection: Session, schema: str, index: Index, deadline: float, report: Report) -> None:
    def tick(effort: int) -> None:
        if time.monotonic() > deadline:
            raise _OutOfTime
        report("verifying rebuilt indexes", 94, effort)

    tick(0)
    statement = sql.SQL("SELECT {}.bt_index_check({}::oid, {})").format(
        sql.Identifier(schema), sql.Literal(index.oid), sql.Literal(index.bytes <= EVERY_ROW)
    )
    execute(connection, statement, tick)


def _unseen(count: int, of: int) -> Iterator[Finding]:
    if count:
        seen = (
            f"{count} of {of} rebuilt b-tree indexes were not verified: no time was left, or the image lacks "
            "amcheck"
        )
        yield Finding(check="text_ordering", severity=Severity.NOTE, seen=seen)
