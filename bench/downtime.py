"""How long a client can't write: through `instar upgrade`, and by hand on a copy of the same data.

The hand does the least that the same work takes: checkpoint while clients are served; stop; pg_upgrade --link
into a cluster made beforehand, where the major version changes; start. Neither takes a snapshot: where one is
a plain copy, it comes on top (see `instar plan`). Both are seen by the same writer. With `--strategy replace`
Instar has another server take over.
Prints a table and writes bench/results/downtime.json, or downtime_replace.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "demo")]

import real_control_plane  # noqa: E402
from access import Access, PostgreSQL  # noqa: E402
from guest_images import Images  # noqa: E402
from instar.images import build  # noqa: E402
from instar.images.recipe import load  # noqa: E402
from real_control_plane import ControlPlane  # noqa: E402
from real_instance import DATABASE, USER, RealInstance  # noqa: E402
from writer import Writer  # noqa: E402

SCALE = 20
NOBODY = 65534
KINDS = {"same version": "17.10", "major": "18.6"}


@dataclass
class Hand:
    """A cluster without Instar: a copy of an instance's data, on its own address and (as root) uid."""

    place: Path
    programs: Path
    address: str
    uid: int | None

    def take_copy(self, source: RealInstance) -> None:
        """Copy an instance's data directory while its database is stopped."""
        have_done(source, "stop")
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(mode=0o755)
        subprocess.run(["cp", "-a", source.volume / "postgresql/17", self.place / "17"], check=True)
        (self.place / "17/pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
        if self.uid is not None:
            subprocess.run(["chown", "-R", str(self.uid), self.place], check=True)
        have_done(source, "start")

    def prepare(self, version: str) -> None:
        """Make the new cluster, with the old one's configuration, where the major version changes."""
        if version.startswith("17"):
            return
        options = ["-U", "instar_admin", "-A", "trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
        self.run(18, "initdb", "-D", "18", *options)
        for name in ("postgresql.conf", "instar.conf", "instar_defaults.conf", "pg_hba.conf"):
            shutil.copy(self.place / "17" / name, self.place / "18" / name)

    def start(self, major: int) -> None:
        """Start the server and wait until it accepts connections."""
        sockets = f"-c unix_socket_directories={self.place}"
        options = f"-c listen_addresses={self.address} -c hba_file={self.place}/{major}/pg_hba.conf {sockets}"
        self.run(major, "pg_ctl", "start", "-w", "-s", "-D", str(major), "-l", "log", "-o", options)

    def stop(self, major: int) -> None:
        """Stop the server."""
        self.run(major, "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", str(major))

    def upgrade(self, version: str) -> None:
        """Stop, convert where the major version changes, start."""
        self.checkpoint()
        self.stop(17)
        if not version.startswith("17"):
            self.convert()
        self.start(int(version.split(".")[0]))

    def convert(self) -> None:
        """Run pg_upgrade."""
        old, new = (f"{self.programs}/{major}/bin" for major in (17, 18))
        words = ["--link", "-j", "2", "-U", "instar_admin", "-b", old, "-B", new, "-d", "17", "-D", "18"]
        self.run(18, "pg_upgrade", *words, "-s", str(self.place))

    def checkpoint(self) -> None:
        """Have dirty pages written."""
        with psycopg.connect(host=str(self.place), user="instar_admin", dbname="postgres") as connection:
            connection.autocommit = True
            connection.execute("CHECKPOINT")

    def run(self, major: int, program: str, *words: str) -> None:
        """Run one of PostgreSQL's programs in the cluster's place."""
        subprocess.run(
            [self.programs / str(major) / "bin" / program, *words],
            cwd=self.place,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=self.uid,
            group=self.uid,
            extra_groups=None if self.uid is None else [],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def have_done(instance: RealInstance, hook: str) -> None:
    """Have an instance's agent stop or start the database, behind the control plane's back."""
    name = f"bench-{hook}-{instance.agent.info().boot_id}"
    instance.agent.start_job(name, hook, {})
    while instance.agent.job(name, wait=5).state == "InProgress":
        pass


def longest_gap(access: Access, act: Callable[[], Any]) -> float:
    """Let a client write through something that interrupts it; all that was acknowledged must be there."""
    os.sync()  # what was copied to set the stage is not this act's to write to disk
    writer = Writer(access)
    writer.start()
    writer.wait_for(200)
    writer.reset_gap()
    act()
    writer.wait_for(100)
    tally = writer.stop()
    if tally.lost:
        sys.exit(f"{tally.lost} acknowledged rows are missing")
    return tally.longest_gap


def one_round(plane: ControlPlane, hand: Hand, strategy: str, number: int) -> dict[str, Any]:
    """Measure both kinds, by hand and by Instar, on an instance filled anew, taking turns."""
    instance = RealInstance.create(plane)
    fill(instance, hand.programs)
    hand.take_copy(instance)
    hand.start(17)
    by_hand = PostgreSQL(instance.conninfo().replace(instance.address, hand.address))
    measured: dict[str, Any] = {}
    options = {"snapshot": "never", "strategy": strategy}
    for kind, version in KINDS.items():
        ways = {
            "by hand": partial(longest_gap, by_hand, partial(hand.upgrade, version)),
            "instar": partial(longest_gap, instance.access(), partial(instance.upgrade, version, **options)),
        }
        hand.prepare(version)
        measured[kind] = taking_turns(ways, number) | {"steps": steps(instance)}
    hand.stop(18)
    plane.client.instances.delete(instance.id)
    plane.delete_everything()
    return measured


def taking_turns(ways: dict[str, Callable[[], float]], number: int) -> dict[str, Any]:
    """Measure by each way, in every second round in the other order."""
    return {way: ways[way]() for way in sorted(ways, reverse=number % 2 == 1)}


def steps(instance: RealInstance) -> dict[str, float]:
    """Tell how long each step of the newest operation took."""
    client = instance.plane.client
    newest = next(client.instances.operations(instance.id, limit=1))
    return {step.name: step.seconds or 0.0 for step in client.operations.get(newest).steps or []}


def fill(instance: RealInstance, programs: Path) -> None:
    """Load pgbench's tables: 100,000 rows for each unit of scale."""
    subprocess.run(
        [
            programs / "17/bin/pgbench",
            "-i",
            "-q",
            "-s",
            str(SCALE),
            "-h",
            instance.address,
            "-U",
            USER,
            DATABASE,
        ],
        env={"PGPASSWORD": instance.password},
        check=True,
        capture_output=True,
    )


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Give medians and their ratio for each kind of upgrade."""
    told: dict[str, Any] = {}
    for kind in rounds[0]:
        hand, instar = (median(each[kind][way] for each in rounds) for way in ("by hand", "instar"))
        names = rounds[0][kind]["steps"]
        told[kind] = {
            "by hand": hand,
            "instar": instar,
            "ratio": instar / hand,
            "steps": {name: median(each[kind]["steps"].get(name, 0.0) for each in rounds) for name in names},
        }
    return told


def show(told: dict[str, Any], rounds: int) -> None:
    """Print the tables."""
    table = Table(
        "longest time without a write", "by hand", "instar", "ratio", title=f"medians of {rounds} rounds"
    )
    where = Table("step, seconds", *told, title="where Instar's time goes")
    for kind, numbers in told.items():
        table.add_row(
            kind, f"{numbers['by hand']:.2f} s", f"{numbers['instar']:.2f} s", f"{numbers['ratio']:.2f}"
        )
    for name in max((numbers["steps"] for numbers in told.values()), key=len):
        where.add_row(name, *(f"{numbers['steps'].get(name, 0.0):.2f}" for numbers in told.values()))
    for each in (table, where):
        Console().print(each)


def report(name: str, rounds: list[dict[str, Any]], rows: int) -> None:
    """Print the tables and write everything down."""
    told = summary(rounds)
    show(told, len(rounds))
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    text = json.dumps({"rows": rows, "medians": told, "rounds": rounds}, indent=2)
    (results / f"{name}.json").write_text(text + "\n")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Give what reads from the command line how often to measure."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--rounds", type=int, default=5)
    return made


def rounds_wanted(description: str | None) -> int:
    """Read from the command line how often to measure."""
    return int(parser(description).parse_args().rounds)


def find_images() -> Images:
    """Build the images, or find them built."""
    directory = Path(os.environ.get("INSTAR_TEST_IMAGES", f"/tmp/instar-test-images-{os.geteuid()}"))
    recipe = load("postgresql-17.10")
    old, new = build(recipe, directory), build(load("postgresql-18.6"), directory)
    return Images(directory, old, new, build(recipe.stamped("+1"), directory))


def main() -> int:
    """Measure, print, write down."""
    wanted = parser(__doc__)
    wanted.add_argument("--strategy", choices=("rebuild", "replace"), default="rebuild")
    chosen = wanted.parse_args()
    images = find_images()
    digest = images.new.digest.removeprefix("sha256:")
    programs = images.image_dir / digest / "tree/usr/lib/postgresql"
    with real_control_plane.installed(images, "serve") as plane:
        hand = Hand(plane.home / "hand", programs, "127.120.7.7", None if os.geteuid() else NOBODY)
        measured = [one_round(plane, hand, chosen.strategy, number) for number in range(chosen.rounds)]
    name = "downtime" if chosen.strategy == "rebuild" else "downtime_replace"
    report(name, measured, SCALE * 100_000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
