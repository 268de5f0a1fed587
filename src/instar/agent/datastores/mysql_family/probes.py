"""How probes are put: as an account that may read, in a read-only transaction."""

from collections.abc import Callable, Collection
from functools import partial

from instar.agent.datastores import probing
from instar.agent.datastores.mysql_family.accounts import PROBER
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.sessions import Session, session
from instar.wire.agent import Probe, ProbeResult


def run(
    daemon: Daemon,
    probes: Collection[Probe],
    budget: float | None = None,
    tick: Callable[[int], None] = lambda _: None,
) -> list[ProbeResult]:
    """Put each probe to its database; with a budget, those that it leaves no seconds for have failed.

    `tick` is called before each with how many have been put.
    """
    return probing.run(probes, partial(_put, daemon), budget, tick)


def _put(daemon: Daemon, probe: Probe, seconds: float) -> str:
    with session(daemon, probe.database, PROBER) as connection:
        connection.execute("SET SESSION max_statement_time = %s", [max(0.001, seconds)])
        connection.execute("SET SESSION sql_select_limit = 1")
        connection.execute("START TRANSACTION READ ONLY")
        return _answer(connection, probe.sql)


def _answer(session: Session, statement: str) -> str:
    """Give the first column of the first row as the server spells it; NULL and no row are empty.

    One statement is all that the server takes at a time. The session ends here.
    """
    session.connection.decoders = {}
    value = session.value(statement)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
