"""`pre_upgrade`: the way out of the old image.

1. Checks again, with the database serving.
2. Saves the option files to the volume, and has dirty pages written while clients are still served.
3. Freezes the database and ends clients' sessions: nothing changes any more, and downtime counts.
4. Checks once more what clients may have made, notes what there is (`upgrade_info`), and stops the server;
   for another series slowly, so that nothing is left in the undo logs and the change buffer.
5. Sees to it that the data directory was left in good order, and lets go of the volume.

Whatever fails, the database lets clients in again before the error is raised.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from instar.agent.datastores import departure, desire, obstacles
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family import (
    carrying,
    checks,
    flushing,
    gate,
    inspection,
    option_checks,
)
from instar.agent.datastores.mysql_family.carrying import Folder
from instar.agent.datastores.mysql_family.configuration import SAVED
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.server import Server
from instar.agent.datastores.mysql_family.sessions import Session, session
from instar.wire.agent import UpgradeParams
from instar.wire.errors import Finding, GuestError

FAST, SLOW = 1, 0
"""Values of innodb_fast_shutdown: with and without work left for the next start."""


def leave(server: Server, params: UpgradeParams, report: Report) -> dict[str, Any]:
    """Carry it out and give `upgrade_info`. Repeatable: when it was done before, gives what it gave then."""
    server.guest.take_volume()
    daemon, state = server.usable(), server.layout.state
    if desire.read(state) is Desire.UPGRADING:
        if (known := _left_before(daemon, state)) is not None:
            server.guest.release_volume()
            return known
        server.serve()
    report("checking", 0)
    checked = checks.check(server, params)
    obstacles.veto(Finding.model_validate(each) for each in checked.findings)
    try:
        info = _stop(server, daemon, params, report)
        server.guest.release_volume()
    except BaseException:
        if not daemon.is_ready():
            daemon.clear_remains()  # a stop that hangs would hang the start; the log brings all back
        server.serve()
        raise
    return info


def _left_before(daemon: Daemon, state: Path) -> dict[str, Any] | None:
    """Give what an earlier run noted, if it got as far as a clean stop."""
    if daemon.is_open():
        return None
    daemon.stop()
    return departure.noted(state) if daemon.is_shut_down() else None


def _stop(server: Server, daemon: Daemon, params: UpgradeParams, report: Report) -> dict[str, Any]:
    state, folder = server.layout.state, Folder(server.layout, server.dialect)
    another = checks.is_another_series(daemon, params)
    report("saving configuration", 10)
    carrying.save(folder, state / SAVED)
    with session(daemon) as connection, flushing.hurried(connection):
        flushing.flush(connection, partial(report, "writing dirty pages", 20), purge=another)
        report("keeping clients out", 70)
        gate.freeze(connection)
        obstacles.veto(checks.contents(daemon, params, connection))
        carrying.save(folder, state / SAVED)
        info = _about(daemon, connection, params)
        connection.execute(f"SET GLOBAL innodb_fast_shutdown = {SLOW if another else FAST}")
        departure.note(state, info)
        desire.write(state, Desire.UPGRADING)
        report("stopping", 80)
        daemon.stop(partial(report, "stopping", 80))
    if not daemon.is_shut_down():
        raise GuestError(
            "The database was not left in good order",
            seen=f"the server's log {server.layout.log} does not end with a shutdown",
            remedy="See the log for the cause, and try again.",
        )
    return info


def _about(daemon: Daemon, connection: Session, params: UpgradeParams) -> dict[str, Any]:
    options = inspection.configured(daemon)
    read_back = inspection.read_back(connection, daemon)
    for option in option_checks.left_behind(daemon, params):  # as was told: they are not to be missed
        read_back.settings.pop(option.name, None)
    return {
        "engine_version": read_back.engine_version,
        "read_back": read_back.model_dump(),
        "origins": {name: beneath(option.path, daemon) for name, option in options.items()},
        "plugins": inspection.plugins(connection),
        "saved_at": time.time(),
    }


def beneath(path: Path, daemon: Daemon) -> str:
    """Tell a file as every root disk may tell it."""
    folder = daemon.layout.configuration
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
