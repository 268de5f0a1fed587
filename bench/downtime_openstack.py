"""How long a client can't write while a server of a cloud is rebuilt: by Instar, and by Nova alone.

Nova alone: `openstack server rebuild` of the same server onto the same image, and the database's own start in
it. Instar goes by each strategy that the provider has. Both are seen by the same writer. Needs root and the
tests' lab (`make test-openstack` brings it up): INSTAR_TEST_LAB is its state directory.
Prints a table and writes bench/results/downtime_openstack.json.
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from statistics import median

from rich.console import Console
from rich.table import Table

from downtime import HERE, longest_gap, rounds_wanted, steps

# isort: split
sys.path.insert(0, str(HERE.parent / "tests/openstack"))

from cloud_plane import CloudGround, CloudPlane, server_of

import lab_cloud
import real_control_plane
from guest_images import Images, image_dir
from instar.images import build
from instar.images.recipe import load
from instar.wire.errors import GuestUnreachable
from real_engines import CONTAINED_POSTGRESQL
from real_instance import RealInstance
from waiting import until

STRATEGIES = ("rebuild", "replace")


def bare(plane: CloudPlane, instance: RealInstance) -> None:
    """Have Nova rebuild the server, as somebody without Instar would, and wait until a new system serves."""
    boot, server = instance.agent.info().boot_id, server_of(instance, plane.lab)
    plane.lab.mine.compute.rebuild_server(server, server.image.id)

    def serves() -> bool:
        with suppress(GuestUnreachable):  # it is going down, or coming up
            return instance.is_healthy() and instance.agent.info().boot_id != boot
        return False

    until(serves, plane.patience)


def one_round(plane: CloudPlane, instance: RealInstance, number: int) -> dict[str, float]:
    """Measure each way once, in every second round in the other order."""
    version = instance.version
    ways: dict[str, Callable[[], None]] = {"nova alone": partial(bare, plane, instance)}
    for strategy in STRATEGIES:
        ways[strategy] = partial(instance.upgrade, version, snapshot="never", strategy=strategy)
    seconds = {}
    for way in sorted(ways, reverse=number % 2 == 1):
        seconds[way] = longest_gap(instance.access(), ways[way])
        told = steps(instance) if way in STRATEGIES else ""
        print(f"round {number}, {way}: {seconds[way]:.1f} s", told, flush=True)
    return seconds


def main() -> int:
    """Measure, print, write down."""
    rounds = rounds_wanted(__doc__)
    if lack := lab_cloud.why_not():
        sys.exit(f"bench/downtime_openstack.py: {lack}")
    lab, image = lab_cloud.the_lab(), build(load("postgresql-15"), image_dir(), disk=True)
    images = Images(image_dir(), image, image, image, engine=CONTAINED_POSTGRESQL, ground=CloudGround(lab))
    with real_control_plane.installed(images, "serve", kind=CloudPlane) as plane:
        assert isinstance(plane, CloudPlane)
        plane.publish(image)
        instance = RealInstance.create(plane)
        measured = [one_round(plane, instance, number) for number in range(rounds)]
    medians = {way: median(each[way] for each in measured) for way in measured[0]}
    table = Table("longest time without a write", "seconds", "ratio", title=f"medians of {rounds} rounds")
    for way, seconds in medians.items():
        table.add_row(way, f"{seconds:.1f}", f"{seconds / medians['nova alone']:.2f}")
    Console().print(table)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    text = json.dumps({"medians": medians, "rounds": measured}, indent=2)
    (results / "downtime_openstack.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
