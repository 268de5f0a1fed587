"""The engines that the datastores' contract suite tries: their programs, and how a client speaks to them."""

import contextlib
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import psycopg
import pymysql
import pytest

if TYPE_CHECKING:
    from guest_machine import Machine

POSTGRESQL = Path(os.environ.get("INSTAR_TEST_ENGINES", "/opt/pg"))
DATABASE = "app"


class Refused(Exception):
    """A database did not let a client in, or refused its statement."""


class Client(Protocol):
    """A client's session, as the suite needs it."""

    def execute(self, statement: str) -> None: ...

    def value(self, query: str) -> Any: ...


@dataclass(frozen=True)
class Engine:
    """One version of one engine."""

    manager: ClassVar[str]
    port: ClassVar[int]
    own_databases: ClassVar[tuple[str, ...]]
    """Databases that are the server's own."""
    text: ClassVar[Mapping[str, str]]
    """A character set and a collation that a database may be made with."""

    at_once: ClassVar[tuple[str, str, str]]
    """A parameter heeded at once, a value for it, and what is shown for its default."""
    by_restart: ClassVar[tuple[str, str, str]]
    """A parameter heeded by a start only, likewise."""
    refused: ClassVar[Sequence[tuple[str, object]]]
    """Values that the engine refuses, or would put right."""
    identity: ClassVar[Sequence[str]]
    """Parameters that belong to the instance itself."""

    @property
    def label(self) -> str:
        raise NotImplementedError

    @property
    def version(self) -> str:
        """What the engine itself says, such as 17.10."""
        raise NotImplementedError

    def install(self, root: Path) -> None:
        """Put the engine's programs on a root disk. Skips the test when they are not on this machine."""
        raise NotImplementedError

    def connect(
        self, machine: "Machine", user: str = "ann", password: str = "secret-ann", database: str = DATABASE
    ) -> contextlib.AbstractContextManager[Client]:
        """Connect as a client does, over the network. Raises Refused."""
        raise NotImplementedError

    def server(self, machine: "Machine") -> int:
        """Give the server's process id; 0 when there is none."""
        raise NotImplementedError

    def shown(self, parameter: str) -> str:
        """Give the query for a parameter's value, as people write it."""
        raise NotImplementedError

    def account(self, name: str) -> str:
        """Spell a user as a ReadBack does."""
        return name


@dataclass(frozen=True)
class PostgreSQL(Engine):
    """A major version of PostgreSQL, and the older ones whose programs lie beside it."""

    major: int = 0
    older: tuple[int, ...] = ()

    manager = "postgresql"
    port = 5432
    own_databases = ("postgres", "template1", "template0")
    text = MappingProxyType({"character_set": "UTF8", "collate": "C"})
    at_once = "work_mem", "7MB", "4MB"
    by_restart = "max_connections", "42", "100"
    refused = (
        ("work_mem", "plenty"),
        ("work_mem", 1),
        ("max_connections", "many"),
        ("no_such_parameter", 1),
        ("shared_preload_libraries", "pg_stat_statements, no_such_library"),
    )
    identity = "port", "Listen_Addresses", "hba_file", "server_version", "include"

    @property
    def label(self) -> str:
        return f"postgresql-{self.major}"

    @property
    def version(self) -> str:
        return _told([self.programs(self.major) / "bin/postgres", "--version"]).split()[2]

    def programs(self, major: int) -> Path:
        path = POSTGRESQL / f"usr/lib/postgresql/{major}"
        if not (path / "bin/postgres").exists():
            pytest.skip(
                f"PostgreSQL {major} is not at {path}: run `make engines`, or set INSTAR_TEST_ENGINES"
            )
        return path

    def install(self, root: Path) -> None:
        folder = root / "usr/lib/postgresql"
        folder.mkdir(parents=True)
        for major in (self.major, *self.older):
            (folder / str(major)).symlink_to(self.programs(major))

    @contextlib.contextmanager
    def connect(
        self, machine: "Machine", user: str = "ann", password: str = "secret-ann", database: str = DATABASE
    ) -> Iterator[Client]:
        try:
            with psycopg.connect(
                host=machine.address,
                user=user,
                password=password,
                dbname=database,
                autocommit=True,
                connect_timeout=5,
            ) as connection:
                yield _PostgreSQLClient(connection)
        except psycopg.Error as error:
            raise Refused(str(error)) from error

    def server(self, machine: "Machine") -> int:
        path = machine.volume / f"postgresql/{self.major}/postmaster.pid"
        return int(path.read_text().split()[0]) if path.exists() else 0

    def shown(self, parameter: str) -> str:
        return f"SHOW {parameter}"


