"""Room on the disk, asked for before anything is written."""

import shutil
from pathlib import Path

from instar.wire.errors import ProviderError

GIB = 2**30


def free(directory: Path) -> int:
    """Give the bytes that are free on the file system of a directory."""
    return shutil.disk_usage(directory).free


def check(directory: Path, asked: int, purpose: str) -> None:
    """Raise ProviderError when fewer than `asked` bytes are free for `purpose`."""
    there = free(directory)
    if asked > there:
        raise ProviderError(
            f"There is no room for {purpose} in {directory}",
            seen=f"{asked / GIB:.2f} GiB needed, {there / GIB:.2f} GiB free",
            remedy="free space there, or ask for less",
        )
