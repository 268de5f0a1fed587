"""A disk made from a folder: what the BIOS, the boot loader and the kernel find on it."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from instar.images import build
from instar.images.disk import filling, machine
from instar.images.errors import BuildError
from instar.images.recipe import load
from instar.wire.errors import BadRequest

TOOLS = ("mkfs.ext4", "sfdisk", "syslinux", "mformat", "qemu-img", "debugfs")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
MISSING = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]


def said(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "PATH": PATH})
    return done.stdout


@pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: what makes disks")
def test_a_disk_boots_what_it_was_given_into_the_system(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hello").write_text("world\n")
    (root / "etc/hello").chmod(0o640)
    boot = {name: tmp_path / f"own-{name}" for name in ("vmlinuz", "initrd.gz")}
    for name, path in boot.items():
        path.write_text(name)
    target = tmp_path / "disk.qcow2"
    digest = filling.write(root, boot, target, tmp_path, {"recipe": "sha256:1"}, lambda _: None)
    assert digest == f"sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}"

    raw = tmp_path / "again.raw"
    said("qemu-img", "convert", "-O", "raw", target, raw)
    table = said("sfdisk", "--dump", raw)
    assert "type=e, bootable" in table
    assert "type=83" in table
    place = f"{raw}@@{filling.MIB}"
    config = said("mtype", "-i", place, "::syslinux.cfg")
    assert said("mtype", "-i", place, "::vmlinuz") == "vmlinuz"
    assert "ldlinux" in said("mdir", "-a", "-i", place, "::")
    begin = int(table.splitlines()[-1].partition("start=")[2].split(",")[0]) * 512
    system = tmp_path / "system.ext4"
    system.write_bytes(raw.read_bytes()[begin:])
    assert said("debugfs", "-R", "cat /etc/hello", system) == "world\n"
    assert "Mode:  0640" in said("debugfs", "-R", "stat /etc/hello", system)
    (own,) = [line.split()[-1] for line in said("dumpe2fs", "-h", system).splitlines() if "UUID" in line]
    assert f"root=UUID={own} " in config


def test_a_tree_makes_no_disk(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"has no \[system\]"):
        build(load("postgresql-18.6"), tmp_path, disk=True)


def test_programs_that_are_missing_are_told_with_their_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path="": None if name == "syslinux" else name)
    with pytest.raises(BuildError, match="apt-get install syslinux,"):
        machine.check_builder()
