"""How long a client can't write while the operating system under a database changes: by Instar, and by hand.

Each upgrade runs in Instar's containers and, on a copy of the same data, in a container that is stopped,
removed and run anew (`by_hand/containers.py`). Neither takes a snapshot. Both are seen by the same writer.
Needs root and Podman. Prints a table and writes bench/results/downtime_containers.json.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from downtime import longest_gap, report, rounds_wanted, steps, taking_turns

# isort: split
import grounds
import real_control_plane
from access import Access, ask, tell
from by_hand.containers import HANDS, NAME, NETWORK, SUBNET, Container, Hand, access_of, name_of
from container_fixtures import MISSING, POSTGRESQL, build_systems, can_run_containers, offer
from instar.wire.agent import Manifest
from real_control_plane import ControlPlane
from real_engines import MARIADB, Engine
from real_instance import RealInstance
from waiting import until

ROWS, PORTION = 1_000_000, 50_000
PATIENCE = 60.0


@dataclass(frozen=True)
class Story:
    """An instance, and where it goes."""

    engine: Engine
    begins: str
    upgrades: dict[str, str]
    fill: str


_FILL_MARIADB = "INSERT INTO orders SELECT seq, md5(seq) FROM seq_{}_to_{}"
_FILL_POSTGRESQL = "INSERT INTO orders SELECT n, md5(n::text) FROM generate_series({}, {}) n"
STORIES = (
    Story(
        MARIADB,
        "10.11",
        {"MariaDB 10.11 to 11.8": "11.8", "MariaDB 11.8, newer Debian": "11.8-forky"},
        _FILL_MARIADB,
    ),
    Story(POSTGRESQL, "15", {"PostgreSQL 15 to 17": "17"}, _FILL_POSTGRESQL),
    Story(POSTGRESQL, "17.10-bookworm", {"PostgreSQL 17.10, newer Debian": "17.10-trixie"}, _FILL_POSTGRESQL),
)


def one_round(plane: ControlPlane, number: int) -> dict[str, Any]:
    """Measure all upgrades once."""
    measured: dict[str, Any] = {}
    for story in STORIES:
        measured |= measure(plane, story, number)
    return measured


def measure(plane: ControlPlane, story: Story, number: int) -> dict[str, Any]:
    """Go through one story, by hand and by Instar, on an instance filled anew."""
    images = {each.version_name: each for each in reversed(plane.images.offered)}
    measured: dict[str, Any] = {}
    offer(plane, images[story.begins])
    instance = RealInstance.create(plane, story.begins, engine=story.engine)
    fill = (story.fill.format(n + 1, n + PORTION) for n in range(0, ROWS, PORTION))
    tell(instance.access(), "CREATE TABLE orders (n int PRIMARY KEY, item char(32))", *fill)
    with in_a_container(instance, images[story.begins]) as hand:
        for kind, version in story.upgrades.items():
            bring_in(plane, images[version])
            hand.prepare(images[version])
            upgrade = partial(instance.upgrade, version, snapshot="never")
            ways = {
                "by hand": partial(longest_gap, access_of(instance), partial(hand.upgrade, images[version])),
                "instar": partial(longest_gap, instance.access(), upgrade),
            }
            measured[kind] = taking_turns(ways, number) | {"steps": steps(instance)}
    plane.delete_everything()
    return measured


@contextmanager
def in_a_container(instance: RealInstance, image: Manifest) -> Iterator[Hand]:
    """Run a copy of an instance's data without Instar; its container goes at the end."""
    container = Container(instance, instance.plane.home / "hand")
    container.take_copy()
    hand = HANDS[instance.engine.datastore](container, image)
    try:
        hand.start(image)
        until(lambda: serves(access_of(instance)), PATIENCE)
        yield hand
    finally:
        grounds.engine("rm", "--force", "--ignore", NAME)


def serves(access: Access) -> bool:
    """Tell whether a database lets its user in."""
    try:
        return ask(access, "SELECT 1") == [1]
    except access.errors:
        return False


def bring_in(plane: ControlPlane, image: Manifest) -> None:
    """Have the engine know an image beforehand, whoever goes first."""
    with suppress(AssertionError):
        grounds.engine("image", "inspect", name_of(image), "--format", "{{.Id}}")
        return
    archive = plane.images.image_dir / image.digest.removeprefix("sha256:") / "rootfs.tar"
    grounds.engine("import", str(archive), name_of(image))


@contextmanager
def network() -> Iterator[None]:
    """Make a network for the containers that Instar knows nothing of."""
    grounds.engine("network", "create", "--subnet", SUBNET, NETWORK)
    try:
        yield
    finally:
        grounds.engine("network", "rm", "--force", NETWORK)


def main() -> int:
    """Measure, print, write down."""
    rounds = rounds_wanted(__doc__)
    if not can_run_containers():
        sys.exit(f"bench/downtime_containers.py {MISSING}")
    with real_control_plane.installed(build_systems(), "serve") as plane, network():
        report("downtime_containers", [one_round(plane, number) for number in range(rounds)], ROWS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
