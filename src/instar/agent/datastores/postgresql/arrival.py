"""`post_upgrade`: the way into the new image.

1. Takes the volume and sees which data directory is there.
2. Of an older major version: converts it (see `conversion`). Of this image's: puts lost configuration back.
3. Starts the server with clients kept out, and checks version, data directory, a query and the databases
   through the private socket.
4. Updates extensions to the versions that this image brings.
5. Lets clients in.

Each step looks before it acts, so that all of it may be repeated after a crash at any point.
"""

from typing import Any

from psycopg import sql

from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import configuration, conversion, desire, inspection
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.desire import Desire
from instar.agent.datastores.postgresql.leaving import SAVED
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import Session, databases, session
from instar.wire.errors import GuestError


def arrive(server: Server, info: dict[str, Any], report: Report) -> dict[str, Any]:
    """Carry it out; gives what was found and done. Repeatable."""
    server.guest.take_volume()
    layout, cluster = server.layout, server.cluster()
    converted_from = _convert(server, info, report)
    configuration.restore_missing(layout.state / SAVED, cluster.data)
    server.write_defaults()
    report("starting", 85)
    cluster.start()
    with session(cluster) as connection:
        _check(server, cluster, info, connection)
        everywhere = databases(connection)
    report("looking at extensions and text ordering", 90)
    updated, orderings = _look_inside(cluster, everywhere)
    desire.write(layout.state, Desire.RUNNING)
    cluster.let_in()
    report("clients are let in", 100)
    return {
        "engine_version": server.guest.manifest.engine_version,
        "data_directory": str(cluster.data),
        "converted_from": converted_from,
        "databases": everywhere,
        "extensions_updated": updated,
        "changed_text_orderings": orderings,
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


def _check(server: Server, cluster: Cluster, info: dict[str, Any], connection: Session) -> None:
    """See whether this is the database that should be here. Raises GuestError with every difference."""
    differences = []
    wanted, running = server.guest.manifest.engine_version, inspection.engine_version(connection)
    if running != wanted:
        differences.append(f"PostgreSQL {running} runs, the image is of {wanted}")
    found = inspection.setting(connection, "data_directory")
    if found != str(cluster.data):
        differences.append(f"the data directory is {found}, not {cluster.data}")
    if lost := sorted(set(info.get("databases", [])) - set(databases(connection))):
        differences.append(f"databases are missing: {', '.join(lost)}")
    if differences:
        raise GuestError(
            "The database that was started is not the one that should be here",
            seen="; ".join(differences),
            remedy="Clients are kept out. Attach the right volume, or rebuild with the right image.",
        )


def _look_inside(cluster: Cluster, everywhere: list[str]) -> tuple[list[str], list[dict[str, Any]]]:
    updated: list[str] = []
    orderings: list[dict[str, Any]] = []
    for database in everywhere:
        with session(cluster, database) as connection:
            for name, old, new in inspection.outdated_extensions(connection):
                connection.execute(sql.SQL("ALTER EXTENSION {} UPDATE").format(sql.Identifier(name)))
                updated.append(f"{database}/{name} {old} -> {new}")
            orderings += [{"database": database, **each} for each in inspection.changed_orderings(connection)]
    return updated, orderings
