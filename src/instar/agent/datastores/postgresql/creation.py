"""`prepare`: a blank volume becomes a serving database.

The data directory gets its name only when it is whole and configured; what is asked for inside it is made if
it is missing, so that all of it may be repeated after a crash at any point.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from instar.agent import durable
from instar.agent.datastores import desire
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import configuration, databases, ordering_note, users
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import session
from instar.wire.agent import PrepareParams

_SHUT = ("postgres", "template1")
"""The server's own databases; nobody but the administrator has business there."""


def prepare(server: Server, params: PrepareParams, report: Report) -> dict[str, Any]:
    """Make the database, start it, make databases and users, let clients in. Repeatable."""
    databases.check(params.databases)
    users.check(params.users)
    server.guest.take_volume(new=True)
    layout = server.layout
    if not layout.majors():
        report("making the data directory", 10)
        _make(server, params, report)
    cluster = server.usable()
    report("starting", 50)
    server.write_defaults()
    cluster.start(partial(report, "starting", 50))
    report("making databases and users", 70)
    with session(cluster) as connection:
        users.make_heir(connection)
        users.make_prober(connection)
        for name in _SHUT:
            databases.close_to_public(connection, name)
    databases.create(cluster, params.databases, missing_only=True)
    users.create(cluster, params.users, missing_only=True)
    if params.root_password:
        users.enable_root(cluster, params.root_password)
    desire.write(layout.state, Desire.RUNNING)
    server.open(cluster)
    return {"engine_version": server.guest.manifest.engine_version, "data_directory": str(cluster.data)}


def _make(server: Server, params: PrepareParams, report: Report) -> None:
    layout = server.layout
    building = replace(server.cluster(), data=layout.building(layout.major))
    building.make(server.initdb_options(), partial(report, "making the data directory", 10))
    configuration.write(building.data, params.configuration)
    ordering_note.settle(building.data, ordering_note.of(server.guest.manifest))
    durable.rename(building.data, layout.data(layout.major))
