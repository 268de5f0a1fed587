"""What the running database says of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from instar.agent.datastores.postgresql import databases, names, users
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.agent.datastores.postgresql.sessions import databases as all_databases
from instar.wire.agent import ReadBack
from instar.wire.errors import InstarError

_OURS = ("command line", "override", "default", "client", "environment variable")
_SETTINGS: LiteralString = """
    SELECT name, current_setting(name) FROM pg_settings
    WHERE source <> ALL (%s) AND NOT pending_restart AND sourcefile IS NOT NULL
    AND NOT sourcefile LIKE '%%/instar_defaults.conf'
"""
_EXTENSIONS: LiteralString = "SELECT extname, extversion FROM pg_extension ORDER BY extname"
_OUTDATED: LiteralString = """
    SELECT name, installed_version, default_version FROM pg_available_extensions
    WHERE installed_version IS NOT NULL AND installed_version <> default_version AND EXISTS (
        SELECT FROM pg_extension_update_paths(name)
        WHERE source = installed_version AND target = default_version AND path IS NOT NULL)
    ORDER BY name
"""
"""An image that is older than the one before may offer an older version, to which no way leads."""
_NEWER: LiteralString = """
    SELECT name, installed_version, default_version FROM pg_available_extensions
    WHERE installed_version <> default_version AND NOT EXISTS (
        SELECT FROM pg_extension_update_paths(name)
        WHERE source = installed_version AND target = default_version AND path IS NOT NULL)
    ORDER BY name
"""
_CATALOG: LiteralString = r"""
    WITH ours AS (
        SELECT oid FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'
    ), found AS (
        SELECT 'pg_class'::regclass AS catalog, coalesce(indrelid, oid) AS oid, CASE
            WHEN relkind IN ('r', 'p', 'f') THEN 'tables' WHEN relkind IN ('i', 'I') THEN 'indexes'
            WHEN relkind IN ('v', 'm') THEN 'views' WHEN relkind = 'S' THEN 'sequences' END AS kind
        FROM pg_class LEFT JOIN pg_index ON indexrelid = oid WHERE relnamespace IN (SELECT oid FROM ours)
        UNION ALL
        SELECT 'pg_proc'::regclass, oid, 'functions' FROM pg_proc
        WHERE pronamespace IN (SELECT oid FROM ours)
        UNION ALL
        SELECT CASE conrelid WHEN 0 THEN 'pg_type' ELSE 'pg_class' END::regclass,
            CASE conrelid WHEN 0 THEN contypid ELSE conrelid END, 'constraints'
        FROM pg_constraint
        WHERE connamespace IN (SELECT oid FROM ours) AND contype IN ('c', 'f', 'p', 'u', 'x')
    )
    SELECT kind, count(*) FROM found WHERE kind IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = catalog AND objid = found.oid AND deptype = 'e')
    GROUP BY kind
"""
"""Objects of users, none of extensions, which change with their updates; of kinds that all majors know.

An index or constraint belongs to an extension when its table, or domain, does.
"""
_ORDERING: LiteralString = """
    WITH looked_at AS (
        SELECT attcollation AS oid FROM pg_attribute
        UNION SELECT unnest(partcollation) FROM pg_partitioned_table
        UNION SELECT rngcollation FROM pg_range
        UNION SELECT oid FROM pg_collation WHERE oid >= 16384
        UNION SELECT min(oid) FROM pg_collation GROUP BY collprovider, collversion
    )
    SELECT 'database', datcollversion, pg_database_collation_actual_version(oid)
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'collation ' || collname, collversion, pg_collation_actual_version(oid)
    FROM pg_collation WHERE collversion IS NOT NULL AND oid IN (SELECT oid FROM looked_at)
"""
"""Those that columns and indexes use or users made, and one of each version that is recorded: to ask ICU for
the version of one loads its rules, and there are 800.
"""


def engine_version(connection: Session) -> str:
    """Give the server's version as it says it, such as 17.10, without a packager's remark."""
    return setting(connection, "server_version").split()[0]


def setting(connection: Session, name: str) -> str:
    """Give the value of a setting."""
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return "" if row is None else str(row[0])


@dataclass(frozen=True)
class Inside:
    """What one database holds: extension -> version, kind of object -> how many."""

    extensions: dict[str, str]
    catalog: dict[str, int]


def look_inside(connection: Session) -> Inside:
    """Look at the database of a session; in the server's own ones users have nothing to count."""
    ours = names.is_reserved_database(connection.info.dbname)
    return Inside(
        extensions=dict(connection.execute(_EXTENSIONS).fetchall()),
        catalog={} if ours else dict(connection.execute(_CATALOG).fetchall()),
    )


def inside(
    cluster: Cluster,
    connection: Session,
    also: Callable[[Session], None] = lambda _: None,
    refused: Callable[[str, InstarError], None] | None = None,
) -> dict[str, Inside]:
    """Look at every database, by a session of its own where the one that is given is another's.

    `also` is called with each session, to save others a session of their own; `refused` with a database that
    can't be looked at, and why, where that is not to end the look. One that is gone by now is left out.
    """
    found: dict[str, Inside] = {}
    for database in all_databases(connection):
        if database == connection.info.dbname:
            found[database] = look_inside(connection)
            also(connection)
            continue
        try:
            with session(cluster, database) as there:
                found[database] = look_inside(there)
                also(there)
        except InstarError as error:
            found.pop(database, None)
            if database not in all_databases(connection):
                continue
            if refused is None:
                raise
            refused(database, error)
    return found


def read_back(connection: Session, inside: Mapping[str, Inside]) -> ReadBack:
    """Gather what verification compares."""
    return ReadBack(
        engine_version=engine_version(connection),
        data_directory=setting(connection, "data_directory"),
        settings=settings(connection),
        databases=[spec.name for spec in databases.listing(connection)],
        users=[spec.name for spec in users.listing(connection)],
        extensions={
            f"{database}/{name}": version
            for database, found in inside.items()
            for name, version in found.extensions.items()
        },
        catalog={
            f"{database}/{kind}": count
            for database, found in inside.items()
            for kind, count in sorted(found.catalog.items())
        },
    )


def settings(connection: Session) -> dict[str, str]:
    """Give what the instance's own configuration files set and the server heeds; neither identity nor
    generated defaults, nor what waits for a restart.
    """
    return dict(connection.execute(_SETTINGS, [list(_OURS)]).fetchall())


def outdated_extensions(connection: Session) -> list[tuple[str, str, str]]:
    """List the extensions of one database that could be newer: name, installed and default version."""
    return [(name, old, new) for name, old, new in connection.execute(_OUTDATED)]


def newer_extensions(connection: Session) -> list[tuple[str, str, str]]:
    """List those of another version than this image's, to which no way leads from theirs."""
    return [(name, old, new) for name, old, new in connection.execute(_NEWER)]


def changed_orderings(connection: Session) -> list[dict[str, Any]]:
    """List the text orderings of one database whose library is of another version than recorded."""
    rows = connection.execute(_ORDERING)
    return [{"object": what, "recorded": old, "actual": new} for what, old, new in rows if new and old != new]
