"""A disk made from a system's files, without a mount: SYSLINUX on a small FAT partition, all else on ext4.

The disk boots by BIOS. Its first partition holds kernel and initrd, the second one the system and some room.
"""

import hashlib
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from instar.images.errors import BuildError
from instar.images.store import Progress
from instar.images.system.archive import EPOCH

MIB = 1 << 20
_SECTOR = 512
_BEGIN = 1 * MIB
_ROOM = 256 * MIB
"""Of the root disk that the system does not fill: for logs, and for what the agent keeps for a boot."""
_BOOT_CODE = ("/usr/lib/syslinux/mbr/mbr.bin", "/usr/lib/SYSLINUX/mbr.bin", "/usr/share/syslinux/mbr.bin")
_LOADER = """\
DEFAULT instar
PROMPT 0
TIMEOUT 0
LABEL instar
  LINUX vmlinuz
  INITRD initrd.gz
  APPEND root=UUID={uuid} console=tty0 console=ttyS0 quiet panic=10 no_timer_check
"""
_PART = 4 * MIB


def write(
    root: Path,
    boot: Mapping[str, Path],
    target: Path,
    scratch: Path,
    sources: Mapping[str, str],
    progress: Progress,
) -> str:
    """Make a qcow2 disk of a system; `boot` is what the loader loads, `vmlinuz` and `initrd.gz`.

    The ids of its file systems follow from its `sources`. Gives `sha256:<hex>` of its bytes.
    """
    own = uuid.uuid5(uuid.NAMESPACE_URL, repr(sorted(sources.items())))
    raw = scratch / "disk.raw"
    boot_size = _whole_mib(sum(path.stat().st_size for path in boot.values()) + 4 * MIB)
    root_size = _whole_mib(_used(root) * 11 // 10 + _ROOM)
    progress("making the disk")
    with raw.open("wb") as disk:
        disk.truncate(_BEGIN + boot_size + root_size)
        disk.write(_boot_code())
    _divide(raw, boot_size, own)
    _fill_boot(raw, boot, boot_size, own, scratch)
    _fill_root(raw, root, _BEGIN + boot_size, root_size, own)
    progress("compressing the disk")
    _do(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd", raw, target])
    raw.unlink()
    progress("computing the digest")
    with target.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _divide(raw: Path, boot_size: int, own: uuid.UUID) -> None:
    lines = f"""\
label: dos
label-id: 0x{own.hex[:8]}
start={_BEGIN // _SECTOR}, size={boot_size // _SECTOR}, type=e, bootable
start={(_BEGIN + boot_size) // _SECTOR}, type=83
"""
    _do(["sfdisk", "--quiet", raw], told=lines)


def _fill_boot(raw: Path, boot: Mapping[str, Path], size: int, own: uuid.UUID, scratch: Path) -> None:
    """Put the loader on its partition; it finds its own files by sectors counted from the disk's first."""
    place, heads, track = f"{raw}@@{_BEGIN}", 64, 32
    config = scratch / "syslinux.cfg"
    config.write_text(_LOADER.format(uuid=own), encoding="utf-8")
    geometry = [
        "-c",
        "4",
        "-h",
        str(heads),
        "-s",
        str(track),
        "-T",
        str(size // _SECTOR),
        "-H",
        str(_BEGIN // _SECTOR),
    ]
    _do(["mformat", "-i", place, *geometry, "-N", own.hex[:8], "-v", "BOOT", "::"])
    for name, path in {**boot, "syslinux.cfg": config}.items():
        _do(["mcopy", "-i", place, path, f"::{name}"])
    _do(["syslinux", "--offset", str(_BEGIN), "--install", raw])


def _fill_root(raw: Path, root: Path, begin: int, size: int, own: uuid.UUID) -> None:
    options = [
        f"offset={begin}",
        "nodiscard",
        f"hash_seed={own}",
        "lazy_itable_init=0",
        "lazy_journal_init=0",
    ]
    _do(
        [
            *("mkfs.ext4", "-q", "-F", "-m", "0", "-L", "instar-root", "-U", str(own)),
            *("-E", ",".join(options), "-d", root, raw, f"{size >> 10}k"),
        ]
    )


def _do(words: Sequence[str | Path], told: str = "") -> None:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    own = {
        "E2FSPROGS_FAKE_TIME": str(EPOCH),
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
        "MTOOLS_SKIP_CHECK": "1",
    }
    done = subprocess.run(
        [str(word) for word in words], input=told, env={**os.environ, **own, "PATH": path},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BuildError(
            f"{words[0]} could not make the disk",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}",
            remedy="Free some space, or mend that, then build again.",
        )


def _boot_code() -> bytes:
    for path in map(Path, _BOOT_CODE):
        if path.is_file():
            return path.read_bytes()
    raise BuildError(
        "The boot code of SYSLINUX is missing",
        seen=f"none of {', '.join(_BOOT_CODE)}",
        remedy="apt-get install syslinux-common, then build again.",
    )


def _used(root: Path) -> int:
    """Tell how much room a system's files take, each rounded up to blocks."""
    return sum(_blocks(path) for path in root.rglob("*"))


def _blocks(path: Path) -> int:
    return 4096 + (0 if path.is_symlink() or path.is_dir() else path.stat().st_size) // 4096 * 4096


def _whole_mib(size: int) -> int:
    return -(-size // MIB) * MIB
