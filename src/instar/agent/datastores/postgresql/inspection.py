"""What the running database says of itself."""

import contextlib
from typing import Any, LiteralString

from instar.agent.datastores.postgresql import databases, users
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.agent.datastores.postgresql.sessions import databases as all_databases
from instar.wire.agent import ReadBack

_OURS = ("command line", "override", "default", "client", "environment variable")
_SETTINGS: LiteralString = """
    SELECT name, current_setting(name) FROM pg_settings
    WHERE source <> ALL (%s) AND NOT pending_restart AND sourcefile IS NOT NULL
    AND NOT sourcefile LIKE '%%/instar_defaults.conf'
"""
_EXTENSIONS: LiteralString = "SELECT extname, extversion FROM pg_extension ORDER BY extname"
_OUTDATED: LiteralString = """
    SELECT name, installed_version, default_version FROM pg_available_extensions
    WHERE installed_version IS NOT NULL AND installed_version <> default_version ORDER BY name
"""
_ORDERING: LiteralString = """
    SELECT 'database', datcollversion, pg_database_collation_actual_version(oid)
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'collation ' || collname, collversion, pg_collation_actual_version(oid)
    FROM pg_collation WHERE collversion IS NOT NULL
"""


def engine_version(connection: Session) -> str:
    """Give the server's version as it says it, such as 17.10, without a packager's remark."""
    return setting(connection, "server_version").split()[0]


def setting(connection: Session, name: str) -> str:
    """Give the value of a setting."""
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return "" if row is None else str(row[0])


def read_back(cluster: Cluster, connection: Session) -> ReadBack:
    """Gather what verification compares."""
    return ReadBack(
        engine_version=engine_version(connection),
        data_directory=setting(connection, "data_directory"),
        settings=settings(connection),
        databases=[spec.name for spec in databases.listing(connection)],
        users=[spec.name for spec in users.listing(connection)],
        extensions=extensions(cluster, connection),
    )


def settings(connection: Session) -> dict[str, str]:
    """Give what the instance's own configuration files set and the server heeds; neither identity nor
    generated defaults, nor what waits for a restart.
    """
    return dict(connection.execute(_SETTINGS, [list(_OURS)]).fetchall())


def extensions(cluster: Cluster, connection: Session) -> dict[str, str]:
    """Give `database/extension` -> version for every database."""
    found: dict[str, str] = {}
    for database in all_databases(connection):
        here = database == connection.info.dbname
        with contextlib.nullcontext(connection) if here else session(cluster, database) as inside:
            found |= {f"{database}/{name}": version for name, version in inside.execute(_EXTENSIONS)}
    return found


def outdated_extensions(connection: Session) -> list[tuple[str, str, str]]:
    """List the extensions of one database that could be newer: name, installed and default version."""
    return [(name, old, new) for name, old, new in connection.execute(_OUTDATED)]


def changed_orderings(connection: Session) -> list[dict[str, Any]]:
    """List the text orderings of one database whose library is of another version than recorded."""
    rows = connection.execute(_ORDERING)
    return [{"object": what, "recorded": old, "actual": new} for what, old, new in rows if new and old != new]
