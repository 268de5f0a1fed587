"""Faults at random on a dozen instances for a while: nothing may be lost, stuck or left behind.

    python tests/crash/soak.py --seed 1 --minutes 10

The same seed chooses the same operations and faults for each instance in the same order.
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "demo")]

from real_tales import NEW, Stage, mark, restarts, undoes, upgrades  # noqa: E402
from striking_plane import AGENT, DATABASE, SERVER, StrikingPlane, kill, striking_plane  # noqa: E402

import record_stores  # noqa: E402
from guest_images import Images, build_all  # noqa: E402
from instar.client.errors import InstarError, OperationFailed  # noqa: E402
from real_control_plane import TIMEOUT  # noqa: E402
from real_instance import RealInstance  # noqa: E402
from waiting import until  # noqa: E402

INSTANCES = 12
AT_ONCE = 3
"""Instances that are worked on at the same time."""


@dataclass
class Life:
    """One instance: a choice of its own at each turn, and what became of it."""

    stage: Stage
    number: int
    chance: random.Random
    ends: float
    tally: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)

    def live(self) -> None:
        """Create, change and strike until the time is over; then look whether everything is there."""
        instance = self.stage.new(wait=True)
        marks = 0
        while time.monotonic() < self.ends:
            mark(instance)
            marks += 1
            self._turn(instance)
            until(instance.is_healthy, TIMEOUT)
            found = instance.ask("SELECT count(*) FROM marks")[0]
            if found < marks and not self.discarded:
                self.trouble.append(f"{marks - found} of {marks} rows are missing")
            marks = found

    def _turn(self, instance: RealInstance) -> None:
        """Begin something, strike meanwhile, and see it ended."""
        kept = instance.shown.undo
        self.discarded = False
        if kept and kept.possible and self.chance.random() < 0.7:
            name, begin = "undo", undoes
            self.discarded = kept.loses_writes_since is not None
        else:
            up = upgrades(NEW, on_failure=self.chance.choice(["error", "rollback"]))
            choices = (
                {"restart": restarts} if instance.version == "18.6" else {"restart": restarts, "upgrade": up}
            )
            name = self.chance.choice(sorted(choices))
            begin = choices[name]
        fault = self.chance.choice([AGENT, DATABASE, SERVER, "worker killed", "nothing"])
        pause = self.chance.uniform(0, 4)
        operation = begin(self.stage, instance)
        threading.Event().wait(pause)
        strike(self.stage.plane, fault, instance)
        end = self._end(instance, operation.id)
        self.tally[f"{name}, {fault}: {end}"] += 1
        print(f"instance {self.number:2}: {name}, {fault} after {pause:.1f} s: {end}", flush=True)

    def _end(self, instance: RealInstance, operation_id: str) -> str:
        """Follow an operation to its end, resuming what failed."""
        operations, resumed = self.stage.plane.client.operations, ""
        for _ in range(4):
            with suppress(OperationFailed):
                operations.wait(operation_id, TIMEOUT)
            shown = instance.shown
            if shown.status == "ACTIVE":
                return f"{shown.status} on {instance.version}{resumed}"
            until(instance.agents, TIMEOUT)
            operations.resume(operation_id)
            resumed = ", resumed"
        raise AssertionError(f"instance {instance.id} is stuck: {instance.shown.fault}")


TURN = threading.Lock()


def strike(plane: StrikingPlane, fault: str, instance: RealInstance) -> None:
    """Strike now, wherever things stand."""
    if fault == "worker killed":
        with TURN:
            workers = [each for each in plane.running if "worker" in each.cmdline()]
            plane.kill(workers[0])
            plane.start("worker")
    elif fault != "nothing":
        kill(fault, instance)


def run(images: Images, seed: int, minutes: float) -> int:
    """Run, and tell; gives how many instances had trouble."""
    lives: list[Life] = []
    with (
        record_stores.postgresql() as server,
        record_stores.empty_database(server) as url,
        striking_plane(images, url) as plane,
    ):
        ends, places = time.monotonic() + minutes * 60, threading.BoundedSemaphore(AT_ONCE)

        def live(life: Life) -> None:
            with places:
                life.ends = min(ends, time.monotonic() + minutes * 60 * AT_ONCE / INSTANCES)
                try:
                    life.live()
                except (AssertionError, InstarError) as error:
                    life.trouble.append(str(error))

        lives = [
            Life(Stage(plane, images), n, random.Random(seed * 1000 + n), ends) for n in range(INSTANCES)
        ]
        threads = [threading.Thread(target=live, args=[life]) for life in lives]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for what, count in sorted(sum((life.tally for life in lives), Counter[str]()).items()):
        print(f"{count:4} x {what}")
    troubled = [life for life in lives if life.trouble]
    for life in troubled:
        print(f"TROUBLE instance {life.number}: {life.trouble}")
    print(f"seed {seed}: {len(lives)} instances, {len(troubled)} with trouble; nothing was left behind")
    return len(troubled)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    sys.exit(min(run(build_all(), asked.seed, asked.minutes), 1))
