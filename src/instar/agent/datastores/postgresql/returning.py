"""`come_back`: the old image again, after an upgrade away from it failed or was undone.

1. Sees that the data files of this image's version are whole, and hold all that clients wrote: they do as
   long as no newer version was started on them, and no client was let in on converted copies of them.
2. Takes from copies that were converted their name. From here on these are the database's data files.
3. Undoes what a half-done conversion left, puts lost configuration back, and starts with clients kept out.
4. Checks version, data directory and a query, and, when nobody was let in since `pre_upgrade`, holds what
   there is against what there was.
5. Sees to the order of text, which the newer image's libraries may have decided meanwhile (`order_guard`).
6. Lets clients in, and then removes what is left of the newer version.

Each step looks before it acts, so that all of it may be repeated after a crash at any point.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instar.agent import durable, processes
from instar.agent.datastores import comparison, departure, desire
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import (
    configuration,
    conversion,
    crossing,
    ordering_note,
    settling,
    tablespaces,
)
from instar.agent.datastores.postgresql.arrival import TOLD
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.configuration import SAVED
from instar.agent.datastores.postgresql.layout import Layout
from instar.agent.datastores.postgresql.server import Server
from instar.wire.agent import ComeBackParams, ReadBack
from instar.wire.errors import GuestError

if TYPE_CHECKING:
    from instar.agent.datastores.postgresql.order_guard import Kept


def come_back(server: Server, params: ComeBackParams, report: Report) -> dict[str, Any]:
    """Carry it out; gives what was found. Repeatable. Raises GuestError when only a snapshot helps."""
    server.guest.take_volume()
    layout = server.layout
    report("looking at the data files", 5)
    _refuse_touched(layout)
    for newer in _newer(layout):
        durable.rename(layout.data(newer), layout.building(newer))
    cluster = server.usable()
    if cluster.postmaster() is None:
        processes.kill(processes.working_in([layout.state / "scratch", *_half_done(layout)]))
        cluster.clear_remains()
        conversion.put_back(cluster.data)
    info = departure.noted(layout.state) if desire.read(layout.state) is Desire.UPGRADING else {}
    places = cluster.data, layout.state / SAVED
    changed = set[str]().union(*(configuration.changing(place, params.configuration) for place in places))
    configuration.restore_missing(layout.state / SAVED, cluster.data)
    server.begin(cluster, params.configuration, partial(report, "starting", 30))
    from instar.agent.datastores.postgresql import readiness  # the driver loads while the server starts

    wanted = server.guest.manifest.engine_version
    found = readiness.look(cluster, wanted, info, report, update=False)
    if before := info.get("read_back"):
        now = found.read_back
        was = ReadBack.model_validate(before)
        comparison.refuse(comparison.findings(was, now, changed=changed, resumable=False))
    kept = _keep_order(server, cluster, params, bool(found.changed_text_orderings), info, report)
    desire.write(layout.state, Desire.RUNNING)
    server.open(cluster)
    report("clients are let in", 90)
    _clear(layout, report)
    return {
        "engine_version": wanted,
        "data_directory": str(cluster.data),
        "read_back": found.read_back.model_dump(),
        "changed_text_orderings": found.changed_text_orderings[:TOLD],
        "text_ordering": kept.told(),
        "findings": [each.model_dump(mode="json") for each in (*found.newer_extensions, *kept.findings)],
    }


def _keep_order(
    server: Server,
    cluster: Cluster,
    params: ComeBackParams,
    stale: bool,
    info: dict[str, Any],
    report: Report,
) -> "Kept":
    """See to the order of text, unless clients were let in by a run before; nothing keeps them out here."""
    from instar.agent.datastores.postgresql.order_guard import Guard, Kept

    if cluster.is_open():
        return Kept()
    guest = server.guest
    policy = "rebuild" if params.text_ordering == "block" else params.text_ordering
    guard = Guard(cluster, guest.manifest, guest.facts, policy, refuses=False)
    return guard.keep(ordering_note.read(cluster.data) or ordering_note.noted(info), report, stale=stale)


def _newer(layout: Layout) -> list[int]:
    return [major for major in layout.majors() if major > layout.major]


def _refuse_touched(layout: Layout) -> None:
    """Raise GuestError when this version's data files are gone, were written to, or lack what was written."""
    newer = _newer(layout)
    if not newer:
        return
    last = crossing.read(layout)
    if layout.major not in layout.majors():
        why = f"the data files of PostgreSQL {layout.major} have been removed"
    elif last is None or (last.before, [last.after]) != (layout.major, newer):
        why = f"nothing is noted of how PostgreSQL {newer[-1]} came by its data files"
    elif last.method == "link":
        why = f"PostgreSQL {newer[-1]} works in the same data files (method link)"
    elif last.let_in:
        why = f"clients were let in on PostgreSQL {newer[-1]}; what they wrote would be lost"
    else:
        return
    raise GuestError(
        f"PostgreSQL {layout.major} can't take these data files back: a snapshot is needed",
        seen=why,
        remedy="Put the volume back to the snapshot from before the upgrade, or resume the upgrade.",
    )


def _half_done(layout: Layout) -> list[Path]:
    """Find the directories in which newer versions' data files were made."""
    found = layout.clusters.glob("*.new")
    return [path for path in found if path.stem.isdecimal() and int(path.stem) > layout.major]


def _clear(layout: Layout, report: Report) -> None:
    for place in _half_done(layout):
        for part in tablespaces.parts(layout.data(layout.major), int(place.stem)):
            settling.remove(part, report)
        settling.remove(place, report)
    shutil.rmtree(layout.state / "scratch", ignore_errors=True)
