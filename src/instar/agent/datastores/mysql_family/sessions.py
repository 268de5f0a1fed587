"""Sessions with the database, as the administrator unless told otherwise, through the private socket."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from instar.agent import commands, processes
from instar.agent.datastores.mysql_family import accounts
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.wire.errors import GuestError

PATIENCE = 5.0
"""Seconds for which clients may leave no connection free; one beyond theirs is the administrator's."""
_PASSING = {
    ER.LOCK_WAIT_TIMEOUT,
    ER.LOCK_DEADLOCK,
    ER.CON_COUNT_ERROR,
    ER.QUERY_INTERRUPTED,
    CR.CR_CONN_HOST_ERROR,
    CR.CR_CONNECTION_ERROR,
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
}

Rows = list[tuple[Any, ...]]


class Session:
    """A session that commits each statement."""

    def __init__(self, connection: "pymysql.connections.Connection[Any]", daemon: Daemon) -> None:
        self.connection, self.daemon = connection, daemon

    @property
    def id(self) -> int:
        """The server's number of this session."""
        number: int = self.connection.thread_id()  # type: ignore[no-untyped-call]
        return number

    def rows(self, statement: str, args: Sequence[Any] = ()) -> Rows:
        """Run a query and give its rows; `%s` stands for an argument, and `%%` for a percent sign then."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, tuple(args) or None)
            return list(cursor.fetchall())

    def row(self, statement: str, args: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Run a query and give its first row, if there is one."""
        found = self.rows(statement, args)
        return found[0] if found else None

    def value(self, statement: str, args: Sequence[Any] = ()) -> Any:
        """Run a query and give the first column of its first row; None without a row."""
        found = self.row(statement, args)
        return None if found is None else found[0]

    def execute(self, statement: str, args: Sequence[Any] = ()) -> int:
        """Run a statement; gives how many rows it touched."""
        with self.connection.cursor() as cursor:
            touched: int = cursor.execute(statement, tuple(args) or None)
            return touched


@contextlib.contextmanager
def session(
    daemon: Daemon, database: str | None = None, user: str = accounts.ADMINISTRATOR
) -> Iterator[Session]:
    """Open a session; the database's errors come out as GuestError.

    A user's own settings can't lead it astray, and nothing of it goes to the logs of statements.
    """
    try:
        connection = _connect(daemon, database, user)
        try:
            yield Session(connection, daemon)
        finally:
            with contextlib.suppress(pymysql.Error):
                connection.close()
    except pymysql.MySQLError as error:
        raise refusal(error) from None


def refusal(error: pymysql.MySQLError, what: str = "The database refused") -> GuestError:
    """Turn the database's error into ours."""
    code, cause = told(error)
    return GuestError(
        commands.brief(f"{what}: {cause}"),
        seen=f"error {code}: {cause}" if code else cause,
        retryable=code in _PASSING,
    )


def told(error: pymysql.MySQLError) -> tuple[int, str]:
    """Give the number and the words of the database's error."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return code, str(error.args[-1] if error.args else error).strip()


def execute(session: Session, statement: str, tick: Callable[[int], None]) -> None:
    """Run a statement that may take long; what `tick` raises ends it.

    `tick` is called about every second with how much the server has done.
    """
    pid = session.daemon.pid() or 0
    with futures.ThreadPoolExecutor(1, "statement") as thread:
        running = thread.submit(session.execute, statement)
        try:
            while not futures.wait([running], commands.TICK).done:
                tick(processes.effort(pid))
        except BaseException:
            _kill(session)
            raise
        running.result()


def identifier(name: str) -> str:
    """Quote a name for a statement without arguments; with arguments, `%` in it has to be doubled."""
    return "`" + name.replace("`", "``") + "`"


def literal(session: Session, text: str) -> str:
    """Quote a text for a statement."""
    return str(session.connection.escape(text))


def _kill(session: Session) -> None:
    with contextlib.suppress(pymysql.Error), contextlib.closing(_connect(session.daemon)) as other:
        other.query(f"KILL QUERY {session.id}")


def _connect(
    daemon: Daemon, database: str | None = None, user: str = accounts.ADMINISTRATOR
) -> "pymysql.connections.Connection[Any]":
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _connect_once(daemon, database, user)
        except pymysql.MySQLError as error:
            if told(error)[0] != ER.CON_COUNT_ERROR or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _connect_once(daemon: Daemon, database: str | None, user: str) -> "pymysql.connections.Connection[Any]":
    try:
        password = accounts.password(daemon.layout.run())
    except FileNotFoundError:
        raise GuestError("The database does not run", remedy="Start it first.", retryable=True) from None
    connection = pymysql.connect(
        unix_socket=str(daemon.socket),
        user=user,
        password=password,
        database=database,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=10,
        ssl_disabled=True,
        program_name="instar-agent",
        local_infile=False,
    )
    if user == accounts.ADMINISTRATOR:  # others may not keep their statements from the logs
        settings = ", ".join(f"SESSION {name} = %s" for name in daemon.dialect.session)
        with connection.cursor() as cursor:
            cursor.execute(f"SET {settings}", tuple(daemon.dialect.session.values()))
    return connection
