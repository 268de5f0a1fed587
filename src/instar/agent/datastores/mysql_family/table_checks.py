"""Tables that another version may not take as they are, and plug-ins that it may lack."""

import time
from collections.abc import Iterator

import pymysql

from instar.agent.datastores import obstacles
from instar.agent.datastores.mysql_family import inspection, looks
from instar.agent.datastores.mysql_family.looks import Look
from instar.agent.datastores.mysql_family.sessions import Session, identifier
from instar.wire.agent import UpgradeParams
from instar.wire.errors import Finding, Severity

BUDGET = 2.0
"""Seconds for checking tables; `post_upgrade` checks all of them."""
_TABLES = """
    SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
    AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY 1, 2
"""
_LOOKS = (
    Look(
        "broken_tables",
        Severity.WARN,
        "tables that can't be opened",
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES"
        " WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IS NULL AND TABLE_SCHEMA <> 'sys' ORDER BY 1",
        "Repair or drop them.",
    ),
    Look(
        "old_formats",
        Severity.NOTE,
        "columns in formats of old versions, which take more time and room",
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS"
        " WHERE COLUMN_TYPE LIKE '%mariadb-5.3%' AND TABLE_SCHEMA <> 'sys' ORDER BY 1",
        "ALTER TABLE ... FORCE when there is time.",
    ),
)
_NO_FAULT = ("OK", "Table is already up to date", "Operation failed")
"""The last one when the table was in use; a table that can't be opened is found otherwise."""


def findings(session: Session) -> Iterator[Finding]:
    """Find tables in a bad state or an old format, as far as is seen in a few seconds."""
    yield from looks.take(session, _LOOKS)
    unfit = list(_unfit(session))
    if unfit:
        yield Finding(
            check="tables",
            severity=Severity.WARN,
            seen=f"tables that CHECK TABLE ... FOR UPGRADE finds fault with: {obstacles.named(unfit)}",
            remedy="Repair them now (REPAIR TABLE, ALTER TABLE ... FORCE): the upgrade would do it while"
            " clients are kept out.",
        )


def plugins(session: Session, params: UpgradeParams) -> Iterator[Finding]:
    """Find plug-ins from libraries that the target lacks, or that it may lack."""
    found, offered = inspection.plugins(session), params.target_extensions
    if lacking := [[name, library] for name, library in found.items() if name not in offered]:
        yield Finding(
            check="plugins",
            severity=Severity.BLOCK if offered else Severity.WARN,
            seen=f"plug-ins {'that the target lacks' if offered else 'the target must have as well'}: "
            f"{obstacles.named(lacking)}",
            remedy="Use an image with them, or UNINSTALL PLUGIN what nothing uses: tables and accounts of a"
            " plug-in that is missing can't be used.",
        )


def _unfit(session: Session) -> Iterator[list[str]]:
    """Check tables until the time is over; those in use are passed over."""
    deadline = time.monotonic() + BUDGET
    session.execute("SET SESSION lock_wait_timeout = 0, max_statement_time = %s", [BUDGET])
    try:
        for database, table in session.rows(_TABLES):
            if time.monotonic() > deadline:
                return
            name = f"{identifier(database)}.{identifier(table)}"
            yield from _checked(session, name, f"{database}.{table}")
    finally:
        session.execute("SET SESSION lock_wait_timeout = 60, max_statement_time = 0")


def _checked(session: Session, name: str, told: str) -> Iterator[list[str]]:
    try:
        rows = session.rows(f"CHECK TABLE {name} FOR UPGRADE")
    except pymysql.MySQLError:
        return
    for _, _, kind, text in rows:
        if kind == "error" or (kind == "status" and text not in _NO_FAULT):
            yield [told, text]
