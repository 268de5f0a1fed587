"""Keeping a server that runs as it is, so that what is read from it stays as it was read."""

import time

import pymysql
from pymysql.constants import ER

from instar.agent.datastores.mysql_family.databases import kill
from instar.agent.datastores.mysql_family.sessions import Session, told
from instar.wire.errors import GuestError

PATIENCE = 60.0
_AT_COMMIT = "innodb_flush_log_at_trx_commit"

_CLIENTS = """
    SELECT ID FROM information_schema.PROCESSLIST
    WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Daemon' AND USER NOT IN ('system user', 'event_scheduler')
"""


def freeze(session: Session) -> None:
    """Let nothing change any more, until this session ends or the server stops.

    Clients' sessions are ended, so that none holds up the lock; those who come back may read. It is lost with
    the session: a killed agent leaves clients served. What was acknowledged has reached the disk when it
    returns, whatever users chose, so that a server whose stop hangs may be killed. Raises GuestError when
    something holds it up.
    """
    deadline = time.monotonic() + PATIENCE
    session.execute("SET SESSION lock_wait_timeout = 1")
    while True:
        for (number,) in session.rows(_CLIENTS):
            kill(session, number)
        try:
            session.execute("FLUSH TABLES WITH READ LOCK")
            break
        except pymysql.MySQLError as error:
            if told(error)[0] != ER.LOCK_WAIT_TIMEOUT:
                raise
        if time.monotonic() > deadline:
            raise GuestError(
                f"Clients' statements did not end within {PATIENCE:g} s",
                remedy="See what holds them up (SHOW PROCESSLIST), and try again.",
                retryable=True,
            )
    _write_logs(session)


def _write_logs(session: Session) -> None:
    """Have all logs written to the disk; InnoDB's would be left out where commits wait for no write."""
    chosen = session.value(f"SELECT @@GLOBAL.{_AT_COMMIT}")
    session.execute(f"SET GLOBAL {_AT_COMMIT} = 1")
    try:
        session.execute("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS")
    finally:
        session.execute(f"SET GLOBAL {_AT_COMMIT} = %s", [chosen])
