"""A guest disk boots, serves, is powered off and gives its volume on, under emulation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guest_images import image_dir
from instar.control.guests.authority import Authority
from instar.images import build, store
from instar.images.disk.machine import UID
from instar.images.recipe import load
from instar.wire.agent import Manifest
from instar.wire.errors import GuestError
from virtual_machines import MISSING, DataDisk, VirtualMachine, can_emulate

pytestmark = [pytest.mark.live, pytest.mark.skipif(not can_emulate(), reason=MISSING)]

MIB = 1 << 20
INSTANCE, VOLUME = "5a5e1d1c-0a3c-4d59-b5a6-1f0b7a3b6c01", "0c6d9c6e-7a52-4f0e-8c9b-5d0e3f6a1b2c"
ANN = {"name": "ann", "password": "secret-ann", "databases": ["shop"]}
Boot = Callable[[Manifest], VirtualMachine]


@pytest.fixture(scope="module")
def old() -> Manifest:
    return build(load("postgresql-15"), image_dir(), disk=True)


@pytest.fixture(scope="module")
def new() -> Manifest:
    return build(load("postgresql-15").stamped("+1"), image_dir(), disk=True)


@pytest.fixture
def volume(tmp_path: Path) -> DataDisk:
    return DataDisk(tmp_path / "volume.raw", VOLUME).make(512 * MIB)


@pytest.fixture
def boot(tmp_path: Path, volume: DataDisk) -> Iterator[Boot]:
    """Boots a machine from an image, always with the same volume."""
    authority, machines = Authority(tmp_path / "tls"), list[VirtualMachine]()

    def boot(image: Manifest) -> VirtualMachine:
        disk = store.path_of(image_dir(), image.digest) / store.CONTENT["qcow2"]
        place = tmp_path / f"machine{len(machines)}"
        machines.append(VirtualMachine(place, disk, volume, authority, INSTANCE))
        return machines[-1].boot()

    yield boot
    for machine in machines:
        machine.cut_power()


def rows(machine: VirtualMachine) -> list[int]:
    with machine.database("ann", "secret-ann", "shop") as connection:
        return [row[0] for row in connection.execute("SELECT number FROM orders ORDER BY 1")]


def test_a_volume_goes_from_one_disk_to_the_next(
    boot: Boot, volume: DataDisk, old: Manifest, new: Manifest
) -> None:
    first = boot(old)
    assert first.info().agent_version == old.agent_version
    with pytest.raises(GuestError):
        first.run("start")
    first.run("prepare", databases=[{"name": "shop"}], users=[ANN])
    with first.database("ann", "secret-ann", "shop") as connection:
        connection.execute("CREATE TABLE orders (number int)")
        connection.execute("INSERT INTO orders VALUES (1), (2)")
    first.press_power_button()
    assert "instar: powering off" in first.console()
    assert volume.was_unmounted()
    assert volume.owner_of("postgresql/15/PG_VERSION") == str(UID)

    volume.grow(640 * MIB)
    again = boot(old)
    again.until_healthy()
    assert rows(again) == [1, 2]
    told = again.run("pre_upgrade", target_engine_version=new.engine_version, target_image_digest=new.digest)
    assert again.status().status == "SHUTDOWN"
    again.cut_power()
    assert volume.was_unmounted()
    found = volume.superblock()
    assert int(found["Block count"]) * int(found["Block size"]) == 640 * MIB

    last = boot(new)
    last.run("post_upgrade", upgrade_info=told)
    last.run("start")
    last.until_healthy()
    assert rows(last) == [1, 2]
    assert last.info().agent_version == new.agent_version


def test_a_disk_says_of_itself_what_it_is_and_is_found_built(old: Manifest) -> None:
    assert old.format == "qcow2"
    assert "debian/linux-image-cloud-amd64" in old.built_from
    assert build(load("postgresql-15"), image_dir(), disk=True).digest == old.digest
    assert old.digest in {each.digest for each in store.images(image_dir())}
