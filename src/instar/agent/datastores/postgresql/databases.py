"""Databases that are the user's. What PUBLIC may by default is taken back: who may connect was granted it."""

from collections.abc import Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from instar.agent.datastores.postgresql import names
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import DatabaseSpec
from instar.wire.errors import BadRequest, NotFound

_LIST: LiteralString = """
    SELECT datname, pg_encoding_to_char(encoding), datcollate
    FROM pg_database WHERE NOT datistemplate ORDER BY datname COLLATE "C"
"""


def listing(connection: Session) -> list[DatabaseSpec]:
    """List the user's databases, sorted by name."""
    return [
        DatabaseSpec(name=name, character_set=encoding, collate=collate)
        for name, encoding, collate in connection.execute(_LIST)
        if not names.is_reserved_database(name)
    ]


def create(cluster: Cluster, databases: Sequence[DatabaseSpec], *, missing_only: bool = False) -> None:
    """Make databases. Raises BadRequest before any is made, when one exists, unless `missing_only`."""
    check(databases)
    with session(cluster) as connection:
        known = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for number, spec in enumerate(databases):
            if spec.name in known and not missing_only:
                raise BadRequest(f"databases.{number}.name: database {spec.name!r} exists already")
        for number, spec in enumerate(databases):
            if spec.name not in known:
                _create(connection, spec, f"databases.{number}")
                known.add(spec.name)
            close_to_public(connection, spec.name)


def check(databases: Sequence[DatabaseSpec]) -> None:
    """Raise BadRequest, naming the field, when one can't be a user's database."""
    for number, spec in enumerate(databases):
        names.check_database(spec.name, f"databases.{number}.name")


def drop(cluster: Cluster, name: str) -> None:
    """Drop a database, ending its sessions. Raises NotFound when the user has no such database."""
    with session(cluster) as connection:
        require(connection, name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def require(connection: Session, name: str) -> None:
    """Raise NotFound unless the user has a database of that name."""
    if name not in {spec.name for spec in listing(connection)}:
        raise NotFound(f"There is no database {name!r}")


def close_to_public(connection: Session, name: str) -> None:
    """Take from PUBLIC what PostgreSQL gives it on a new database."""
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _create(connection: Session, spec: DatabaseSpec, field: str) -> None:
    clauses: list[sql.Composable] = [sql.SQL("CREATE DATABASE {}").format(sql.Identifier(spec.name))]
    if spec.character_set:
        clauses.append(sql.SQL("ENCODING {}").format(sql.Literal(spec.character_set)))
    if spec.collate:
        clauses.append(sql.SQL("LOCALE_PROVIDER libc LOCALE {}").format(sql.Literal(spec.collate)))
    if len(clauses) > 1:
        clauses.append(sql.SQL("TEMPLATE template0"))
    try:
        connection.execute(sql.SQL(" ").join(clauses))
    except (psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError) as error:
        raise BadRequest(
            f"{field}: the database can't be made with this character_set and collate",
            seen=error.diag.message_primary or "",
        ) from None
