"""Rows that lie in another partition than the order of text has them in now: queries would not find them."""

from collections.abc import Iterator
from typing import LiteralString, cast

from psycopg import sql

from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql.ordering import Change
from instar.agent.datastores.postgresql.ordering_queries import PARTITIONS
from instar.agent.datastores.postgresql.sessions import Session, execute
from instar.wire.errors import Finding

_REMEDY = (
    "Go back onto the old image, or resume to let clients in and move them: delete them from that partition "
    "and insert them into its table, in one transaction."
)


def find(connection: Session, change: Change, report: Report) -> Iterator[Finding]:
    """Read every partition by ranges of text in a session's database, and tell of those with such rows."""

    def tick(effort: int) -> None:
        report("looking for rows in wrong partitions", 94, effort)

    for schema, name, constraint in connection.execute(PARTITIONS, change.parameters()).fetchall():
        statement = sql.SQL("SELECT count(*) FROM ONLY {} WHERE NOT ({})").format(
            sql.Identifier(schema, name), sql.SQL(cast(LiteralString, constraint))
        )
        row = execute(connection, statement, tick).fetchone()
        if row and row[0]:
            seen = (
                f"in database {connection.info.dbname}, {row[0]} rows of partition {schema}.{name} belong to "
                "other partitions now: queries don't find them there"
            )
            yield Finding(check="text_ordering", seen=seen, remedy=_REMEDY)
