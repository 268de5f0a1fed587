"""How a client reaches a database: PostgreSQL and MariaDB behind the same few words.

A server that vanishes with its network says no goodbye; clients here notice within seconds all the same.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
import pymysql

PATIENCE = 5
"""Seconds that a client waits for an answer of a server that may be gone."""


class Access(Protocol):
    """A way into a database."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    @property
    def unless_there(self) -> str:
        """How an INSERT begins, and ends, that leaves a row alone which is there: a text with a `{}`."""

    def connect(self) -> Any:
        """Open a connection that commits each statement, a context manager that closes it."""


@dataclass(frozen=True)
class PostgreSQL:
    """A way into a PostgreSQL database."""

    conninfo: str = field(repr=False)
    errors = (psycopg.Error,)
    unless_there = "INSERT INTO {} ON CONFLICT DO NOTHING"

    def connect(self) -> Any:
        """Open a connection."""
        return psycopg.connect(
            self.conninfo,
            autocommit=True,
            connect_timeout=2,
            keepalives_idle=1,
            keepalives_interval=1,
            keepalives_count=PATIENCE,
            tcp_user_timeout=PATIENCE * 1000,
        )


@dataclass(frozen=True)
class MariaDB:
    """A way into a MariaDB database."""

    host: str
    user: str
    password: str = field(repr=False)
    database: str
    errors = (pymysql.Error, OSError)
    unless_there = "INSERT IGNORE INTO {}"

    def connect(self) -> Any:
        """Open a connection."""
        return pymysql.connect(
            host=self.host,
            user=self.user,
            password=self.password,
            database=self.database,
            autocommit=True,
            connect_timeout=2,
            read_timeout=PATIENCE,
            write_timeout=PATIENCE,
        )


def ask(access: Access, query: str, values: tuple[object, ...] = ()) -> list[Any]:
    """Ask a database; gives the rows, as plain values where there is one column."""
    with access.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query, values or None)
        rows = cursor.fetchall() if cursor.description else ()
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


def tell(access: Access, *statements: str) -> None:
    """Have a database carry out statements, one after the other."""
    with access.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
