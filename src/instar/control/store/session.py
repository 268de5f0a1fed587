"""The record store: its engine, transactions that write or read, and the store's own clock."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    literal_column,
    make_url,
    select,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

IDLE = 1.0
"""Seconds after which a connection is tested before it is used again."""
STUCK = 10.0
"""Seconds after which the server ends a transaction in which nothing is asked: whoever began it is frozen, or
was cut off, and its locks keep others from taking over. Ours take milliseconds."""
_END_STUCK = {
    "postgresql": "SET SESSION idle_in_transaction_session_timeout = '{:.0f}s'",
    "mysql": "SET SESSION idle_transaction_timeout = {:.0f}",
    "mariadb": "SET SESSION idle_transaction_timeout = {:.0f}",
}
_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::float8",
    "mysql": "cast(unix_timestamp(sysdate(6)) as double)",
    "mariadb": "cast(unix_timestamp(sysdate(6)) as double)",
}


class Store:
    """A record store on SQLite, PostgreSQL or MariaDB, named by an SQLAlchemy URL."""

    def __init__(self, url: str, *, pool_size: int = 20, stuck: float = STUCK) -> None:
        self.url = make_url(url)
        self.engine = _engine(self.url, pool_size, stuck)
        self._turn: AbstractContextManager[object] = (
            threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        )

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction that may write: committed at the end, rolled back on an exception.

        SQLite admits one writer and lets the others try again at random; our own threads take turns instead.
        """
        with self._turn, Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self.engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A bare connection for statements that only read: what is asked often needs no more."""
        with self.engine.connect() as connection:
            yield connection

    @property
    def clock(self) -> ColumnElement[float]:
        """The store's own clock as an SQL expression: seconds since the epoch, fractions included."""
        return literal_column(_NOW[self.engine.dialect.name])

    def now(self, session: Session) -> float:
        """Ask the store what time it is."""
        return float(session.execute(select(self.clock)).scalar_one())

    def ping(self) -> None:
        """Ask the store for anything; raises SQLAlchemyError when it is away."""
        with self.engine.connect() as connection:
            connection.execute(select(func.count()).select_from(select(literal_column("1")).subquery()))

    def close(self) -> None:
        """Let every connection go."""
        self.engine.dispose()


def _engine(url: URL, pool_size: int, stuck: float) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            connect_args={"timeout": 30, "check_same_thread": False},
            pool_size=pool_size,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    isolation = "READ COMMITTED"
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        isolation_level=isolation,
        hide_parameters=True,
    )
    _test_idle(engine)
    _end_stuck(engine, stuck)
    return engine


def _end_stuck(engine: Engine, seconds: float) -> None:
    """Have the server end transactions that stand still; who began one then sees that the store went away."""
    statement = _END_STUCK[engine.dialect.name].format(seconds)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.commit()

    @event.listens_for(engine, "handle_error")
    def _lost(context: ExceptionContext) -> None:
        """PostgreSQL's driver calls the end of a transaction that stood still an internal error."""
        lost = context.original_exception
        if context.is_disconnect and not isinstance(context.sqlalchemy_exception, OperationalError):
            raise OperationalError(context.statement, None, lost, hide_parameters=True) from lost


def _test_idle(engine: Engine) -> None:
    """Have connections that lay idle for a while tested before use: the server may have gone meanwhile.

    To test every one, as the pool itself would, is one round trip more for each transaction.
    """

    @event.listens_for(engine, "checkin")
    def _checkin(_connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _checkout(connection: Any, record: Any, _proxy: Any) -> None:
        since = record.info.get("idle_since")
        if since is None or time.monotonic() - since < IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool makes another one


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Take transactions into our own hands (the driver would begin them late) and use write-ahead logging."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
