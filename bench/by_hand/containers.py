"""Databases in containers without Instar: the least that an operator with Podman does for the same upgrades.

The container is stopped and removed, and the new image is run on the same data and address, with the plain
database server as its first process. Where the engine has to convert the data, the new container does so
before it serves, as the engines' own images do. Whatever can be done while clients are served is done then.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import grounds
from access import Access
from downtime import have_done
from instar.wire.agent import Manifest
from real_instance import RealInstance

NETWORK, SUBNET, ADDRESS, HARDWARE = "instar-bench", "10.214.77.0/24", "10.214.77.7", "02:49:0a:d6:4d:07"
NAME, DATA = "instar-bench-by-hand", "/var/lib/instar/data"
FEW_PAGES, LOOKS = 64, 50


@dataclass
class Container:
    """The one container, on a copy of an instance's data, with the limits of the instance's own."""

    instance: RealInstance
    place: Path

    def take_copy(self) -> None:
        """Copy an instance's volume while its database is stopped."""
        have_done(self.instance, "stop")
        shutil.rmtree(self.place, ignore_errors=True)
        subprocess.run(["cp", "-a", self.instance.volume, self.place], check=True)
        have_done(self.instance, "start")

    @cached_property
    def uid(self) -> int:
        """The user whose data they are."""
        return self.instance.volume.stat().st_uid

    @cached_property
    def limits(self) -> list[str]:
        """The limits of the instance's container."""
        wanted = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}"
        memory, cpus = grounds.engine("inspect", self.instance.container, "--format", wanted).split()
        return ["--memory", memory, "--cpus", str(int(cpus) / 10**9)]

    def run(self, image: Manifest, script: str, *options: str) -> None:
        """Run a script with the image's programs."""
        words = ["--user", f"{self.uid}:{self.uid}", "--volume", f"{self.place}:{DATA}", *self.limits]
        words += ["--tmpfs", "/run:mode=1777", "--tmpfs", "/tmp:mode=1777", "--shm-size", "256m"]
        words += ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
        words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", *options]
        grounds.engine("run", *words, name_of(image), "/bin/sh", "-euc", script)

    def serve(self, image: Manifest, script: str, stop_signal: str) -> None:
        """Run a server in the background, on the one address."""
        where = ["--network", NETWORK, "--ip", ADDRESS, "--mac-address", HARDWARE]
        self.run(image, script, "--detach", "--name", NAME, "--stop-signal", stop_signal, *where)

    def end(self) -> None:
        """Stop the server in good order, and remove its container."""
        grounds.engine("stop", "--time", "60", NAME)
        grounds.engine("rm", NAME)


class Hand(Protocol):
    """An engine as an operator runs it."""

    container: Container

    def start(self, image: Manifest) -> None:
        """Run it on the copy as it is."""

    def prepare(self, image: Manifest) -> None:
        """Do ahead what needs no downtime."""

    def upgrade(self, image: Manifest) -> None:
        """Move it to another image."""


@dataclass
class MariaDBByHand:
    """MariaDB: where the series changes, the new server is upgraded without a network, and restarted."""

    container: Container
    image: Manifest
    _client = f"--defaults-file={DATA}/hand.cnf -uhand -phand --socket=/run/hand.sock"

    def start(self, image: Manifest) -> None:
        """Run it with an account for the operator and the instance's own settings."""
        files = "cat /etc/mysql/*/05-instar* /etc/mysql/*/99-instar*"
        settings = self.container.instance.in_guest("sh", "-c", files)
        (self.container.place / "hand.cnf").write_text(f"{settings}\n[client]\n")
        (self.container.place / "hand.sql").write_text(
            "CREATE USER IF NOT EXISTS hand@localhost IDENTIFIED BY 'hand';\n"
            "GRANT ALL PRIVILEGES ON *.* TO hand@localhost WITH GRANT OPTION;\n"
        )
        self.container.serve(image, f"exec {_mariadbd(f'--init-file={DATA}/hand.sql')}", "SIGTERM")

    def prepare(self, image: Manifest) -> None:
        """Nothing can be done ahead."""

    def upgrade(self, image: Manifest) -> None:
        """Have dirty pages written, and stop slowly where the series changes; then run the new image."""
        crosses = series(image) != series(self.image)
        self._flush(slowly=crosses)
        self.container.end()
        self.container.serve(image, self._crossing() if crosses else f"exec {_mariadbd()}", "SIGTERM")
        self.image = image

    def _crossing(self) -> str:
        return (
            f"{_mariadbd('--skip-networking')} & "
            f"until mariadb-admin {self._client} ping; do sleep 0.02; done; "
            f"mariadb-upgrade {self._client}; mariadb-admin {self._client} shutdown; wait; exec {_mariadbd()}"
        )

    def _flush(self, *, slowly: bool) -> None:
        names = ("innodb_max_dirty_pages_pct_lwm", "innodb_max_dirty_pages_pct")
        self._ask(*(f"SET GLOBAL {name} = 0" for name in names))
        if slowly:
            self._ask("SET GLOBAL innodb_fast_shutdown = 0")
        for _ in range(LOOKS):
            told = self._ask("SHOW GLOBAL STATUS LIKE 'innodb_buffer_pool_pages_dirty'")
            if int(told.split()[-1]) <= FEW_PAGES:
                break
            time.sleep(0.1)

    def _ask(self, *statements: str) -> str:
        return grounds.engine("exec", NAME, "mariadb", *self._client.split(), "-Nse", "; ".join(statements))


