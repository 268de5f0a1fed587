"""A volume that is a disk, on loop devices: formatted only when new and blank, mounted, grown, let go of."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from instar.agent.block_device import BlockDevice
from instar.agent.disk import Disk
from instar.wire.errors import GuestError
from waiting import until

VOLUME = "0c6d9c6e-7a52-4f0e-8c9b-5d0e3f6a1b2c"
MIB = 1 << 20
OWNER = 9779
CAP_SYS_RESOURCE = 24


def _reason() -> str:
    if os.geteuid() != 0:
        return "needs root: disks are mounted"
    if missing := [
        name for name in ("losetup", "mkfs.ext4", "wipefs", "resize2fs") if not shutil.which(name)
    ]:
        return f"needs {', '.join(missing)}: apt-get install e2fsprogs mount util-linux"
    tried = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
    return f"needs loop devices: {tried.stderr.strip()}" if tried.returncode else ""


pytestmark = pytest.mark.skipif(bool(_reason()), reason=_reason() or "can run")


class Machine:
    """A mount point, and disks that bear the serials of virtio disks."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.system = directory, directory / "sys"
        self.data = directory / "root/data"
        self.system.mkdir()
        self.data.mkdir(parents=True)
        os.chown(self.data, OWNER, OWNER)
        self.nodes: list[Path] = []

    def attach(self, serial: str = VOLUME[:20], size: int = 64 * MIB) -> Path:
        """Put a blank disk into the machine; gives its device node."""
        file = self.directory / f"disk{len(self.nodes)}"
        with file.open("wb") as disk:
            disk.truncate(size)
        said = subprocess.run(
            ["losetup", "--find", "--show", file], check=True, capture_output=True, text=True
        )
        node = Path(said.stdout.strip())
        self.nodes.append(node)
        (self.system / node.name).mkdir()
        (self.system / node.name / "serial").write_text(f"{serial}\n")
        return node

    def grow(self, node: Path, size: int) -> None:
        """Make a disk larger, as it is."""
        os.truncate(self.directory / f"disk{self.nodes.index(node)}", size)
        subprocess.run(["losetup", "--set-capacity", node], check=True)

    def volume(self) -> Disk:
        """Give the volume as an agent sees it that has just started."""
        return Disk(self.data, VOLUME, self.directory / "run/volume_released", system=self.system)

    def take(self, *, new: bool = False, patience: float = 0.0) -> Disk:
        """Take the volume."""
        taken = self.volume()
        taken.take(new=new, patience=patience)
        return taken

    def close(self) -> None:
        subprocess.run(["umount", "--quiet", self.data], check=False)
        for node in self.nodes:
            subprocess.run(["losetup", "--detach", node], check=True)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


def is_mounted(machine: Machine) -> bool:
    return machine.data.is_mount()


def test_a_blank_disk_becomes_the_volume_of_the_mount_points_owner(machine: Machine) -> None:
    machine.attach()
    machine.take(new=True).check()
    assert is_mounted(machine)
    assert machine.data.stat().st_uid == machine.data.stat().st_gid == OWNER


def test_what_is_on_the_volume_is_there_whenever_it_is_taken_again(machine: Machine) -> None:
    machine.attach()
    volume = machine.take(new=True)
    (machine.data / "kept").write_text("data")
    volume.release()
    assert not is_mounted(machine)
    machine.take(new=True)
    machine.take()
    assert (machine.data / "kept").read_text() == "data"


def test_only_a_volume_that_is_to_be_new_is_formatted(machine: Machine) -> None:
    node = machine.attach()
    with pytest.raises(GuestError, match="blank"):
        machine.take()
    assert not any(node.read_bytes())


@pytest.mark.parametrize("made", ["mkfs.ext2 -q", "mkswap -q", "data", "partitions"])
def test_a_disk_that_holds_anything_else_is_refused_and_left_as_it_is(machine: Machine, made: str) -> None:
    node = machine.attach()
    if made == "data":
        with node.open("r+b") as disk:
            disk.seek(5 * MIB + 12345)
            disk.write(b"x")
    elif made == "partitions":
        subprocess.run(["sfdisk", "-q", node], input="start=2048\n", text=True, check=True)
    else:
        subprocess.run([*made.split(), node], check=True, stdout=subprocess.DEVNULL)
    before = node.read_bytes()
    expected = {"data": "no file system that is known", "partitions": "dos", "mkswap -q": "swap"}
    with pytest.raises(GuestError, match="neither blank nor") as told:
        machine.take(new=True)
    assert expected.get(made, "ext2") in told.value.body.seen
    assert node.read_bytes() == before


