"""What the running database says of itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from instar.agent.datastores.mysql_family import configuration, databases, names, users, variables
from instar.agent.datastores.mysql_family.accounts import ADMINISTRATOR, OPTION_FILE, PROBER
from instar.agent.datastores.mysql_family.carrying import Folder
from instar.agent.datastores.mysql_family.daemon import FIXED, Daemon
from instar.agent.datastores.mysql_family.sessions import Session
from instar.agent.datastores.mysql_family.variables import Option
from instar.wire.agent import ReadBack

_VARIABLES = """
    SELECT LOWER(VARIABLE_NAME), VARIABLE_TYPE, GLOBAL_VALUE, DEFAULT_VALUE, GLOBAL_VALUE_ORIGIN
    FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE IS NOT NULL
"""
_CATALOG = """
    SELECT TABLE_SCHEMA, CASE TABLE_TYPE WHEN 'VIEW' THEN 'views' WHEN 'SYSTEM VIEW' THEN 'views'
        WHEN 'SEQUENCE' THEN 'sequences' ELSE 'tables' END AS kind, COUNT(*)
    FROM information_schema.TABLES GROUP BY 1, 2
    UNION ALL SELECT ROUTINE_SCHEMA, 'routines', COUNT(*) FROM information_schema.ROUTINES GROUP BY 1
    UNION ALL SELECT TRIGGER_SCHEMA, 'triggers', COUNT(*) FROM information_schema.TRIGGERS GROUP BY 1
    UNION ALL SELECT EVENT_SCHEMA, 'events', COUNT(*) FROM information_schema.EVENTS GROUP BY 1
"""
_PRIVILEGES = """
    SELECT GRANTEE, COUNT(*) FROM (
        SELECT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'
        UNION ALL SELECT GRANTEE FROM information_schema.SCHEMA_PRIVILEGES
        UNION ALL SELECT GRANTEE FROM information_schema.TABLE_PRIVILEGES
        UNION ALL SELECT GRANTEE FROM information_schema.COLUMN_PRIVILEGES
        UNION ALL SELECT CONCAT("'", User, "'@'", Host, "'") FROM mysql.procs_priv
        UNION ALL SELECT CONCAT("'", User, "'@'", Host, "'") FROM mysql.roles_mapping
    ) AS granted GROUP BY GRANTEE
"""
_PLUGINS = """
    SELECT LOWER(PLUGIN_NAME), PLUGIN_LIBRARY FROM information_schema.PLUGINS
    WHERE PLUGIN_LIBRARY IS NOT NULL AND PLUGIN_STATUS = 'ACTIVE' ORDER BY 1
"""


@dataclass(frozen=True)
class Variable:
    """One global variable: its value, and who gave it, such as `CONFIG`, `SQL` or `COMPILE-TIME`."""

    value: str
    origin: str


def engine_version(session: Session) -> str:
    """Give the server's version, such as 10.11.19, without a packager's remark."""
    return plain(str(session.value("SELECT VERSION()")))


def plain(version: str) -> str:
    """Give a version's numbers."""
    return version.split("-")[0]


def global_variables(session: Session) -> dict[str, Variable]:
    """Give all global variables; of those that hold many switches, the ones that were switched."""
    return {
        name: Variable(_switched(value, default or "") if kind == "FLAGSET" else value, origin)
        for name, kind, value, default, origin in session.rows(_VARIABLES)
    }


def configured(daemon: Daemon) -> dict[str, Option]:
    """Give the options that the administrator's files and users' values set, each where it counts.

    Neither what a package's untouched files say, nor generated defaults, nor the instance's identity.
    """
    folder = Folder(daemon.layout, daemon.dialect)
    left = {folder.path / name for name in folder.untouched()}
    left.add(folder.path / daemon.dialect.own_folder / configuration.DEFAULTS)
    ours = FIXED | {variables.spelt(name) for name in daemon.dialect.closed}
    groups = daemon.dialect.groups_of(daemon.version)
    found = {option.name: option for option in variables.read(daemon.main_file, groups)}
    return {name: each for name, each in found.items() if each.path not in left and name not in ours}


def settings(session: Session, options: Mapping[str, Option]) -> dict[str, str]:
    """Give the values of configured variables that the server heeds; not what waits for a restart."""
    began = (session.daemon.layout.run() / OPTION_FILE).stat().st_mtime  # written for each start
    known = global_variables(session)
    return {
        name: known[name].value
        for name, option in sorted(options.items())
        if name in known and _is_heeded(known[name], option.path, began)
    }


def _is_heeded(variable: Variable, path: Path, began: float) -> bool:
    """A file that is younger than the server says what holds after a restart, unless it was set as well.

    Of some variables that files set, the server tells another origin.
    """
    if variable.origin == "SQL":
        return path.name == configuration.OURS
    return variable.origin != "COMMAND-LINE" and path.is_file() and path.stat().st_mtime <= began


def set_by_hand(session: Session, options: Collection[str]) -> list[str]:
    """Name the variables that were set while the server ran and stand in no file."""
    found = global_variables(session)
    return sorted(name for name, each in found.items() if each.origin == "SQL" and name not in options)


def plugins(session: Session) -> dict[str, str]:
    """Give the plug-ins that come from a library of their own, with its file name."""
    return dict(session.rows(_PLUGINS))


def catalog(session: Session) -> dict[str, int]:
    """Count what the user's databases hold, and what each account may do."""
    objects = {
        f"{database}/{kind}": int(count)
        for database, kind, count in session.rows(_CATALOG)
        if not names.is_reserved_database(database)
    }
    ours = ("'mariadb.sys'", f"'{ADMINISTRATOR}'", f"'{PROBER}'")
    granted = session.rows(_PRIVILEGES)
    return objects | {f"privileges/{who}": int(count) for who, count in granted if not who.startswith(ours)}


def read_back(session: Session, daemon: Daemon) -> ReadBack:
    """Gather what verification compares."""
    return ReadBack(
        engine_version=engine_version(session),
        data_directory=str(session.value("SELECT @@datadir")).rstrip("/"),
        settings=settings(session, configured(daemon)),
        databases=[spec.name for spec in databases.listing(session)],
        users=[f"{spec.name}@{spec.host}" for spec in users.listing(session)],
        catalog=dict(sorted(catalog(session).items())),
    )


def _switched(value: str, default: str) -> str:
    usual = set(default.split(","))
    return ",".join(each for each in value.split(",") if each not in usual)
