"""`post_upgrade`: the way into the new image.

1. Takes the volume, and puts the option files that crossed on this root disk.
2. For another series: sees whether this version takes the options. Up to here the old image can serve the
   data files as they are; the first start of this version is the point of no return.
3. Starts the server with clients kept out, and brings its system tables up to date.
4. Reads back what there is, holds that against what there was, and runs the owner's probes.
5. Leaves clients out: `start` lets them in, once the control plane has recorded that it is going to. A
   repeat that finds them let in leaves them in.

Each step looks before it acts, so that all of it may be repeated after a crash at any point.
"""

from functools import partial
from typing import Any

from instar.agent import commands
from instar.agent.datastores import comparison, desire, probing
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family import carrying, configuration, refusals
from instar.agent.datastores.mysql_family.carrying import Folder
from instar.agent.datastores.mysql_family.configuration import SAVED
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.dialect import series
from instar.agent.datastores.mysql_family.server import Server
from instar.wire.agent import PostUpgradeParams, Probe, ProbeResult
from instar.wire.errors import InstarError, Untouched


def arrive(server: Server, params: PostUpgradeParams, report: Report) -> dict[str, Any]:
    """Carry it out; gives what was found and done. Repeatable."""
    try:
        return _arrive(server, params, report)
    except InstarError as error:
        remedy = f"{error.body.remedy or 'Remove the cause.'} Then resume the operation."
        raise InstarError.from_body(error.body.model_copy(update={"remedy": remedy})) from None


def _arrive(server: Server, params: PostUpgradeParams, report: Report) -> dict[str, Any]:
    server.guest.take_volume()
    daemon, layout = server.usable(), server.layout
    report("restoring configuration", 5)
    kept = carrying.restore(Folder(layout, server.dialect), layout.state / SAVED)
    changed = configuration_changes(server, params.configuration)
    served = desire.read(layout.state) is Desire.RUNNING
    _check_options(server, daemon, params)
    report("starting", 20)
    if not (served and daemon.is_open()):
        server.begin(params.configuration, partial(report, "starting", 20))
    from instar.agent.datastores.mysql_family import readiness, tables  # the driver loads meanwhile

    upgraded = tables.bring_up_to_date(daemon, partial(report, "bringing system tables up to date", 40))
    info = {} if served else params.upgrade_info
    report("looking at what there is", 85)
    found = readiness.look(daemon, info, changed=changed, resumed=params.resumed)
    comparison.refuse(found.differences)
    results = _probe(daemon, params.probes, report)
    if served:
        server.open(partial(report, "letting clients in", 98))
    report("ready to let clients in", 100)
    return {
        "engine_version": daemon.version,
        "data_directory": str(daemon.data),
        "converted_from": upgraded,
        "databases": found.read_back.databases,
        "read_back": found.read_back.model_dump(),
        "adjusted": found.adjusted,
        "findings": [finding.model_dump(mode="json") for finding in (*kept, *found.differences)],
        "probes": [result.model_dump() for result in results],
    }


def configuration_changes(server: Server, wanted: dict[str, Any] | None) -> set[str]:
    """Name the settings that may differ when users' values are put in place of those before."""
    if wanted is None:
        return set()
    places = server.layout.configuration, server.layout.state / SAVED / carrying.FILES
    before = set[str]().union(*(configuration.names(place, server.dialect) for place in places))
    return before | {configuration.normal(name) for name in wanted}


def _check_options(server: Server, daemon: Daemon, params: PostUpgradeParams) -> None:
    """Have a version that has not opened these files yet read its options, and do nothing else.

    Raises Untouched when it refuses them.
    """
    opened = daemon.opened_by()
    if opened and series(opened) == series(daemon.version):
        return
    configuration.replace(server.layout, server.dialect, params.configuration)
    server.write_defaults()
    try:
        commands.run([*daemon.command_line(open=False), "--help", "--verbose"])
    except commands.Failed as failed:
        brief, remedy = refusals.by_server(failed.printed)
        seen = refusals.decisive_first(failed.printed)
        raise Untouched(brief, seen=seen, remedy=remedy) from None


def _probe(daemon: Daemon, wanted: list[Probe], report: Report) -> list[ProbeResult]:
    if not wanted:
        return []
    from instar.agent.datastores.mysql_family import probes

    results = probes.run(daemon, wanted, tick=partial(report, "running probes", 95))
    comparison.refuse(probing.findings(results, wanted))
    return results