def test_formatting_that_was_cut_short_is_begun_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = machine.attach()

    def torn(device: BlockDevice, path: Path) -> None:
        with device.node.open("r+b") as disk:
            disk.seek(1080)
            disk.write(b"\x53\xef half a file system")
        raise GuestError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr("instar.agent.disk._format", torn)
        with pytest.raises(GuestError, match="power"):
            machine.take(new=True)
    with pytest.raises(GuestError, match="blank"):
        machine.take()
    machine.take(new=True)
    assert is_mounted(machine)
    assert b"Instar is formatting" not in node.read_bytes()


def test_a_volume_whose_file_system_was_destroyed_is_never_formatted(machine: Machine) -> None:
    node = machine.attach()
    machine.take(new=True).release()
    with node.open("r+b") as disk:
        disk.seek(1024)
        disk.write(bytes(1024))
    with pytest.raises(GuestError, match="neither blank nor"):
        machine.take(new=True)


def test_a_volume_that_does_not_appear_is_told_with_what_is_there(machine: Machine) -> None:
    machine.attach(serial="ffffffff-0000-1111-2222"[:20])
    with pytest.raises(GuestError, match="ffffffff-0000-1111-2") as told:
        machine.take(new=True)
    assert VOLUME in told.value.body.seen
    assert told.value.body.retryable


def test_two_disks_with_one_id_are_told_and_neither_is_touched(machine: Machine) -> None:
    nodes = machine.attach(), machine.attach()
    with pytest.raises(GuestError, match="More than one disk"):
        machine.take(new=True)
    assert not any(any(node.read_bytes()) for node in nodes)


def _may_resize() -> bool:
    """Tell whether this process may grow a file system that is mounted: root in a container often may not."""
    (held,) = re.findall(r"CapEff:\t(\w+)", Path("/proc/self/status").read_text())
    return bool(int(held, 16) >> CAP_SYS_RESOURCE & 1)


@pytest.mark.skipif(not _may_resize(), reason="needs CAP_SYS_RESOURCE: a mounted file system is grown")
def test_a_volume_that_has_grown_has_more_room_mounted_or_not(machine: Machine) -> None:
    node = machine.attach()
    volume = machine.take(new=True)
    first = shutil.disk_usage(machine.data).total
    machine.grow(node, 96 * MIB)
    volume.take(new=False, patience=0.0)
    second = shutil.disk_usage(machine.data).total
    volume.release()
    machine.grow(node, 128 * MIB)
    machine.take()
    assert first + 20 * MIB < second < shutil.disk_usage(machine.data).total - 20 * MIB


def test_another_file_system_in_its_place_is_told(machine: Machine) -> None:
    machine.attach()
    subprocess.run(["mount", "-t", "tmpfs", "other", machine.data], check=True)
    for look in (machine.volume().check, machine.take):
        with pytest.raises(GuestError, match="Another file system"):
            look()


def test_a_volume_that_is_in_use_is_not_let_go_of_and_the_user_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instar.agent.disk._GRACE", 0.0)
    machine.attach()
    volume = machine.take(new=True)
    user = subprocess.Popen(["sleep", "1000"], cwd=machine.data)
    until(lambda: Path(f"/proc/{user.pid}/comm").read_text() == "sleep\n")
    try:
        with pytest.raises(GuestError, match=rf"sleep \({user.pid}\)"):
            volume.release()
        assert not volume.is_released
        volume.check()
    finally:
        user.kill()
        user.wait()
    volume.release()
    assert not is_mounted(machine)


def test_released_is_told_until_it_is_taken_again(machine: Machine) -> None:
    machine.attach()
    volume = machine.take(new=True)
    assert not volume.is_released
    volume.release()
    volume.release()
    assert machine.volume().is_released
    with pytest.raises(GuestError, match="not mounted"):
        volume.check()
    assert not machine.take().is_released