@dataclass
class PostgreSQLByHand:
    """PostgreSQL: the new container runs `pg_upgrade --link` where the major version changes."""

    container: Container
    image: Manifest

    def start(self, image: Manifest) -> None:
        """Run it with the operator let in by its socket."""
        hba = "local all all trust\nhost all all all scram-sha-256\n"
        (self._clusters / major(image) / "pg_hba.conf").write_text(hba)
        self.container.serve(image, _postgres(major(image)), "SIGINT")

    def prepare(self, image: Manifest) -> None:
        """Make the new cluster, with the old one's configuration, where the major version changes."""
        old, new = major(self.image), major(image)
        if old == new:
            return
        wanted = "-U instar_admin -A trust --no-sync --encoding=UTF8 --locale=C.UTF-8 --data-checksums"
        self.container.run(image, f"{_programs(new)}/initdb -D {DATA}/postgresql/{new} {wanted}", "--rm")
        for name in ("postgresql.conf", "instar.conf", "instar_defaults.conf", "pg_hba.conf"):
            shutil.copy(self._clusters / old / name, self._clusters / new / name)

    def upgrade(self, image: Manifest) -> None:
        """Have dirty pages written, stop, and run the new image."""
        old, new = major(self.image), major(image)
        psql = f"{_programs(old)}/psql"
        grounds.engine(
            "exec", NAME, psql, "-h", "/tmp", "-U", "instar_admin", "-d", "postgres", "-c", "CHECKPOINT"
        )
        self.container.end()
        convert = (
            f"cd {DATA}/postgresql; {_programs(new)}/pg_upgrade --link -j 2 -U instar_admin -s /tmp "
            f"-b {_programs(old)} -B {_programs(new)} -d {old} -D {new}; "
        )
        self.container.serve(image, (convert if old != new else "") + _postgres(new), "SIGINT")
        self.image = image

    @property
    def _clusters(self) -> Path:
        return self.container.place / "postgresql"


def name_of(image: Manifest) -> str:
    """Name an image as the engine knows it."""
    return f"localhost/instar:{image.digest.removeprefix('sha256:')}"


def series(image: Manifest) -> str:
    """Give the part of MariaDB's version that data files depend on."""
    return image.engine_version.rpartition(".")[0]


def major(image: Manifest) -> str:
    """Give PostgreSQL's major version."""
    return image.engine_version.split(".")[0]


def _mariadbd(*options: str) -> str:
    words = ["mariadbd", f"--defaults-file={DATA}/hand.cnf", f"--datadir={DATA}/mysql/data", "--tmpdir=/tmp"]
    words += ["--socket=/run/hand.sock", "--pid-file=/run/hand.pid", "--bind-address=0.0.0.0", *options]
    return " ".join(words)


def _postgres(major: str) -> str:
    data = f"{DATA}/postgresql/{major}"
    options = f"-c listen_addresses='*' -c hba_file={data}/pg_hba.conf -c unix_socket_directories=/tmp"
    return f"exec {_programs(major)}/postgres -D {data} {options}"


def _programs(major: str) -> str:
    return f"/usr/lib/postgresql/{major}/bin"


HANDS = {"mariadb": MariaDBByHand, "postgresql": PostgreSQLByHand}


def access_of(instance: RealInstance) -> Access:
    """Give the way into the copy for the instance's user."""
    return instance.engine.access(ADDRESS, "ada", instance.password, "shop")
