"""Keeping clients out of a server that runs, so that what is read from it stays as it was read."""

import time
from typing import LiteralString

from instar.agent.datastores.postgresql import reloading
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session

_EXPEL: LiteralString = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL"


def close(cluster: Cluster, connection: Session) -> None:
    """Let no client in any more, and end the sessions of those who are in.

    Raises GuestError when one stays; whoever closed the gate opens it again. Repeatable.
    """
    reloading.ask(connection, cluster.shut_out)
    deadline = time.monotonic() + reloading.PATIENCE
    while connection.execute(_EXPEL).rowcount:
        reloading.pause(deadline, "A client's session did not end", "pg_stat_activity tells what it does")
