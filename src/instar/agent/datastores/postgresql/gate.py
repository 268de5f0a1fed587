"""Keeping clients out of a server that runs, so that what is read from it stays as it was read."""

import time
from typing import LiteralString

from instar.agent.datastores.postgresql.cluster import POLL, Cluster
from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.errors import GuestError

PATIENCE = 10.0
_EXPEL: LiteralString = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL"


def close(cluster: Cluster, connection: Session) -> None:
    """Let no client in any more, and end the sessions of those who are in.

    Raises GuestError when one stays; whoever closed the gate opens it again. Repeatable.
    """
    deadline = time.monotonic() + PATIENCE
    loaded = _loaded_at(connection)
    cluster.shut_out()
    while _loaded_at(connection) == loaded:
        _pause(
            deadline, "The database did not read its configuration files again", "pg_file_settings tells why"
        )
    while connection.execute(_EXPEL).rowcount:
        _pause(deadline, "A client's session did not end", "pg_stat_activity tells what it does")


def _loaded_at(connection: Session) -> object:
    """Tell when the configuration was read last; the access file is read along with it."""
    return connection.execute("SELECT pg_conf_load_time()").fetchone()


def _pause(deadline: float, what: str, where: str) -> None:
    if time.monotonic() > deadline:
        raise GuestError(
            f"{what} within {PATIENCE:g} s",
            remedy=f"See what holds it up ({where}), and try again.",
            retryable=True,
        )
    time.sleep(POLL / 5)
