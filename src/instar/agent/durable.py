"""Files that are whole or absent, also after a power cut."""

import os
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the file at `path` by `text` in one step; it has reached the disk when this returns."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.unlink(missing_ok=True)
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    rename(beside, path)


def rename(source: Path, target: Path) -> None:
    """Rename within one directory, and see to it that the name has reached the disk."""
    source.rename(target)
    sync_directory(target.parent)


def sync_directory(path: Path) -> None:
    """See to it that the names in a directory have reached the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
