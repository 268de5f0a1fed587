"""Whether databases let clients in, asked of real ones in every state that an upgrade leads through."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from instar.control.guests.reach import reachable
from record_stores import NOBODY, mariadbd
from waiting import until

ADDRESS = "127.0.0.1"
ENGINES = Path(os.environ.get("INSTAR_TEST_ENGINES", "/opt/pg"))
OPEN = "local all all trust\nhost all all all scram-sha-256\n"
GATED = "local all all trust\n"
REJECTING = "local all all trust\nhost all all all reject\n"
AS_OTHER: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A folder with a short path that belongs to the user that databases run under."""
    with tempfile.TemporaryDirectory(prefix="instar-reach-", dir="/tmp") as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


class Postgresql:
    """A PostgreSQL server that can be brought into each state."""

    def __init__(self, home: Path, programs: Path) -> None:
        self.home, self.data, self.programs, self.port = home, home / "data", programs, free_port()
        self.run("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        self.let_in(OPEN)
        settings = f"port={self.port}\nunix_socket_directories='{home}'\nfsync=off\nmax_connections=5\n"
        settings += "superuser_reserved_connections=1\nreserved_connections=0\nlisten_addresses='127.0.0.1'\n"
        (self.data / "postgresql.auto.conf").write_text(settings)

    def run(self, program: str, *arguments: str) -> None:
        command = [self.programs / program, "-D", self.data, *arguments]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, **AS_OTHER)

    def let_in(self, access: str) -> None:
        (self.data / "pg_hba.conf").write_text(access)

    def start(self, *, wait: bool = True) -> None:
        self.run("pg_ctl", "start", "-l", str(self.home / "log"), "-w" if wait else "-W")

    def stop(self, mode: str = "immediate", *, wait: bool = True) -> None:
        self.run("pg_ctl", "stop", "-m", mode, "-w" if wait else "-W")

    def session(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.home), port=self.port, user="postgres")

    def is_reachable(self) -> bool:
        return reachable("postgresql", ADDRESS, self.port, 5.0)

    def says(self, text: str) -> bool:
        log = self.home / "log"
        return log.exists() and text in log.read_text()


@pytest.fixture(params=[17, 18], ids=["postgresql-17", "postgresql-18"])
def postgresql(request: pytest.FixtureRequest) -> Iterator[Postgresql]:
    programs = ENGINES / f"usr/lib/postgresql/{request.param}/bin"
    if not (programs / "postgres").exists():
        pytest.skip(f"no PostgreSQL at {programs}: run `make engines`, or set INSTAR_TEST_ENGINES")
    with home() as place:
        server = Postgresql(place, programs)
        yield server
        with contextlib.suppress(subprocess.CalledProcessError):  # most tests have stopped it
            server.stop()


def test_an_open_server_is_reachable_and_says_nothing_of_it(postgresql: Postgresql) -> None:
    assert not postgresql.is_reachable(), "before it is started"
    postgresql.start()
    assert postgresql.is_reachable()
    postgresql.stop("fast")
    assert not postgresql.is_reachable(), "after it was stopped"
    assert not postgresql.says("instar_outage_probe")
    assert not postgresql.says("FATAL")


@pytest.mark.parametrize("access", [GATED, REJECTING])
def test_a_server_whose_gate_is_closed_is_not_reachable(postgresql: Postgresql, access: str) -> None:
    postgresql.let_in(access)
    postgresql.start()
    assert not postgresql.is_reachable()
    postgresql.let_in(OPEN)
    postgresql.run("pg_ctl", "reload")
    until(postgresql.is_reachable)


@pytest.mark.parametrize("method", ["trust", "md5", "password"])
def test_it_does_not_matter_how_clients_are_asked_who_they_are(postgresql: Postgresql, method: str) -> None:
    postgresql.let_in(f"local all all trust\nhost all all all {method}\n")
    postgresql.start()
    assert postgresql.is_reachable()


