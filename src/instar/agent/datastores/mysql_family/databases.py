"""Databases that are the user's."""

from collections.abc import Sequence
from typing import Any

import pymysql
from pymysql.constants import ER

from instar.agent.datastores.mysql_family import names
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.sessions import Session, identifier, literal, session, told
from instar.wire.agent import DatabaseSpec
from instar.wire.errors import BadRequest, NotFound

_LIST = """
    SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA
"""
_GRANTED = "SELECT User, Host FROM mysql.db WHERE Db = %s"
_WORKING_IN = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s AND ID <> CONNECTION_ID()"
_TEXT_ERRORS = {ER.UNKNOWN_CHARACTER_SET, ER.UNKNOWN_COLLATION, ER.COLLATION_CHARSET_MISMATCH}


def listing(session: Session) -> list[DatabaseSpec]:
    """List the user's databases, sorted by name."""
    found = (
        DatabaseSpec(name=name, character_set=characters, collate=collation)
        for name, characters, collation in session.rows(_LIST)
        if not names.is_reserved_database(name)
    )
    return sorted(found, key=lambda spec: spec.name)


def create(daemon: Daemon, databases: Sequence[DatabaseSpec], *, missing_only: bool = False) -> None:
    """Make databases. Raises BadRequest before any is made, when one exists, unless `missing_only`."""
    check(databases)
    with session(daemon) as connection:
        known = _known(connection)
        for number, spec in enumerate(databases):
            if spec.name in known and not missing_only:
                raise BadRequest(f"databases.{number}.name: database {spec.name!r} exists already")
        for number, spec in enumerate(databases):
            if spec.name not in known:
                _forget_grants(connection, spec.name)
                _create(connection, spec, f"databases.{number}")
                known.add(spec.name)


def check(databases: Sequence[DatabaseSpec]) -> None:
    """Raise BadRequest, naming the field, when one can't be a user's database."""
    for number, spec in enumerate(databases):
        names.check_database(spec.name, f"databases.{number}.name")


def drop(daemon: Daemon, name: str) -> None:
    """Drop a database, disconnecting who uses it, and what was granted on it. Raises NotFound."""
    with session(daemon) as connection:
        require(connection, name)
        for (number,) in connection.rows(_WORKING_IN, [name]):
            kill(connection, number)
        connection.execute(f"DROP DATABASE IF EXISTS {identifier(name)}")
        _forget_grants(connection, name)


def require(session: Session, name: str) -> None:
    """Raise NotFound unless the user has a database of that name."""
    if name not in {spec.name for spec in listing(session)}:
        raise NotFound(f"There is no database {name!r}")


def revoke(session: Session, who: tuple[Any, ...], name: str) -> None:
    """Take from an account (user, host) all that it was granted on a database."""
    for rights in ("GRANT OPTION", "ALL PRIVILEGES"):
        session.execute(f"REVOKE {rights} ON {everything_in(name)} FROM %s@%s", who)


def everything_in(name: str) -> str:
    """Name all that is in a database, for a statement about grants with arguments."""
    return identifier(pattern(name)).replace("%", "%%") + ".*"


def pattern(name: str) -> str:
    """Spell a database's name as grants do: `_` and `%` stand for others there unless escaped."""
    return name.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%")


def kill(session: Session, number: int) -> None:
    """End a client's session, which may have ended."""
    try:
        session.execute(f"KILL CONNECTION {int(number)}")
    except pymysql.MySQLError as error:
        if told(error)[0] != ER.NO_SUCH_THREAD:
            raise


def _known(session: Session) -> set[str]:
    return {name for name, _, _ in session.rows(_LIST)}


def _forget_grants(session: Session, name: str) -> None:
    """Take back what was granted on a database: grants outlive it, and would hold for its next namesake."""
    for who in session.rows(_GRANTED, [pattern(name)]):
        revoke(session, who, name)


def _create(session: Session, spec: DatabaseSpec, field: str) -> None:
    statement = f"CREATE DATABASE {identifier(spec.name)}"
    for clause, value in (("CHARACTER SET", spec.character_set), ("COLLATE", spec.collate)):
        if value:
            statement += f" {clause} {literal(session, value)}"
    try:
        session.execute(statement)
    except pymysql.MySQLError as error:
        code, cause = told(error)
        if code not in _TEXT_ERRORS:
            raise
        raise BadRequest(
            f"{field}: the database can't be made with this character_set and collate", seen=cause
        ) from None
