"""`post_upgrade`: the way into the new image.

1. Takes the volume and sees which data directory is there.
2. Of an older major version: converts it (see `conversion`). Of this image's: puts lost configuration back.
3. Starts the server with clients kept out.
4. Checks version, data directory, a query and the databases through the private socket, updates extensions
   to the versions that this image brings, and reads back what there is (see `readiness`).
5. Lets clients in.

Each step looks before it acts, so that all of it may be repeated after a crash at any point.
"""

from functools import partial
from typing import Any

from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import configuration, conversion, desire
from instar.agent.datastores.postgresql.configuration import SAVED
from instar.agent.datastores.postgresql.desire import Desire
from instar.agent.datastores.postgresql.server import Server
from instar.wire.errors import GuestError, InstarError


def arrive(server: Server, info: dict[str, Any], report: Report) -> dict[str, Any]:
    """Carry it out; gives what was found and done. Repeatable."""
    try:
        return _arrive(server, info, report)
    except InstarError as error:
        remedy = f"{error.body.remedy or 'Remove the cause.'} Then resume the operation."
        raise InstarError.from_body(error.body.model_copy(update={"remedy": remedy})) from None


def _arrive(server: Server, info: dict[str, Any], report: Report) -> dict[str, Any]:
    server.guest.take_volume()
    layout, cluster = server.layout, server.cluster()
    converted_from = _convert(server, info, report)
    configuration.restore_missing(layout.state / SAVED, cluster.data)
    server.write_defaults()
    report("starting", 85)
    cluster.start(partial(report, "starting", 85))
    from instar.agent.datastores.postgresql import readiness  # the driver loads while the server starts

    wanted = server.guest.manifest.engine_version
    found = readiness.look(cluster, wanted, info, report)
    desire.write(layout.state, Desire.RUNNING)
    cluster.let_in()
    report("clients are let in", 100)
    return {
        "engine_version": wanted,
        "data_directory": str(cluster.data),
        "converted_from": converted_from,
        **found,
    }


def _convert(server: Server, info: dict[str, Any], report: Report) -> int | None:
    """Convert an older data directory; gives its major version, None when there is nothing to convert."""
    layout = server.layout
    majors = layout.majors()
    if not majors or majors[-1] >= layout.major:
        server.usable()
        return None
    old = server.cluster(majors[-1])
    if not (old.programs / "postgres").exists():
        raise GuestError(
            f"This image lacks PostgreSQL {majors[-1]}, which pg_upgrade needs beside {layout.major}",
            seen=f"nothing at {old.programs}",
            remedy="Use an image with both, or upgrade by way of a version between.",
        )
    saved = layout.state / SAVED
    configured = saved if saved.is_dir() else old.data
    conversion.convert(server, old, info, configured, report)
    return majors[-1]