def test_a_server_that_is_starting_is_not_reachable(postgresql: Postgresql) -> None:
    (postgresql.data / "standby.signal").touch()
    with (postgresql.data / "postgresql.auto.conf").open("a") as file:
        file.write("hot_standby=off\nrestore_command='false'\n")
    postgresql.start(wait=False)
    until(lambda: postgresql.says("standby mode"))
    assert not postgresql.is_reachable()
    with socket.create_connection((ADDRESS, postgresql.port)):
        pass  # it does listen


def test_a_server_that_is_shutting_down_is_not_reachable(postgresql: Postgresql) -> None:
    postgresql.start()
    with postgresql.session():
        postgresql.stop("smart", wait=False)
        until(lambda: postgresql.says("smart shutdown request"))
        assert not postgresql.is_reachable()


def test_a_server_that_is_full_lets_clients_in_as_it_can(postgresql: Postgresql) -> None:
    postgresql.start()
    with contextlib.ExitStack() as sessions:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                sessions.enter_context(postgresql.session())
        assert postgresql.is_reachable()


@contextlib.contextmanager
def mariadb(place: Path, port: int, *more: str) -> Iterator[None]:
    """Run a MariaDB server for a while."""
    arguments = ["--no-defaults", f"--datadir={place / 'data'}", f"--socket={place / 'socket'}"]
    network = [f"--port={port}", f"--bind-address={ADDRESS}", "--skip-name-resolve"]
    with (place / "log").open("ab") as log:
        server = subprocess.Popen(
            [str(mariadbd()), *arguments, *network, *more], cwd=place, stdout=log, stderr=log, **AS_OTHER
        )
    try:
        yield
    finally:
        server.kill()
        server.wait()


@pytest.mark.skipif(mariadbd() is None, reason="MariaDB is missing: apt-get install mariadb-server")
def test_a_mariadb_server_is_reachable_once_it_greets_and_has_an_account_for_clients() -> None:
    with home() as place:
        install = [str(shutil.which("mariadb-install-db")), "--no-defaults", f"--datadir={place / 'data'}"]
        subprocess.run(install, cwd=place, check=True, capture_output=True, **AS_OTHER)
        port = free_port()
        assert not reachable("mariadb", ADDRESS, port, 5.0)
        with mariadb(place, port):
            until(lambda: reachable("another", ADDRESS, port, 5.0))
            assert not reachable("mariadb", ADDRESS, port, 5.0), "it has accounts for local users only"
        (place / "accounts.sql").write_text("CREATE USER ann@'%';\n")
        with mariadb(place, port, f"--init-file={place / 'accounts.sql'}"):
            until(lambda: reachable("mariadb", ADDRESS, port, 5.0))
        assert not reachable("mariadb", ADDRESS, port, 5.0)


@contextlib.contextmanager
def saying(words: bytes) -> Iterator[int]:
    """Listen on a port for one client, say something to it, and hang up."""
    with socket.create_server((ADDRESS, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = server.accept()
                with client:
                    client.sendall(words)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("manager", "words", "expected"),
    [
        ("mysql", b"\x4a\0\0\0\x0a8.0.42\0", True),
        ("mysql", b"\x17\0\0\0\xff\x10\x04Too many connections", True),
        ("mysql", b"\x17\0\0\0\xff\x6a\x04Host is not allowed", False),
        ("mysql", b"", False),
        ("postgresql", b"", False),
        ("postgresql", b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        ("postgresql", b"E\xff\xff\xff\xff", False),
        ("another", b"", True),
    ],
)
def test_what_a_server_says_first_tells_whether_it_lets_clients_in(
    manager: str, words: bytes, expected: bool
) -> None:
    with saying(words) as port:
        assert reachable(manager, ADDRESS, port, 5.0) is expected


def test_a_server_that_says_nothing_is_not_reachable() -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        assert not reachable("postgresql", ADDRESS, server.getsockname()[1], 0.05)
        assert not reachable("mariadb", ADDRESS, server.getsockname()[1], 0.05)


def test_a_name_that_is_no_address_is_not_reachable() -> None:
    assert not reachable("postgresql", "999.1.1.1", 5432, 0.05)
