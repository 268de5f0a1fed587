"""`prepare`: a blank volume becomes a serving database.

The data directory gets its name only when it is whole: made by the family's own program, without that one's
accounts, with the databases and users asked for. On one that is there, what is missing is made, so that all
of it may be repeated after a crash at any point. Until the end no client is let in.
"""

import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from instar.agent import commands, durable, processes, volume
from instar.agent.datastores import desire
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family import configuration, databases, refusals, time_zones, users
from instar.agent.datastores.mysql_family.daemon import Daemon, Tick
from instar.agent.datastores.mysql_family.server import Server
from instar.agent.datastores.mysql_family.sessions import session
from instar.wire.agent import PrepareParams
from instar.wire.errors import GuestError


def prepare(server: Server, params: PrepareParams, report: Report) -> dict[str, Any]:
    """Make the database, make databases and users, let clients in. Repeatable."""
    databases.check(params.databases)
    users.check(params.users)
    server.guest.take_volume(new=True)
    if server.layout.exists():
        daemon = server.usable()
        if not daemon.is_open():
            report("starting", 50)
            daemon = server.begin(None, partial(report, "starting", 50))
        _fill(daemon, params, report)
    else:
        _make(server, params, report)
    desire.write(server.layout.state, Desire.RUNNING)
    report("letting clients in", 90)
    server.open(partial(report, "letting clients in", 90))
    return {
        "engine_version": server.guest.manifest.engine_version,
        "data_directory": str(server.layout.data),
    }


def _make(server: Server, params: PrepareParams, report: Report) -> None:
    layout = server.layout
    configuration.replace(layout, server.dialect, params.configuration)
    server.write_defaults()
    building = replace(server.daemon(), data=layout.building, extra=server.dialect.building)
    report("making the data directory", 10)
    _install(building, partial(report, "making the data directory", 10))
    report("starting", 40)
    building.start(partial(report, "starting", 40))
    with session(building) as connection:
        users.remove_installed(connection)
    _fill(building, params, report)
    time_zones.provide(building, params.configuration or {})
    building.stop(partial(report, "stopping", 80))
    if not building.is_shut_down():
        raise GuestError("The new data directory was not left in good order", retryable=True)
    _reach_disk(layout.building)
    durable.rename(layout.building, layout.data)


def _install(building: Daemon, tick: Tick) -> None:
    """Make the data directory; what an interrupted try left, running or not, goes first."""
    processes.kill(processes.working_in([building.layout.engine]))
    shutil.rmtree(building.data, ignore_errors=True)
    building.layout.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    root, dialect = building.layout.root, building.dialect
    program, *options = dialect.install
    words: list[str | Path] = [
        root / program,
        f"--defaults-file={building.main_file}",
        f"--basedir={dialect.basedir(root)}",
        f"--datadir={building.data}",
        f"--tmpdir={building.layout.scratch}",
        *options,
        *(f"--{name}={value}" for name, value in building.extra.items()),
    ]
    try:
        commands.run(words, tick=lambda _: tick(volume.used(building.data)), cwd=building.layout.engine)
    except commands.Failed as error:
        brief, remedy = refusals.by_server(error.printed)
        raise GuestError(brief, seen=refusals.decisive_first(error.printed), remedy=remedy) from None


def _reach_disk(folder: Path) -> None:
    """See to it that a directory has reached the disk with all that it holds."""
    for directory, _, names in os.walk(folder):
        for name in names:
            with Path(directory, name).open("rb") as file:
                os.fsync(file.fileno())
        durable.sync_directory(Path(directory))


def _fill(daemon: Daemon, params: PrepareParams, report: Report) -> None:
    report("making databases and users", 70)
    databases.create(daemon, params.databases, missing_only=True)
    users.create(daemon, params.users, missing_only=True)
    if params.root_password:
        users.enable_root(daemon, params.root_password)
