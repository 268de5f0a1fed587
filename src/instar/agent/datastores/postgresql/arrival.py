"""`post_upgrade`: the way into the new image.

1. Takes the volume and sees which data directory is there.
2. Of an older major version: converts it (see `conversion`). Of this image's: puts lost configuration back.
3. Starts the server with clients kept out.
4. Checks version, data directory, a query and the databases through the private socket, updates extensions
   to the versions that this image brings, and reads back what there is (see `readiness`).
5. Holds that against what there was (see `comparison`).
6. Sees to the order of text, which another library may decide now (see `order_guard`).
7. Runs the owner's probes.
8. Leaves clients out: `start` lets them in, once the control plane has recorded that it is going to. A
   repeat that finds them let in leaves them in.

Each step looks before it acts, so that all of it may be repeated after a crash at any point.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from instar.agent.datastores import comparison, desire, probing
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import configuration, conversion, ordering_note
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.configuration import SAVED
from instar.agent.datastores.postgresql.layout import Layout
from instar.agent.datastores.postgresql.server import Server
from instar.wire.agent import PostUpgradeParams, Probe, ProbeResult, ReadBack
from instar.wire.errors import Finding, InstarError, Untouched

if TYPE_CHECKING:
    from instar.agent.datastores.postgresql.order_guard import Kept

TOLD = 50
"""How many changed text orderings are told: a library has hundreds."""


def arrive(server: Server, params: PostUpgradeParams, report: Report) -> dict[str, Any]:
    """Carry it out; gives what was found and done. Repeatable."""
    try:
        return _arrive(server, params, report)
    except InstarError as error:
        remedy = f"{error.body.remedy or 'Remove the cause.'} Then resume the operation."
        raise InstarError.from_body(error.body.model_copy(update={"remedy": remedy})) from None


def _arrive(server: Server, params: PostUpgradeParams, report: Report) -> dict[str, Any]:
    server.guest.take_volume()
    layout, cluster = server.layout, server.cluster()
    converted_from = _convert(server, params, report)
    configuration.restore_missing(layout.state / SAVED, cluster.data)
    report("starting", 85)
    server.begin(cluster, params.configuration, partial(report, "starting", 85))
    from instar.agent.datastores.postgresql import readiness  # the driver loads while the server starts

    wanted = server.guest.manifest.engine_version
    found = readiness.look(cluster, wanted, params.upgrade_info, report, update=True)
    differences = _compare(layout, params, found.read_back)
    kept = _keep_order(server, params, bool(found.changed_text_orderings), report)
    results = _probe(cluster, params.probes, report)
    if desire.read(layout.state) is Desire.RUNNING:
        server.open(cluster)
    report("ready to let clients in", 100)
    return {
        "engine_version": wanted,
        "data_directory": str(cluster.data),
        "converted_from": converted_from,
        "databases": found.databases,
        "extensions_updated": found.extensions_updated,
        "changed_text_orderings": found.changed_text_orderings[:TOLD],
        "read_back": found.read_back.model_dump(),
        "text_ordering": kept.told(),
        "findings": [each.model_dump(mode="json") for each in (*differences, *kept.findings)],
        "probes": [result.model_dump() for result in results],
    }


def _compare(layout: Layout, params: PostUpgradeParams, now: ReadBack) -> list[Finding]:
    """Hold what there is against what there was; nothing to hold when clients have been in since."""
    before = params.upgrade_info.get("read_back")
    if before is None or desire.read(layout.state) is Desire.RUNNING:
        return []
    found = comparison.findings(
        ReadBack.model_validate(before),
        now,
        changed=configuration.changing(layout.state / SAVED, params.configuration),
        resumed=params.resumed,
    )
    comparison.refuse(found)
    return found


def _keep_order(server: Server, params: PostUpgradeParams, stale: bool, report: Report) -> "Kept":
    """See to the order of text; once clients have been let in, what was done is done."""
    from instar.agent.datastores.postgresql.order_guard import Guard, Kept

    cluster, guest = server.cluster(), server.guest
    if desire.read(server.layout.state) is Desire.RUNNING:
        return Kept()
    last = ordering_note.read(cluster.data) or ordering_note.Ordering()
    noted = last.filled(ordering_note.noted(params.upgrade_info))
    guard = Guard(cluster, guest.manifest, guest.facts, params.text_ordering, refuses=not params.resumed)
    return guard.keep(noted, report, stale=stale)


def _probe(cluster: Cluster, wanted: list[Probe], report: Report) -> list[ProbeResult]:
    if not wanted:
        return []
    from instar.agent.datastores.postgresql import probes

    results = probes.run(cluster, wanted, tick=partial(report, "running probes", 95))
    comparison.refuse(probing.findings(results, wanted))
    return results


def _convert(server: Server, params: PostUpgradeParams, report: Report) -> int | None:
    """Convert an older data directory; gives its major version, None when there is nothing to convert."""
    layout = server.layout
    majors = layout.majors()
    if not majors or majors[-1] >= layout.major:
        server.usable()
        return None
    old = server.cluster(majors[-1])
    if not (old.programs / "postgres").exists():
        raise Untouched(
            f"This image lacks PostgreSQL {majors[-1]}, which pg_upgrade needs beside {layout.major}",
            seen=f"nothing at {old.programs}",
            remedy="Use an image with both, or upgrade by way of a version between.",
        )
    saved = layout.state / SAVED
    configured = saved if saved.is_dir() else old.data
    carried = conversion.Carried(params.upgrade_info, configured, params.configuration)
    conversion.convert(server, old, carried, report)
    return majors[-1]
