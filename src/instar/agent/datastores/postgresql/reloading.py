"""Having a running server read its configuration files again, and knowing when it has."""

import time
from collections.abc import Callable

from instar.agent.datastores.postgresql.cluster import POLL
from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.errors import GuestError

PATIENCE = 10.0


def ask(connection: Session, change: Callable[[], object]) -> None:
    """Make a change that has the server read its files, and wait until this session knows what they say.

    The access file is read along with the others. Raises GuestError when that takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    before = _loaded_at(connection)
    change()
    while _loaded_at(connection) == before:
        pause(
            deadline, "The database did not read its configuration files again", "pg_file_settings tells why"
        )


def pause(deadline: float, what: str, where: str) -> None:
    """Wait a moment for something. Raises GuestError after the deadline, saying where to look."""
    if time.monotonic() > deadline:
        raise GuestError(
            f"{what} within {PATIENCE:g} s",
            remedy=f"See what holds it up ({where}), and try again.",
            retryable=True,
        )
    time.sleep(POLL / 5)


def _loaded_at(connection: Session) -> object:
    return connection.execute("SELECT pg_conf_load_time()").fetchone()
