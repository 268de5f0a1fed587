"""Deleting trees that a guest may have made, whatever modes and links it left in them."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Delete a file, link or tree; succeeds when there is none. Follows no link."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    while path.is_dir():
        with contextlib.suppress(FileNotFoundError):  # somebody else deletes it as well
            _remove_tree(path)


def empty(directory: Path) -> None:
    """Delete everything in a directory."""
    for path in directory.iterdir():
        remove(path)


def _remove_tree(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except PermissionError:
        if os.getuid() == 0:
            raise  # the modes that a guest left can't be the cause, so its paths need not be followed
        _open_up(path)
        shutil.rmtree(path)


def _open_up(directory: Path) -> None:
    directory.chmod(0o700)
    with os.scandir(directory) as entries:
        below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for path in below:
        _open_up(path)
