"""A data directory crosses a major version: made beside the old one, converted by pg_upgrade, then named.

A data directory bears its major version as its name only when pg_upgrade has completed: that rename, which
has reached the disk before anything starts the new server, is the point of no return. A crash before it is
undone by giving the old directory its pg_control back and removing what was being made; a crash after it has
nothing to repeat.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from instar.agent import commands, durable, processes, volume
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import (
    access,
    configuration,
    crossing,
    identity,
    ordering_note,
    refusals,
    tablespaces,
)
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.layout import Layout
from instar.agent.datastores.postgresql.server import Server
from instar.wire.errors import GuestError, InstarError, Untouched

JOBS = 2
CHECKSUMS_BY_DEFAULT = 18


@dataclass(frozen=True)
class Carried:
    """What a new data directory is made with: what `pre_upgrade` gave, configuration files, users' values."""

    info: dict[str, Any]
    configured: Path
    values: Mapping[str, Any] | None = None

    @property
    def method(self) -> str:
        """How data files cross: link, clone or copy."""
        return str(self.info.get("method", "link"))


def convert(server: Server, old: Cluster, carried: Carried, report: Report) -> None:
    """Bring the old data directory to this image's version.

    Raises Untouched with the text of the check that failed; the old data directory is then as it was.
    Repeatable after a crash at any point.
    """
    try:
        _convert(server, old, carried, report)
    except InstarError as error:
        if server.layout.data(server.layout.major).exists():
            raise
        raise Untouched(
            error.body.brief,
            seen=error.body.seen,
            remedy=error.body.remedy,
            retryable=error.body.retryable,
            findings=error.body.findings,
        ) from None


def _convert(server: Server, old: Cluster, carried: Carried, report: Report) -> None:
    layout = server.layout
    building = replace(server.cluster(), data=layout.building(layout.major))
    _start_over(layout, old, building)
    if not old.is_shut_down():
        report("recovering the old data directory", None)
        old.start(partial(report, "recovering the old data directory", None))
        old.stop(partial(report, "recovering the old data directory", None))
    report("making the new data directory", 5)
    building.make(_like(old, layout.major, carried.info), partial(report, "making the new data directory", 5))
    configuration.write(building.data, {})
    configuration.restore(carried.configured, building.data)
    configuration.replace(building.data, carried.values)
    access.write(building.data, access.CLOSED)
    report("pg_upgrade", 20)
    try:
        _pg_upgrade(layout, old, building, carried.method, report)
    except InstarError:
        _start_over(layout, old, building)
        raise
    report("pg_upgrade is done", 80)
    shutil.rmtree(layout.state / "scratch", ignore_errors=True)
    ordering_note.carry(old.data, building.data, carried.info)
    crossing.begins(layout, int(old.data.name), carried.method)
    durable.rename(building.data, layout.data(layout.major))


def _start_over(layout: Layout, old: Cluster, building: Cluster) -> None:
    processes.kill(processes.working_in([layout.state / "scratch"]))
    for cluster in (building, old):
        cluster.clear_remains()
    put_back(old.data)
    for made in (building.data, *tablespaces.parts(old.data, layout.major)):
        shutil.rmtree(made, ignore_errors=True)


def put_back(data: Path) -> None:
    """Undo what link mode does to keep the old server from starting."""
    renamed = data / "global/pg_control.old"
    if renamed.exists():
        durable.rename(renamed, data / "global/pg_control")


def _like(old: Cluster, new_major: int, info: dict[str, Any]) -> list[str]:
    """Give initdb's options for a directory that pg_upgrade accepts; pg_upgrade syncs it to disk itself."""
    control = old.control()
    options = [
        "--no-sync",
        f"--encoding={info.get('encoding', 'UTF8')}",
        f"--locale={info.get('locale', 'C')}",
    ]
    options += [f"--wal-segsize={int(control['Bytes per WAL segment']) >> 20}"]
    if control.get("Data page checksum version", "0") != "0":
        options += ["--data-checksums"]
    elif new_major >= CHECKSUMS_BY_DEFAULT:
        options += ["--no-data-checksums"]
    return options


def _pg_upgrade(layout: Layout, old: Cluster, building: Cluster, method: str, report: Report) -> None:
    scratch = layout.state / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)

    def tick(printed: int) -> None:
        made = (building.data, *tablespaces.parts(old.data, layout.major))
        report("pg_upgrade", 20, printed + sum(volume.used(each) for each in made))

    words: list[str | Path] = [building.programs / "pg_upgrade", f"--{method}", "-j", str(JOBS)]
    words += ["-U", access.ADMINISTRATOR, "-s", building.sockets]
    words += ["-b", old.programs, "-B", building.programs, "-d", old.data, "-D", building.data]
    words += ["-p", str(old.port), "-P", str(building.port)]
    try:
        commands.run(identity.named(words), tick=tick, cwd=scratch)
    except commands.Failed as error:
        brief, seen, remedy = refusals.by_pg_upgrade(error.printed, building.data / "pg_upgrade_output.d")
        raise GuestError(
            brief, seen=seen, remedy=f"{remedy} The old data files are as they were.".lstrip()
        ) from None
