"""The initrd of a disk: the drivers that lead to the root disk, and busybox to load them and go there."""

import re
import shutil
from pathlib import Path

from instar.images.errors import BuildError
from instar.images.system import chroot

_DRIVERS = ("virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "ext4")

_INIT = """\
#!/bin/busybox sh
# The machine's first process: loads drivers, finds the root disk by its id, goes there.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for driver in $(cat /drivers/order); do insmod "/drivers/$driver"; done
wanted=$(sed -n 's/.*root=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
left=300
until root=$(findfs "$wanted" 2>/dev/null); do
    if [ "$left" -eq 0 ]; then
        echo "instar: no root disk $wanted" >/dev/console
        poweroff -f
    fi
    usleep 100000
    left=$((left - 1))
done
mount -t ext4 -o noatime "$root" /root
umount /proc
mount --move /dev /root/dev
exec switch_root /root /usr/lib/instar/init
"""
# The system's own programs do it: the builder needs none. Files are sorted and of one time.
_PACK = """\
set -eu
cd /tmp/initrd
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc | gzip -9n >/tmp/initrd.gz
"""


def version(root: Path) -> str:
    """Tell the version of a system's kernel. Raises BuildError unless it has exactly one."""
    found = sorted(path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*"))
    if len(found) != 1:
        raise BuildError("A disk has one kernel", seen=f"kernels: {', '.join(found) or 'none'}")
    return found[0]


def make(root: Path, scratch: Path) -> Path:
    """Pack the initrd of a system's kernel; gives the file, in `scratch`. Raises BuildError."""
    folder = scratch / "initrd"
    for name in ("bin", "dev", "proc", "root", "drivers"):
        (folder / name).mkdir(parents=True)
    shutil.copy(root / "usr/bin/busybox", folder / "bin/busybox")
    (folder / "init").write_text(_INIT, encoding="utf-8")
    (folder / "init").chmod(0o755)
    order = []
    for path in _drivers(root, scratch):
        shutil.copy(root / path.lstrip("/"), folder / "drivers")
        order.append(Path(path).name)
    (folder / "drivers/order").write_text("".join(f"{name}\n" for name in order), encoding="utf-8")
    chroot.do(root, scratch, ["sh", "-c", _PACK])
    shutil.rmtree(folder)
    return scratch / "initrd.gz"


def _drivers(root: Path, scratch: Path) -> list[str]:
    """Name the files of the drivers and of all that they need, each once, in the order to load them in."""
    options = ["--set-version", version(root), "--show-depends", "--all"]
    said = chroot.do(root, scratch, ["modprobe", *options, *_DRIVERS])
    return list(dict.fromkeys(re.findall(r"^insmod (\S+)", said, re.MULTILINE)))
