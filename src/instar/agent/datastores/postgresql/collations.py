"""The versions of their libraries that the database has recorded for its databases and collations."""

from typing import LiteralString

from psycopg import sql

from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, databases, session

_STALE: LiteralString = """
    SELECT datname FROM pg_database
    WHERE datcollversion <> pg_database_collation_actual_version(oid) AND datconnlimit <> -2
"""
_REFRESH: LiteralString = """
    DO $$
    DECLARE
        stale regcollation;
    BEGIN
        FOR stale IN
            SELECT oid FROM pg_collation WHERE collversion <> pg_collation_actual_version(oid)
            AND collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))
        LOOP
            EXECUTE format('ALTER COLLATION %s REFRESH VERSION', stale);
        END LOOP;
    END $$
"""


def refresh(cluster: Cluster) -> None:
    """Record the present versions everywhere, template databases included. Repeatable."""
    with session(cluster) as connection:
        _quiet(connection)
        for (name,) in connection.execute(_STALE).fetchall():
            statement = sql.SQL("ALTER DATABASE {} REFRESH COLLATION VERSION").format(sql.Identifier(name))
            connection.execute(statement)
        everywhere = databases(connection)
    for database in everywhere:
        with session(cluster, database) as inside:
            _quiet(inside)
            inside.execute(_REFRESH)


def _quiet(connection: Session) -> None:
    connection.execute("SET client_min_messages = warning")
