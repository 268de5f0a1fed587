"""A data directory crosses a major version: made beside the old one, converted by pg_upgrade, then named.

A data directory bears its major version as its name only when pg_upgrade has completed: that rename, which
has reached the disk before anything starts the new server, is the point of no return. A crash before it is
undone by giving the old directory its pg_control back and removing what was being made; a crash after it has
nothing to repeat.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from instar.agent import commands, durable
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import access, configuration, identity, processes
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.layout import Layout
from instar.agent.datastores.postgresql.server import Server
from instar.wire.errors import GuestError

JOBS = 2
CHECKSUMS_BY_DEFAULT = 18
TIMEOUT = 24 * 3600.0
_TOLD_BYTES = 2048


def convert(server: Server, old: Cluster, info: dict[str, Any], configured: Path, report: Report) -> None:
    """Bring the old data directory to this image's version. `configured` holds the files to carry over.

    Raises GuestError with the text of the check that failed; the old data directory is then as it was.
    Repeatable after a crash at any point.
    """
    layout = server.layout
    building = replace(server.cluster(), data=layout.building(layout.major))
    _start_over(layout, old, building)
    if not old.is_shut_down():
        report("recovering the old data directory", None)
        old.start()
        old.stop()
    report("making the new data directory", 5)
    building.make(_like(old, layout.major, info))
    configuration.write(building.data, {})
    configuration.restore(configured, building.data)
    access.write(building.data, access.CLOSED)
    report("pg_upgrade", 20)
    try:
        _pg_upgrade(layout, old, building, info.get("method", "link"))
    except GuestError:
        _start_over(layout, old, building)
        raise
    report("pg_upgrade is done", 80)
    shutil.rmtree(layout.state / "scratch", ignore_errors=True)
    durable.rename(building.data, layout.data(layout.major))


def _start_over(layout: Layout, old: Cluster, building: Cluster) -> None:
    processes.kill(processes.working_in([layout.state / "scratch"]))
    for cluster in (building, old):
        cluster.clear_remains()
    put_back(old.data)
    shutil.rmtree(building.data, ignore_errors=True)


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


def _pg_upgrade(layout: Layout, old: Cluster, building: Cluster, method: str) -> None:
    scratch = layout.state / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)
    words: list[str | Path] = [building.programs / "pg_upgrade", f"--{method}", "-j", str(JOBS)]
    words += ["-U", access.ADMINISTRATOR, "-s", building.sockets]
    words += ["-b", old.programs, "-B", building.programs, "-d", old.data, "-D", building.data]
    words += ["-p", str(old.port), "-P", str(building.port)]
    try:
        commands.run(identity.named(words), timeout=TIMEOUT, cwd=scratch)
    except GuestError as error:
        raise GuestError(
            "pg_upgrade failed; the old data directory is as it was",
            seen="\n".join([error.body.seen, *_explanations(building.data)]),
            remedy="Remove the cause in the old data files and resume the operation.",
        ) from None


def _explanations(data: Path) -> list[str]:
    """Give what pg_upgrade wrote down about a failed check, file by file, the ends of long ones."""
    output = data / "pg_upgrade_output.d"
    found = sorted(output.rglob("*.txt")) or sorted(output.rglob("pg_upgrade_server.log"))
    return [f"{path.name}: {path.read_text('utf-8', 'replace')[-_TOLD_BYTES:].strip()}" for path in found]
