"""What a system needs to be a machine: kernel and drivers, tools for disks, a user for agent and database."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from instar.images.errors import BuildError
from instar.images.recipe import System

KERNEL = "linux-image-cloud-amd64"
PACKAGES = (KERNEL, "busybox-static", "e2fsprogs", "kmod")
"""Beside a recipe's own: the kernel for virtual machines, and what initrd, network and disks take."""

USER, UID = "instar", 9779
"""Agent and database run as this user; of one number in all images, since files on volumes belong to it."""

VOLUME = "var/lib/instar/data"
_TOOLS = {
    "mkfs.ext4": "e2fsprogs",
    "sfdisk": "fdisk",
    "syslinux": "syslinux",
    "mformat": "mtools",
    "qemu-img": "qemu-utils",
}


def check_builder() -> None:
    """Raise BuildError unless disks can be made here."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    if missing := [package for tool, package in _TOOLS.items() if shutil.which(tool, path=path) is None]:
        raise BuildError(
            "Programs that make a disk are missing",
            seen=f"not found: {', '.join(missing)}",
            remedy=f"apt-get install {' '.join(missing)}, then build again.",
        )


def extend(system: System) -> System:
    """Give the same system with all that a machine needs."""
    return system.model_copy(update={"packages": (*system.packages, *PACKAGES)})


def settle(root: Path, writable: Iterable[str]) -> None:
    """Give the system its user and the folders to that user, and the place where the volume will be."""
    for name, line in (
        ("passwd", f"{USER}:x:{UID}:{UID}:Instar:/var/lib/instar:/bin/sh\n"),
        ("group", f"{USER}:x:{UID}:\n"),
    ):
        with (root / "etc" / name).open("a", encoding="utf-8") as file:
            file.write(line)
    (root / VOLUME).mkdir(exist_ok=True)
    for folder in {*writable, VOLUME}:
        for path in (root / folder, *(root / folder).iterdir()):
            os.lchown(path, UID, UID)
