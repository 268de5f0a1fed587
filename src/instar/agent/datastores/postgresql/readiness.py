"""What is looked at between the start of an upgraded server and the moment when clients are let in."""

import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psycopg import sql

from instar.agent import commands
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import inspection, tablespaces
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, databases, execute, session
from instar.wire.agent import ReadBack
from instar.wire.errors import Finding, GuestError, Severity


@dataclass
class Found:
    """What the database is, and what was done in it."""

    databases: list[str]
    read_back: ReadBack
    extensions_updated: list[str] = field(default_factory=list)
    changed_text_orderings: list[dict[str, Any]] = field(default_factory=list)
    newer_extensions: list[Finding] = field(default_factory=list)


def look(cluster: Cluster, wanted: str, info: dict[str, Any], report: Report, *, update: bool) -> Found:
    """See whether this is the database that should be here, update its extensions if asked, and read it back.

    Raises GuestError with every difference. Repeatable.
    """
    with session(cluster) as connection:
        _check(cluster, wanted, info, connection)
        everywhere = databases(connection)
        report("looking at extensions and text ordering", 90)
        updated: list[str] = []
        orderings: list[dict[str, Any]] = []
        newer: list[Finding] = []
        seen: dict[str, inspection.Inside] = {}
        for database in everywhere:
            with _inside(cluster, connection, database) as inside:
                if update:
                    updated += [f"{database}/{each}" for each in _update_extensions(inside, report)]
                orderings += [{"database": database, **each} for each in inspection.changed_orderings(inside)]
                newer += map(partial(_newer, database), inspection.newer_extensions(inside))
                seen[database] = inspection.look_inside(inside)
        return Found(everywhere, inspection.read_back(connection, seen), updated, orderings, newer)


def _inside(
    cluster: Cluster, connection: Session, database: str
) -> contextlib.AbstractContextManager[Session]:
    """Give a session in a database: the one that is there, or another."""
    if database == connection.info.dbname:
        return contextlib.nullcontext(connection)
    return session(cluster, database)


def _newer(database: str, extension: tuple[str, str, str]) -> Finding:
    name, installed, offered = extension
    return Finding(
        check="extension_versions",
        severity=Severity.WARN,
        seen=f"extension {name} of database {database} is of version {installed}, this image has {offered}",
        remedy="No way leads back to that: it stays as it is. See whether the older library can serve it.",
    )


def _check(cluster: Cluster, wanted: str, info: dict[str, Any], connection: Session) -> None:
    differences = []
    if (running := inspection.engine_version(connection)) != wanted:
        differences.append(f"PostgreSQL {running} runs, the image is of {wanted}")
    if (found := inspection.setting(connection, "data_directory")) != str(cluster.data):
        differences.append(f"the data directory is {found}, not {cluster.data}")
    if lost := sorted(set(info.get("databases", [])) - set(databases(connection))):
        differences.append(f"databases are missing: {', '.join(lost)}")
    for name, place in tablespaces.locations(connection, cluster.data).items():
        if not place.is_dir():
            differences.append(f"tablespace {name} is missing: {place}")
    if differences:
        raise GuestError(
            commands.brief(f"This is not the database that should be here: {differences[0]}"),
            seen="; ".join(differences),
            remedy="Clients are kept out. Attach the right volume, or put it back to its snapshot.",
        )


def _update_extensions(connection: Session, report: Report) -> list[str]:
    updated = []
    for name, old, new in inspection.outdated_extensions(connection):
        statement = sql.SQL("ALTER EXTENSION {} UPDATE").format(sql.Identifier(name))
        execute(connection, statement, partial(report, f"updating extension {name}", 90))
        updated.append(f"{name} {old} -> {new}")
    return updated
