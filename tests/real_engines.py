"""Database engines as live tests see them: how to get in, what to ask, which process serves."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from access import Access, MariaDB, PostgreSQL


@dataclass(frozen=True)
class Engine:
    """An engine with two releases of it, by their versions' names."""

    datastore: str
    old: str
    new: str
    access: Callable[[str, str, str, str], Access]
    """Of address, user, password and database."""
    server: str
    """What the command line of the database's server matches."""
    version: str
    """Gives the release that serves."""
    is_old: str
    """Gives 1 while the old release serves, and 0 on the new one."""
    setting: tuple[str, object, str]
    """A parameter that a running server heeds, a value for it, and what then tells it."""


def _postgresql(address: str, user: str, password: str, database: str) -> Access:
    return PostgreSQL(f"host={address} user={user} password={password} dbname={database}")


LOCAL_POSTGRESQL = Engine(
    datastore="postgresql",
    old="17.10",
    new="18.6",
    access=_postgresql,
    server=r"bin/postgres -D",
    version="SHOW server_version",
    is_old="SELECT (current_setting('server_version_num')::int < 180000)::int",
    setting=("work_mem", 8192, "SHOW work_mem"),
)
MARIADB = Engine(
    datastore="mariadb",
    old="10.11",
    new="11.8",
    access=MariaDB,
    server=r"sbin/mariadbd ",
    version="SELECT version()",
    is_old="SELECT version() LIKE '10.%%'",
    setting=("long_query_time", 3.5, "SELECT @@global.long_query_time"),
)
CONTAINED_POSTGRESQL = replace(
    LOCAL_POSTGRESQL,
    old="15",
    new="17",
    is_old="SELECT (current_setting('server_version_num')::int < 160000)::int",
)
