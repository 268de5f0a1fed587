"""Having dirty pages written while clients are still served, so that the stop has few."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pymysql

from instar.agent.datastores.mysql_family.sessions import Session

PAUSE = 0.1
FEW = 64
"""Pages that are no longer worth waiting for."""
STILL = 10
"""How many looks without less end the wait: clients make new ones as fast as they are written."""
LONGEST = 120.0

_HURRIED = ("innodb_max_dirty_pages_pct_lwm", "innodb_max_dirty_pages_pct")
"""In this order: the low water mark may not be above the other."""
_PUT_BACK = ("innodb_fast_shutdown", "innodb_max_dirty_pages_pct", "innodb_max_dirty_pages_pct_lwm")
_STATUS = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = %s"
_DIRTY, _HISTORY = "INNODB_BUFFER_POOL_PAGES_DIRTY", "INNODB_HISTORY_LIST_LENGTH"


@contextlib.contextmanager
def hurried(session: Session) -> Iterator[None]:
    """Have the server write dirty pages at once, until the block ends or the server does.

    How it is to shut down is put back then as well.
    """
    before = [session.value(f"SELECT @@GLOBAL.{name}") for name in _PUT_BACK]
    try:
        for name in _HURRIED:
            session.execute(f"SET GLOBAL {name} = 0")
        yield
    finally:
        with contextlib.suppress(pymysql.Error):
            for name, value in zip(_PUT_BACK, before, strict=True):
                session.execute(f"SET GLOBAL {name} = %s", [value])


def flush(session: Session, tick: Callable[[float], None], *, purge: bool) -> None:
    """Wait until few dirty pages are left, or no fewer; with `purge`, the same of old versions of rows.

    `tick` is called with how many are left.
    """
    _await_few(session, _DIRTY, tick)
    if purge:
        _await_few(session, _HISTORY, tick)


def _await_few(session: Session, what: str, tick: Callable[[float], None]) -> None:
    deadline, least, still = time.monotonic() + LONGEST, float("inf"), 0
    while still < STILL and time.monotonic() < deadline:
        left = float(session.value(_STATUS, [what]) or 0)
        tick(left)
        if left <= FEW:
            return
        least, still = min(least, left), 0 if left < least else still + 1
        time.sleep(PAUSE)
