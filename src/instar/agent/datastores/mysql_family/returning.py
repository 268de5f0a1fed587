"""`come_back`: the old image again, after an upgrade away from it failed or was undone.

1. Sees that no newer series has worked in the data files. The first start of one is the point of no return:
   it removes the change buffer, makes undo tablespaces of its own, and system tables are changed. An older
   server started on such files runs all the same, and complains of a corrupted change buffer.
2. Puts the option files that crossed on this root disk, and starts with clients kept out.
3. Checks version and data directory, and, when nobody was let in since `pre_upgrade`, holds what there is
   against what there was.
4. Lets clients in.

Within a series, versions change no data files, and an older one takes back those of a newer one. Each step
looks before it acts, so that all of it may be repeated after a crash at any point.
"""

from functools import partial
from typing import Any

from instar.agent.datastores import comparison, departure, desire
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family import carrying
from instar.agent.datastores.mysql_family.arrival import configuration_changes
from instar.agent.datastores.mysql_family.carrying import Folder
from instar.agent.datastores.mysql_family.configuration import SAVED
from instar.agent.datastores.mysql_family.server import Server
from instar.wire.agent import ComeBackParams


def come_back(server: Server, params: ComeBackParams, report: Report) -> dict[str, Any]:
    """Carry it out; gives what was found. Repeatable. Raises GuestError when only a snapshot helps."""
    server.guest.take_volume()
    layout = server.layout
    report("looking at the data files", 5)
    daemon = server.usable()
    kept = carrying.restore(Folder(layout, server.dialect), layout.state / SAVED)
    info = departure.noted(layout.state) if desire.read(layout.state) is Desire.UPGRADING else {}
    changed = configuration_changes(server, params.configuration)
    if info or not daemon.is_open():
        server.begin(params.configuration, partial(report, "starting", 30))
    from instar.agent.datastores.mysql_family import readiness  # the driver loads while the server starts

    found = readiness.look(daemon, info, changed=changed, resumable=False)
    comparison.refuse(found.differences)
    desire.write(layout.state, Desire.RUNNING)
    server.open(partial(report, "letting clients in", 80))
    report("clients are let in", 100)
    return {
        "engine_version": daemon.version,
        "data_directory": str(daemon.data),
        "read_back": found.read_back.model_dump(),
        "findings": [finding.model_dump(mode="json") for finding in (*kept, *found.differences)],
    }
