"""Sessions with the database, as the administrator unless told otherwise, through the private socket."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from instar.agent import commands, processes
from instar.agent.datastores.postgresql import access
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.wire.errors import GuestError

Session = psycopg.Connection[tuple[Any, ...]]

_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "search_path=pg_catalog",
        "statement_timeout=0",
        "lock_timeout=60s",
        "idle_in_transaction_session_timeout=0",
        "default_transaction_read_only=off",
        "log_statement=none",
        "log_min_error_statement=panic",
        "log_min_duration_statement=-1",
        "jit=off",
    )
)
"""A user's own objects and settings can't lead the administrator astray; passwords don't reach the log.

Looks into catalogues touch few rows: compiling them would take longer than they do.
"""


@contextlib.contextmanager
def session(
    cluster: Cluster,
    database: str = "postgres",
    user: str = access.ADMINISTRATOR,
    options: str = _OPTIONS,
) -> Iterator[Session]:
    """Open a session that commits each statement; the database's errors come out as GuestError."""
    try:
        with psycopg.connect(
            host=str(cluster.sockets),
            port=cluster.port,
            user=user,
            dbname=database,
            options=options,
            application_name="instar-agent",
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            yield connection
    except psycopg.Error as error:
        cause = error.diag.message_primary or str(error).strip().splitlines()[0]
        raise GuestError(
            commands.brief(f"Database {database} refused: {cause}"),
            seen=cause,
            retryable=isinstance(error, psycopg.OperationalError),
        ) from None


def databases(connection: Session) -> list[str]:
    """List every database that can be connected to, ours and the server's too, except template0.

    One that an interrupted DROP DATABASE has left takes no connections (limit -2).
    """
    rows = connection.execute(
        "SELECT datname FROM pg_database"
        " WHERE datallowconn AND datconnlimit <> -2 AND datname <> 'template0' ORDER BY datname"
    )
    return [row[0] for row in rows]


def execute(
    connection: Session,
    statement: LiteralString | sql.Composed,
    tick: Callable[[int], None],
    worker: int | None = None,
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement that may take long, and give its rows; what `tick` raises cancels it.

    `tick` is called about every second with how much was done: by the session's own process, or by the
    server's process `worker`.
    """
    done_by = connection.info.backend_pid if worker is None else worker
    with futures.ThreadPoolExecutor(1, "statement") as thread:
        running = thread.submit(connection.execute, statement)
        try:
            while not futures.wait([running], commands.TICK).done:
                tick(processes.effort(done_by))
        except BaseException:
            connection.cancel_safe(timeout=10.0)
            raise
        return running.result()