@dataclass(frozen=True)
class MariaDB(Engine):
    """The MariaDB of this machine."""

    manager = "mariadb"
    port = 3306
    own_databases = ("mysql", "sys", "information_schema")
    text = MappingProxyType({"character_set": "utf8mb4", "collate": "utf8mb4_unicode_ci"})
    at_once = "wait_timeout", "1234", "28800"
    by_restart = "back_log", "77", "80"
    refused = (
        ("max_connections", "many"),
        ("max_connections", 5),
        ("sql_mode", "STRICTLY"),
        ("slow_query_log", "perhaps"),
        ("default_storage_engine", "punchcards"),
        ("no_such_parameter", 1),
        ("plugin_load_add", "no_such_library"),
    )
    identity = "port", "Bind-Address", "datadir", "socket", "skip_networking", "loose_networking", "init_file"
    label = "mariadb"

    @property
    def version(self) -> str:
        found = re.search(r"Ver (\d+\.\d+\.\d+)", _told([self.programs()[0], "--version"]))
        assert found is not None
        return found[1]

    def programs(self) -> list[Path]:
        names = (
            "sbin/mariadbd",
            "bin/mariadb-install-db",
            "bin/mariadb-upgrade",
            "bin/mariadb-check",
            "bin/mariadb",
            "bin/mariadb-tzinfo-to-sql",
        )
        found = [Path("/usr") / name for name in names]
        if not all(path.exists() for path in found):
            pytest.skip("MariaDB's server is not on this machine: apt-get install mariadb-server")
        return found

    def install(self, root: Path) -> None:
        for program in self.programs():
            target = root / program.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(program)
        folder = root / "etc/mysql"
        for name in ("conf.d", "mariadb.conf.d"):
            (folder / name).mkdir(parents=True)
        (folder / "mariadb.cnf").write_text(
            f"[client-server]\nsocket = /run/mysqld/mysqld.sock\n"
            f"!includedir {folder}/conf.d/\n!includedir {folder}/mariadb.conf.d/\n"
        )
        (folder / "mariadb.conf.d/50-server.cnf").write_text(
            "[mysqld]\nbind-address = 127.0.0.1\ncollation-server = utf8mb4_general_ci\n"
        )
        status = root / "var/lib/dpkg/status"
        status.parent.mkdir(parents=True)
        sums = {path: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.rglob("*.cnf")}
        status.write_text(
            "Package: mariadb-server\nConffiles:\n"
            + "".join(f" /{path.relative_to(root)} {digest}\n" for path, digest in sums.items())
        )

    @contextlib.contextmanager
    def connect(
        self, machine: "Machine", user: str = "ann", password: str = "secret-ann", database: str = DATABASE
    ) -> Iterator[Client]:
        try:
            connection = pymysql.connect(
                host=machine.address,
                port=self.port,
                user=user,
                password=password,
                database=database,
                autocommit=True,
                connect_timeout=5,
            )
            try:
                yield _MariaDBClient(connection)
            finally:
                with contextlib.suppress(pymysql.Error):
                    connection.close()
        except pymysql.MySQLError as error:
            raise Refused(str(error)) from error

    def server(self, machine: "Machine") -> int:
        data = str((machine.volume / "mysql/data").resolve())
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str((entry / "cwd").readlink()) == data:
                    return int(entry.name)
        return 0

    def shown(self, parameter: str) -> str:
        return f"SELECT @@global.{parameter}"

    def account(self, name: str) -> str:
        return f"{name}@%"


MARIADB = MariaDB()


class _PostgreSQLClient:
    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def value(self, query: str) -> Any:
        row = self._connection.execute(query.encode()).fetchone()
        return None if row is None else row[0]


class _MariaDBClient:
    def __init__(self, connection: "pymysql.connections.Connection[Any]") -> None:
        self._connection = connection

    def execute(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def value(self, query: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        return None if row is None else row[0]


def every_engine() -> list[Any]:
    """Give test parameters for all that the suite is tried on."""
    found: list[Engine] = [PostgreSQL(major=17), PostgreSQL(major=18), MARIADB]
    return [pytest.param(engine, id=engine.label) for engine in found]


def _told(argv: list[Any]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
